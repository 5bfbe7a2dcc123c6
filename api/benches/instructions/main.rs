//! `cargo xtask bench instructions`: what parsing, planning and writing a statement cost, in instructions.
//!
//! Unlike time, instructions do not depend on who else uses the machine, so that small changes show. Each case is run
//! under `valgrind --tool=callgrind` a few and then many times; the difference over the difference in number leaves out
//! what starting costs. The requests go over the schema of the tests.

#[path = "../../tests/it/fixture.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "shared with the tests, which use all of it")]
mod fixture;
#[path = "../../tests/it/support.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "shared with the tests, which use all of it")]
mod support;

use std::hint::black_box;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use api::api_request::{ApiRequest, preferences};
use api::pipeline::plans::PlanCache;
use api::plan::action_plan;
use bytes::Bytes;
use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Name, request, body; whether the plan is used again.
const CASES: [(&str, &str, &str, bool); 8] = [
    ("point", "GET /clients?id=eq.1&select=id,name", "", false),
    ("point, again", "GET /clients?id=eq.1&select=id,name", "", true),
    ("list", "GET /projects?id=gt.1&order=id&limit=100&select=id,name,client_id", "", false),
    ("embed", "GET /projects?id=eq.1&select=id,name,clients(id,name)", "", false),
    ("embed, again", "GET /projects?id=eq.1&select=id,name,clients(id,name)", "", true),
    ("function", "GET /rpc/add_them?a=1&b=2", "", false),
    ("insert", "POST /clients", "{\"id\":1,\"name\":\"a\"}", false),
    ("insert, again", "POST /clients", "{\"id\":1,\"name\":\"a\"}", true),
];

const FEW: u64 = 20;
const MANY: u64 = 220;

/// Counts the instructions of parse, plan and sql.
#[derive(Debug, Parser)]
struct Options {
    /// Only cases whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// Write the figures here as JSON
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench-instructions.json"))]
    json: PathBuf,
    /// What the counted process does: the case with this number, so many times
    #[arg(long, hide = true, num_args = 2)]
    run: Option<Vec<u64>>,
    /// Given by cargo to every bench target; without meaning here
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    if let Some([case, times]) = options.run.as_deref() {
        let case = usize::try_from(*case).ok().and_then(|it| CASES.get(it)).context("find the case")?;
        return work(case, *times);
    }
    let mut figures = serde_json::Map::new();
    for (index, (name, ..)) in CASES.iter().enumerate() {
        if options.only.as_deref().is_none_or(|part| name.contains(part)) {
            let each = (count(index, MANY)? - count(index, FEW)?) / (MANY - FEW);
            print(&format!("{name:<14} {each:>9} instructions"));
            figures.insert((*name).to_owned(), each.into());
        }
    }
    if let Some(folder) = options.json.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    std::fs::write(&options.json, serde_json::to_string_pretty(&figures)?)
        .with_context(|| format!("write {}", options.json.display()))
}

/// Does a case's work so many times.
fn work((_, request, body, again): &(&str, &str, &str, bool), times: u64) -> Result<()> {
    let (conf, cache) = (Arc::new(fixture::conf()), Arc::new(fixture::cache()));
    let (method, target) = request.split_once(' ').context("read the request")?;
    let builder = http::Request::builder().method(method).uri(target).header("accept", "application/json");
    let (head, ()) = builder.body(())?.into_parts();
    let plans = PlanCache::default();
    for _ in 0..times {
        let body = Bytes::copy_from_slice(body.as_bytes());
        if *again && let Some(replay) = plans.replay(&conf, &cache, black_box(&head), black_box(&body)) {
            black_box(replay);
            continue;
        }
        let preferences = preferences::from_headers(&conf, black_box(&head.headers));
        let request = ApiRequest::from_http(&conf, preferences, &head, body).ok().context("parse")?;
        let plan = action_plan(&conf, &request, &cache).ok().context("plan")?;
        black_box(fixture::main_query_of(&plan, &conf, &request));
    }
    Ok(())
}

/// Instructions of a process that does a case's work so many times.
fn count(case: usize, times: u64) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["--run", &case.to_string(), &times.to_string()])
        .output()
        .context("run valgrind; it is a package of that name on most systems")?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("the counted process failed:\n{text}");
    }
    let collected = text.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    collected.context("read what valgrind collected")
}

#[expect(clippy::print_stdout, reason = "the figures are this program's data")]
fn print(line: &str) {
    println!("{line}");
}
