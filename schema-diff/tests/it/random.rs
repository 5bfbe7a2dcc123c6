//! Random schemas. Two of them share most names, so that a difference has everything to do: make, drop, alter, convert.

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};

/// A table as the generator knows it.
#[derive(Debug, Clone)]
struct Table {
    name: String,
    columns: Vec<&'static str>,
    partitioned: bool,
}

/// A schema and rows that fit both it and every other random schema.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) sql: String,
    pub(crate) rows: String,
}

struct Generator {
    rng: StdRng,
    sql: Vec<String>,
    rows: Vec<String>,
    tables: Vec<Table>,
}

/// The schema of a seed.
pub(crate) fn schema(seed: u64) -> Schema {
    let mut it =
        Generator { rng: StdRng::seed_from_u64(seed), sql: Vec::new(), rows: Vec::new(), tables: Vec::new() };
    it.types();
    it.functions();
    for n in 0..4 {
        if it.chance(80) {
            it.table(n);
        }
    }
    it.partitions();
    it.between_tables();
    it.views();
    it.rest();
    Schema { sql: it.sql.join(";\n") + ";", rows: it.rows.join(";\n") + ";" }
}

/// Column families: in each the values of one type convert to every other.
fn types(column: &str) -> &'static [&'static str] {
    match column {
        "n" => &["int", "bigint", "numeric", "numeric(12,3)"],
        "s" => &["text", "varchar(20)", "varchar(40)", "text collate \"C\""],
        "d" => &["date", "timestamp", "timestamptz"],
        "m" => &["s.mood", "s.mood", "text"],
        "ms" => &["s.mood[]"],
        "p" => &["s.pos", "s.pos", "int"],
        "b" => &["boolean"],
        "j" => &["json", "jsonb"],
        "k" => &["s.pair"],
        _ => &["int"],
    }
}

/// A value that fits all types of the family and all checks.
fn value(column: &str) -> &'static str {
    match column {
        "n" | "p" => "5",
        "s" => "'r' || i",
        "d" => "'2024-02-03'",
        "m" => "'a'",
        "ms" => "array['a', 'b']::s.mood[]",
        "b" => "true",
        "j" => "'{\"a\": 1}'",
        "k" => "row(1, 'x')::s.pair",
        _ => "i",
    }
}

fn default(column: &str) -> &'static [&'static str] {
    match column {
        "n" => &["5", "s.twice(4)", "7"],
        "s" => &["'x'", "'it''s'"],
        "d" => &["'2020-01-01'", "now()"],
        "m" => &["'a'"],
        "b" => &["true", "false"],
        "p" => &["9"],
        _ => &[],
    }
}

impl Generator {
    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from.choose(&mut self.rng).unwrap()
    }

    fn add(&mut self, sql: impl Into<String>) {
        self.sql.push(sql.into());
    }

    fn maybe(&mut self, percent: u32, sql: impl Into<String>) {
        if self.chance(percent) {
            self.add(sql);
        }
    }

    fn types(&mut self) {
        self.add("create schema s");
        self.maybe(50, "create schema other authorization diff_r1");
        self.maybe(30, "alter default privileges in schema s grant select on tables to diff_r1");
        self.maybe(20, "alter default privileges revoke execute on functions from public");
        let mut labels = vec!["a", "b"];
        for more in ["c", "d", "e f"] {
            if self.chance(60) {
                let at = self.rng.random_range(0..=labels.len());
                labels.insert(at, more);
            }
        }
        let labels: Vec<String> = labels.iter().map(|it| format!("'{it}'")).collect();
        self.add(format!("create type s.mood as enum ({})", labels.join(", ")));
        let base = self.pick(&["int", "int", "bigint"]);
        let check = self.pick(&["value > 0", "value > 1", "value <> 0"]);
        self.add(format!("create domain s.pos as {base} constraint fits check ({check})"));
        self.maybe(30, "alter domain s.pos set default 3");
        let second = self.pick(&["text", "varchar(9)"]);
        self.add(format!("create type s.pair as (a int, b {second})"));
        self.maybe(30, "comment on type s.mood is 'moods'");
        self.maybe(30, "create type s.span as range (subtype = float8)");
    }

    fn functions(&mut self) {
        let result = self.pick(&["int", "int", "bigint"]);
        let body = self.pick(&["select $1 * 2", "select $1 + $1"]);
        self.add(format!("create function s.twice(int) returns {result} immutable language sql as '{body}'"));
        // A table's owner calls it for an index.
        self.add("grant execute on function s.twice(int) to public");
        self.add("create function s.touch() returns trigger language plpgsql as 'begin return new; end'");
        if self.chance(60) {
            let argument = self.pick(&["x int", "y int", "x int, z text default 'q'"]);
            let kind = self.pick(&["stable", "volatile", "immutable security definer"]);
            self.add(format!("create function s.other({argument}) returns s.mood {kind} language sql as $f$ select 'a'::s.mood $f$"));
        }
        self.maybe(40, "create procedure s.run(inout a int) language plpgsql as 'begin a := 1; end'");
        self.maybe(30, "create aggregate s.total(int) (sfunc = int4pl, stype = int, initcond = '0')");
        self.maybe(30, "grant execute on function s.twice(int) to diff_r2 with grant option");
        self.maybe(30, "revoke execute on function s.touch() from public");
    }

    fn table(&mut self, n: usize) {
        let name = format!("t{n}");
        let mut all = vec!["n", "s", "d", "m", "ms", "p", "b", "j", "k"];
        all.shuffle(&mut self.rng);
        all.truncate(self.rng.random_range(3..=7));
        let id = self.pick(&[
            "id int primary key",
            "id bigint primary key",
            "id bigint generated always as identity primary key",
            "id int generated by default as identity (start 10 increment 5) primary key",
            "id serial primary key",
        ]);
        let mut lines = vec![id.to_owned()];
        for column in &all {
            let r#type = self.pick(types(column));
            let mut line = format!("{column} {type}");
            let defaults = default(column);
            if !defaults.is_empty() && self.chance(50) {
                line.push_str(&format!(" default {}", self.pick(defaults)));
                if self.chance(50) {
                    line.push_str(" not null");
                }
            }
            lines.push(line);
        }
        if self.chance(40) {
            let expression = self.pick(&["id * 2", "id * 3"]);
            lines.push(format!("g bigint generated always as ({expression}) stored"));
        }
        let options = self.pick(&[
            "",
            "",
            " with (fillfactor = 70)",
            " with (fillfactor = 80, autovacuum_enabled = off)",
        ]);
        self.add(format!("create table s.{name} ({}){options}", lines.join(", ")));
        let values: Vec<&str> = all.iter().map(|it| value(it)).collect();
        self.rows.push(format!(
            "insert into s.{name} (id, {}) overriding system value select i, {} from generate_series(1, 3) i",
            all.join(", "),
            values.join(", ")
        ));
        self.on_table(&name, &all);
        self.tables.push(Table { name, columns: all, partitioned: false });
    }

    fn on_table(&mut self, name: &str, columns: &[&'static str]) {
        let has = |it: &str| columns.contains(&it);
        if has("n") {
            let bound = self.rng.random_range(0..3);
            self.maybe(50, format!("alter table s.{name} add constraint low check (n > {bound})"));
            self.maybe(
                30,
                format!("create index {name}_twice on s.{name} (s.twice(n::int)) where n > {bound}"),
            );
            self.maybe(20, format!("alter table s.{name} add constraint loose check (n < 100) not valid"));
        }
        if has("s") {
            self.maybe(40, format!("alter table s.{name} add constraint {name}_s unique (s, id)"));
            self.maybe(40, format!("create index {name}_low on s.{name} (lower(s))"));
        }
        if has("d") && has("n") {
            let order = self.pick(&["", " desc"]);
            self.maybe(50, format!("create index {name}_dn on s.{name} (d{order}, n)"));
            self.maybe(20, format!("create statistics s.{name}_st on d, n from s.{name}"));
        }
        if has("m") {
            self.maybe(30, format!("create index {name}_m on s.{name} (m)"));
        }
        let column = *columns.choose(&mut self.rng).unwrap();
        self.maybe(40, format!("comment on column s.{name}.{column} is 'it''s {column}'"));
        self.maybe(40, format!("comment on table s.{name} is 'table {name}'"));
        self.maybe(30, format!("grant select, insert on s.{name} to diff_r1"));
        self.maybe(30, format!("grant update ({column}), select ({column}) on s.{name} to \"Diff R3\""));
        self.maybe(20, format!("alter table s.{name} alter {column} set statistics 300"));
        self.maybe(15, format!("alter table s.{name} replica identity full"));
        if self.chance(50) {
            self.add(format!("alter table s.{name} enable row level security"));
            let using = if has("b") && self.chance(50) { "b" } else { "id > 0" };
            let command = self.pick(&["", " for select", " for update"]);
            let role = self.pick(&["public", "diff_r1"]);
            self.add(format!("create policy own on s.{name}{command} to {role} using ({using})"));
        }
        if self.chance(50) {
            let event = self.pick(&["insert", "update", "insert or update of id"]);
            self.add(format!(
                "create trigger touch before {event} on s.{name} for each row execute function s.touch()"
            ));
            self.maybe(30, format!("alter table s.{name} disable trigger touch"));
        }
        self.maybe(20, format!("alter table s.{name} owner to diff_r2"));
    }

    fn partitions(&mut self) {
        if self.chance(40) {
            return;
        }
        self.add("create table s.parts (id int not null, at int not null, v text) partition by range (at)");
        self.maybe(50, "alter table s.parts add constraint parts_pk primary key (id, at)");
        self.maybe(50, "create index parts_v on s.parts (v)");
        self.add("create table s.parts_a (id int not null, at int not null, v text)");
        if self.chance(70) {
            self.add("alter table s.parts attach partition s.parts_a for values from (0) to (10)");
        }
        let end = self.pick(&["20", "30"]);
        self.maybe(
            60,
            format!("create table s.parts_b partition of s.parts for values from (10) to ({end})"),
        );
        self.rows.push("insert into s.parts_a values (1, 1, 'x'), (2, 2, 'y')".to_owned());
        self.tables.push(Table { name: "parts".to_owned(), columns: vec!["s"], partitioned: true });
    }

    fn between_tables(&mut self) {
        let tables: Vec<String> =
            self.tables.iter().filter(|it| !it.partitioned).map(|it| it.name.clone()).collect();
        for name in &tables {
            let other = tables.choose(&mut self.rng).unwrap().clone();
            if self.chance(50) {
                let action = self.pick(&["", " on delete cascade", " deferrable initially deferred"]);
                self.add(format!("alter table s.{name} add column ref bigint"));
                self.add(format!("alter table s.{name} add constraint ref foreign key (ref) references s.{other} (id){action}"));
                self.maybe(50, format!("create index {name}_ref on s.{name} (ref)"));
            }
        }
    }

    fn views(&mut self) {
        let tables = self.tables.clone();
        for (n, table) in tables.iter().enumerate().filter(|(_, it)| !it.partitioned) {
            if !self.chance(70) {
                continue;
            }
            let mut columns = table.columns.clone();
            columns.retain(|_| self.rng.random_bool(0.6));
            let list: String = columns.iter().map(|it| format!(", {it}")).collect();
            let options = self.pick(&["", " with (security_invoker = true)", " with (security_barrier)"]);
            self.add(format!("create view s.v{n}{options} as select id{list} from s.{}", table.name));
            self.maybe(40, format!("grant select on s.v{n} to diff_r1"));
            self.maybe(30, format!("comment on view s.v{n} is 'view'"));
            if self.chance(50) {
                self.add(format!("create view s.w{n} as select count(*) as c, max(id) as top from s.v{n}"));
            }
            if self.chance(40) {
                self.add(format!(
                    "create materialized view s.mv{n} as select id, s.twice(id::int) as t from s.v{n}"
                ));
                self.maybe(60, format!("create unique index mv{n}_id on s.mv{n} (id)"));
            }
            if self.chance(30) {
                self.add(format!("create function s.rows{n}() returns setof s.v{n} language sql stable as 'select * from s.v{n}'"));
            }
        }
    }

    fn rest(&mut self) {
        let step = self.pick(&["1", "2 minvalue 1 maxvalue 900 cycle", "-1"]);
        self.maybe(60, format!("create sequence s.q increment {step}"));
        let events = self.pick(&["insert", "insert, update"]);
        if self.chance(50) {
            self.add(format!("create publication pub with (publish = '{events}')"));
            for table in self.tables.clone() {
                self.maybe(50, format!("alter publication pub add table only s.{}", table.name));
            }
        }
        self.maybe(40, "create function s.ddl() returns event_trigger language plpgsql as 'begin null; end'; create event trigger on_ddl on ddl_command_end execute function s.ddl()");
        self.maybe(30, "grant usage on schema s to diff_r1");
    }
}
