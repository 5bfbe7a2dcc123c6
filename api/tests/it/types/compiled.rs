//! What is printed, compiled by the languages' own tools; real answers, read by it.
//!
//! A tool that is not on the machine is left out by name.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use api::types::{Flavour, Language};
use local_stack::testing::TestDb;
use serde_json::{Value, json};

use super::{database, left_out, types};

const SHOP: &str = include_str!("../fixtures/types.sql");
/// Relations, and the types of their rows.
const RELATIONS: [(&str, &str); 7] = [
    ("all_types", "AllTypes"),
    ("customers", "Customers"),
    ("odd names", "OddNames"),
    ("order_list", "OrderList"),
    ("orders", "Orders"),
    ("profiles", "Profiles"),
    ("sums", "Sums"),
];

/// The rows of each relation, as the server answers them, by the name of their type.
async fn answers(db: &TestDb) -> Value {
    let client = db.connect().await.unwrap();
    let mut answers = json!({});
    for (relation, ty) in RELATIONS {
        let sql = format!("SELECT json_agg(it)::text FROM (SELECT * FROM shop.\"{relation}\" ORDER BY 1) it");
        let rows: String = client.query_one(&sql, &[]).await.unwrap().get(0);
        answers[ty] = serde_json::from_str(&rows).unwrap();
    }
    answers
}

/// Runs a program; `None` where it is not on the machine.
fn run(program: &str, arguments: &[&str], folder: &Path, input: &str) -> Option<Output> {
    use std::io::Write as _;
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn assert_done(output: &Output) {
    assert!(output.status.success(), "{}", text(output));
}

const PYTHON: &str = r#"
import json, sys, typing
import database

def fits(value, hint):
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is typing.Any:
        return True
    if hint is None or hint is type(None):
        return value is None
    if origin is typing.Literal:
        return value in args
    if origin is typing.Union or type(hint).__name__ == "UnionType":
        return any(fits(value, it) for it in args)
    if typing.is_typeddict(hint):
        hints = typing.get_type_hints(hint)
        return isinstance(value, dict) and hints.keys() == value.keys() and all(fits(value[k], hints[k]) for k in hints)
    if origin in (list, dict):
        return isinstance(value, origin) and all(fits(it, args[0]) for it in value if origin is list)
    if hint is float:
        # Python has no type for the texts of what JSON has no number for.
        return type(value) in (int, float) or value in ("NaN", "Infinity", "-Infinity")
    return type(value) is hint

for name, rows in json.load(sys.stdin).items():
    hint = getattr(database, "Shop" + name)
    for row in rows:
        for key, it in typing.get_type_hints(hint).items():
            assert fits(row[key], it), (name, key, row[key], it)
        assert row.keys() == hint.__required_keys__, (name, row.keys() ^ hint.__required_keys__)
assert database.ShopOrdersInsert.__required_keys__ == {"customer_id", "total"}
assert database.ShopOrdersInsert.__optional_keys__ == {"status", "note", "hint", "weights", "board", "id", "colors"}
assert not database.ShopOrdersUpdate.__required_keys__
assert database.ShopAddArgs.__required_keys__ == {"a"}
assert not fits({"street": 1, "floors": None, "spot": None}, database.ShopAddress)
print("fits")
"#;

#[tokio::test]
async fn python_reads_real_answers() {
    let recent = "import sys; sys.exit(sys.version_info < (3, 11))";
    let folder = tempfile::tempdir().unwrap();
    let found = run("python3", &["-c", recent], folder.path(), "");
    if !found.is_some_and(|it| it.status.success()) {
        return left_out("python", "there is no python3 of 3.11 or later");
    }
    let db = database(SHOP).await;
    let plain = types(&db, &["shop"], Language::Python, Flavour::Plain).await;
    std::fs::write(folder.path().join("database.py"), plain).unwrap();
    let output = run("python3", &["-c", PYTHON], folder.path(), &answers(&db).await.to_string()).unwrap();
    assert_done(&output);
    assert_eq!(text(&output), "fits\n");
}

const PYDANTIC: &str = r#"
import json, sys
import database
for name, rows in json.load(sys.stdin).items():
    for row in rows:
        model = getattr(database, "Shop" + name).model_validate(row)
        assert model.model_dump(by_alias=True).keys() == row.keys()
update = database.ShopOrdersUpdate.model_validate({"note": None})
assert update.model_dump(exclude_unset=True, by_alias=True) == {"note": None}
"#;

#[tokio::test]
async fn pydantic_reads_real_answers() {
    let folder = tempfile::tempdir().unwrap();
    let found = run("python3", &["-c", "import pydantic; assert pydantic.VERSION >= '2'"], folder.path(), "");
    if !found.is_some_and(|it| it.status.success()) {
        return left_out("pydantic", "python3 has no pydantic 2");
    }
    let db = database(SHOP).await;
    let models = types(&db, &["shop"], Language::Python, Flavour::Pydantic).await;
    std::fs::write(folder.path().join("database.py"), models).unwrap();
    let output = run("python3", &["-c", PYDANTIC], folder.path(), &answers(&db).await.to_string()).unwrap();
    assert_done(&output);
}

const CARGO: &str = "[package]\nname = \"typed\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[dependencies]\n\
                     serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n[workspace]\n";

const RUST: &str = r##"
#![deny(warnings)]
#[deny(warnings)]
pub mod types;
use types::shop::*;

fn same<T: serde::de::DeserializeOwned + serde::Serialize>(all: &serde_json::Value, name: &str) {
    let rows: Vec<T> = serde_json::from_value(all[name].clone()).expect(name);
    for (before, after) in all[name].as_array().unwrap().iter().zip(&rows) {
        assert_eq!(*before, serde_json::to_value(after).unwrap(), "{name}");
    }
}

fn main() {
    let all: serde_json::Value = serde_json::from_reader(std::io::stdin()).unwrap();
    same::<AllTypes>(&all, "AllTypes");
    same::<Customers>(&all, "Customers");
    same::<OddNames>(&all, "OddNames");
    same::<OrderList>(&all, "OrderList");
    same::<Orders>(&all, "Orders");
    same::<Profiles>(&all, "Profiles");
    same::<Sums>(&all, "Sums");
    let parse = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert!(serde_json::from_value::<OrderStatus>(parse("\"lost\"")).is_err());
    assert_eq!(serde_json::from_value::<OrderStatus>(parse("\"don't know\"")).unwrap(), OrderStatus::DonTKnow);
    assert!(serde_json::from_value::<Orders>(parse("{\"customer_id\": 1}")).is_err());
    assert!(serde_json::from_value::<OrdersInsert>(parse("{\"customer_id\": 1}")).is_err());
    for text in [
        r#"{"customer_id":1,"total":7}"#, r#"{"customer_id":1,"hint":null,"total":7.5,"weights":null}"#,
        r#"{"customer_id":1,"status":"in transit","total":"NaN","weights":[1,null,0.5,"-Infinity"]}"#,
    ] {
        let insert: OrdersInsert = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(&insert).unwrap(), parse(text));
    }
    for text in [r#"{}"#, r#"{"note":null}"#, r#"{"weights":null}"#, r#"{"weights":[2]}"#] {
        let update: OrdersUpdate = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(&update).unwrap(), parse(text));
    }
    let update = CustomersUpdate { score: Some(f64::NAN), home: Some(None), ..CustomersUpdate::default() };
    assert_eq!(serde_json::to_value(&update).unwrap(), parse(r#"{"home":null,"score":"NaN"}"#));
    let arguments = AddArgs { a: 1, b: None };
    assert_eq!(serde_json::to_string(&arguments).unwrap(), r#"{"a":1}"#);
    let sum: AddReturns = 2;
    let other: Add2Check = String::new();
    let found: OrdersOfReturns = Vec::new();
    let pairs: PairsReturns = serde_json::from_str(r#"[{"i":1,"label":null}]"#).unwrap();
    assert_eq!((sum, other.len(), found.len(), pairs[0].i), (2, 0, 0, Some(1)));
    println!("fits");
}
type Add2Check = AddReturns2;
"##;

#[tokio::test]
async fn rust_reads_and_writes_real_answers() {
    let db = database(SHOP).await;
    let printed = types(&db, &["shop"], Language::Rust, Flavour::Plain).await;
    let folder = tempfile::tempdir().unwrap();
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    std::fs::copy(lock, folder.path().join("Cargo.lock")).unwrap();
    std::fs::create_dir(folder.path().join("src")).unwrap();
    for (name, text) in [("Cargo.toml", CARGO), ("src/main.rs", RUST), ("src/types.rs", &printed)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let target = concat!(env!("CARGO_TARGET_TMPDIR"), "/printed-types");
    let arguments = ["run", "--offline", "--quiet", "--target-dir", target];
    let output = run(env!("CARGO"), &arguments, folder.path(), &answers(&db).await.to_string()).unwrap();
    assert_done(&output);
    assert_eq!(text(&output), "fits\n");
}

const TYPESCRIPT: &str = r#"
import type { Database, Insert, Row } from "./database";
type Shop = Database["shop"];
type Rel = { foreignKeyName: string; columns: string[]; isOneToOne?: boolean; referencedRelation: string; referencedColumns: string[] };
type Table = { Row: Record<string, unknown>; Insert: Record<string, unknown>; Update: Record<string, unknown>; Relationships: Rel[] };
type View = Table | { Row: Record<string, unknown>; Relationships: Rel[] };
type Fn = { Args: Record<string, unknown> | never; Returns: unknown; SetofOptions?: { isSetofReturn?: boolean; isOneToOne?: boolean; to: string; from: string } };
type Schema = { Tables: Record<string, Table>; Views: Record<string, View>; Functions: Record<string, Fn> };
declare function from<S extends Schema, K extends string & keyof S["Tables"]>(k: K): { insert(v: S["Tables"][K]["Insert"]): void };
from<Shop, "orders">("orders").insert({ customer_id: 1, total: 2, note: null });
const order = {} as Row<"shop", "orders">;
const id: number = order.order_id; const note: string | null = order.note; const color: "red" | "self" | null | undefined = order.colors?.[0];
const status: Shop["Enums"]["order_status"] = order.status;
const board: ((number | null)[] | null)[] | null = order.board;
const insert: Insert<"shop", "odd names"> = { select: 1, type: "t", "a b": null, "1x": 1 };
const listed: { name: string; note: string | null } = {} as Shop["Views"]["order_list"]["Row"];
const n: number = ({} as Shop["Views"]["sums"]["Row"]).n ?? 0;
const either: Shop["Functions"]["add"]["Args"] = { a: 1 };
const both: { x: number | null; y: number | null } = {} as Shop["Functions"]["both"]["Returns"];
const embedded: "customers" = {} as Shop["Functions"]["recent"]["SetofOptions"]["from"];
const one: true = {} as Shop["Tables"]["profiles"]["Relationships"][number]["isOneToOne"];
const spot: number | null | undefined = ({} as Shop["CompositeTypes"]["address"]).spot?.x;
void [id, note, color, status, board, insert, listed, n, either, both, embedded, one, spot];
"#;

const NOT_TYPESCRIPT: [&str; 7] = [
    r#"const x: T["orders"]["Insert"] = { customer_id: 1 };"#,
    r#"const x: T["orders"]["Insert"] = { customer_id: 1, total: 1, order_id: 5 };"#,
    r#"const x: T["orders"]["Update"] = { twice: 5 };"#,
    r#"const x: T["orders"]["Update"] = { status: null };"#,
    r#"const x: string = ({} as T["orders"]["Row"]).note;"#,
    r#"const x = {} as Database["shop"]["Views"]["sums"]["Insert"];"#,
    r#"const x: Database["shop"]["Functions"]["set_status"]["Args"] = { order_no: 1, new_status: "lost" };"#,
];

#[tokio::test]
async fn typescript_compiles_and_refuses() {
    let folder = tempfile::tempdir().unwrap();
    if run("tsc", &["--version"], folder.path(), "").is_none() {
        return left_out("typescript", "there is no tsc; Debian has it as node-typescript");
    }
    let db = database(SHOP).await;
    let printed = types(&db, &["shop"], Language::Typescript, Flavour::Plain).await;
    let options =
        json!({ "strict": true, "noEmit": true, "target": "es2020", "lib": ["es2020"], "types": [] });
    let config = json!({ "compilerOptions": options, "include": ["*.ts"] }).to_string();
    for (name, text) in [("database.ts", &*printed), ("good.ts", TYPESCRIPT), ("tsconfig.json", &config)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    for (number, line) in NOT_TYPESCRIPT.iter().enumerate() {
        let head =
            "import type { Database } from \"./database\";\ntype T = Database[\"shop\"][\"Tables\"];\n";
        std::fs::write(folder.path().join(format!("bad{number}.ts")), format!("{head}{line}\nvoid x;\n"))
            .unwrap();
    }
    let said = text(&run("tsc", &["-p", "."], folder.path(), "").unwrap());
    let of = |file: &str| said.lines().filter(|it| it.starts_with(file)).collect::<Vec<_>>();
    assert!(of("database.ts").is_empty() && of("good.ts").is_empty(), "{said}");
    for (number, line) in NOT_TYPESCRIPT.iter().enumerate() {
        let errors = of(&format!("bad{number}.ts(3,"));
        assert!(!errors.is_empty(), "it compiles: {line}");
    }
}

#[tokio::test]
async fn openapi_describes_what_there_is() {
    let db = database(SHOP).await;
    let text = types(&db, &["shop"], Language::Openapi, Flavour::Plain).await;
    let document: Value = serde_json::from_str(&text).unwrap();
    let methods = |path: &str| {
        let methods = document["paths"][path].as_object().unwrap();
        methods.keys().map(String::as_str).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(methods("/orders"), "get post patch delete");
    assert_eq!(methods("/sums"), "get");
    assert_eq!(methods("/odd%20names"), "get post patch delete");
    assert_eq!(methods("/rpc/set_status"), "post");
    assert_eq!(methods("/rpc/add"), "post get");
    assert!(document["paths"].get("/rpc/recent").is_none(), "it has no name for its argument");
    // Every reference leads somewhere.
    let mut left = vec![&document];
    let mut references = 0;
    while let Some(value) = left.pop() {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(to)) = members.get("$ref") {
                    assert!(document.pointer(&to[1..]).is_some(), "{to}");
                    references += 1;
                }
                left.extend(members.values());
            }
            Value::Array(elements) => left.extend(elements),
            _ => {}
        }
    }
    assert!(references > 20);
}
