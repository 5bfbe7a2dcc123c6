"""Drives the server through the public `postgrest` client library, as an application would.

Every call is checked; the first difference ends the script with a non-zero exit.
"""

import sys

from postgrest import CountMethod, SyncPostgrestClient
from postgrest.exceptions import APIError


def same(what, got, want):
    """Compares and says what differed."""
    if got != want:
        sys.exit(f"{what}: got {got!r}, want {want!r}")
    print(f"ok {what}")


def refused(what, code, call):
    """The call must fail with this code."""
    try:
        call()
    except APIError as error:
        same(what, error.code, code)
        return
    sys.exit(f"{what}: was not refused")


def main(base_url, token):
    anonymous = SyncPostgrestClient(base_url)
    with SyncPostgrestClient(base_url) as client:
        client.auth(token)
        films = client.from_("films")

        created = films.insert([{"id": 1, "title": "Solaris", "year": 1972}, {"id": 2, "title": "Stalker", "year": 1979}]).execute()
        same("insert returns what was stored", [row["title"] for row in created.data], ["Solaris", "Stalker"])
        films.upsert({"id": 2, "title": "Stalker", "year": 1980}).execute()
        same("upsert replaces", films.select("year").eq("id", 2).single().execute().data, {"year": 1980})
        films.update({"year": 1979}).eq("id", 2).execute()

        page = films.select("title", count=CountMethod.exact).order("year", desc=True).limit(1).execute()
        same("order, limit and count", (page.data, page.count), ([{"title": "Stalker"}], 2))
        same("filters combine", films.select("id").gte("year", 1970).lt("year", 1975).execute().data, [{"id": 1}])
        same("in and like", len(films.select("id").in_("id", [1, 2]).like("title", "S%").execute().data), 2)
        same("or", len(films.select("id").or_("id.eq.1,title.eq.Stalker").execute().data), 2)

        client.from_("roles").insert([{"film_id": 1, "actor": "Banionis"}, {"film_id": 2, "actor": "Kaidanovsky"}]).execute()
        same(
            "embedding follows the foreign key",
            films.select("title,roles(actor)").eq("id", 1).execute().data,
            [{"title": "Solaris", "roles": [{"actor": "Banionis"}]}],
        )
        same("functions take arguments", client.rpc("films_since", {"since": 1975}).execute().data, [{"title": "Stalker"}])
        same("no row where one may be", films.select("id").eq("id", 99).maybe_single().execute(), None)

        refused("a unique violation keeps its SQLSTATE", "23505", lambda: films.insert({"id": 1, "title": "x", "year": 1}).execute())
        refused("an unknown table is named", "PGRST205", lambda: client.from_("nope").select("*").execute())
        refused("one row was asked for, two came", "PGRST116", lambda: films.select("id").single().execute())

        deleted = films.delete().eq("id", 2).execute()
        same("delete returns what went", [row["id"] for row in deleted.data], [2])

    same("anonymous may read", len(anonymous.from_("films").select("id").execute().data), 1)
    refused("anonymous may not write", "42501", lambda: anonymous.from_("films").insert({"id": 3, "title": "x", "year": 1}).execute())


if __name__ == "__main__":
    main(*sys.argv[1:])
