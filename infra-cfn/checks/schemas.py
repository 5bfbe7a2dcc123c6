"""What AWS's own descriptions say about what the templates use; written to schemas.json by `cargo xtask codegen`.

    infra-cfn needs | python schemas.py > schemas.json

Reads {"types": {type: [path of a property, ...]}, "actions": [...]} and writes, from the schemas of the registry and the list
of actions that cfn-lint brings: properties whose change replaces a resource, limits of texts, and which actions exist.
"""

import importlib.metadata
import json
import pathlib
import sys

import cfnlint

DATA = pathlib.Path(cfnlint.__file__).parent / "data"
REGION = "us-east-1"
LIMITS = ("minLength", "maxLength", "pattern")


def read(*path):
    return json.loads(DATA.joinpath(*path).read_text(encoding="utf-8"))


def follow(schema, node):
    while "$ref" in node:
        target = schema
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    return node


def at(schema, path):
    """The description of a property; nothing where the schema does not go that deep."""
    node = schema
    for part in path.split("/"):
        node = follow(schema, node)
        node = node.get("items") if part == "*" else node.get("properties", {}).get(part)
        if not isinstance(node, dict):
            return None
    return follow(schema, node)


def described(kind, paths):
    file = read("schemas", "providers", f"{REGION}.json").get(kind)
    if file is None:
        return {"replaces": [], "limits": {}}
    schema = read("schemas", "resources", f"{file}.json")
    replaces = {it.removeprefix("/properties/").split("/")[0] for it in schema.get("createOnlyProperties", [])}
    limits = {}
    for path in paths:
        node = at(schema, path) or {}
        found = {key: node[key] for key in LIMITS if key in node}
        if node.get("type", "string") in ("string", ["string"]) and found:
            limits[path] = found
    return {"replaces": sorted(replaces), "limits": limits}


def exists(actions, action):
    service, _, name = action.partition(":")
    return name.lower() in actions.get(service.lower(), {}).get("Actions", {})


needs = json.load(sys.stdin)
actions = read("AdditionalSpecs", "Policies.json")
json.dump(
    {
        "source": f"cfn-lint {importlib.metadata.version('cfn-lint')}, {REGION}",
        "types": {kind: described(kind, paths) for kind, paths in sorted(needs["types"].items())},
        "actions": [it for it in needs["actions"] if exists(actions, it)],
    },
    sys.stdout,
    indent=1,
)
print()
