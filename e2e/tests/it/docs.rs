//! The examples of `docs/api.md`, run as a reader would run them.
//!
//! `UPDATE_DOCS=1` writes the answers into the page; otherwise they must be there already.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use e2e::api_server::ApiServer;
use local_stack::testing::TestCluster;
use tokio::process::Command;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join("docs")
}

/// What the local stack sets up for `web_anon`, as far as the examples need it.
const ROLES: &str = "
    CREATE ROLE web_anon NOLOGIN;
    CREATE ROLE authenticator LOGIN NOINHERIT PASSWORD 'docs';
    GRANT web_anon TO authenticator;
";

#[tokio::test]
async fn examples_of_the_api_page_answer_as_printed() -> Result<()> {
    let cluster = TestCluster::start().await?;
    let db = cluster.create_db(None).await?;
    let client = db.connect().await?;
    client.batch_execute(ROLES).await?;
    client.batch_execute(&std::fs::read_to_string(docs().join("examples").join("films.sql"))?).await?;
    let server = cluster.server();
    let uri = format!("postgres://authenticator:docs@{}:{}/{}", server.host(), server.port(), db.name());
    let api =
        ApiServer::start(&[("DB_URI", &uri), ("DB_SCHEMAS", "public"), ("DB_ANON_ROLE", "web_anon")]).await?;

    let path = docs().join("api.md");
    let page = std::fs::read_to_string(&path).context("read the page")?;
    let (answered, n_examples) = answer_examples(&page, api.base_url()).await?;
    ensure!(n_examples >= 25, "only {n_examples} examples were found");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, answered)?;
        return Ok(());
    }
    for (number, (printed, now)) in page.lines().zip(answered.lines()).enumerate() {
        ensure!(
            printed == now,
            "docs/api.md:{}: says\n  {printed}\nbut it is now\n  {now}\nIf that is right, run the tests with UPDATE_DOCS=1.",
            number + 1
        );
    }
    ensure!(
        page.lines().count() == answered.lines().count(),
        "docs/api.md: an answer has more or fewer lines than printed"
    );
    Ok(())
}

/// The page with each example's answer written under its command, and how many examples there were.
async fn answer_examples(page: &str, base_url: &str) -> Result<(String, usize)> {
    let mut text = String::new();
    let mut n_examples = 0;
    let mut lines = page.lines().peekable();
    let mut is_console = false;
    while let Some(line) = lines.next() {
        if !is_console || line == "```" {
            is_console = line == "```console";
            text.push_str(line);
            text.push('\n');
            continue;
        }
        let Some(first) = line.strip_prefix("$ ") else { continue };
        n_examples += 1;
        let mut command = first.to_owned();
        writeln!(text, "{line}")?;
        // An open quote goes on in the next line, as in a shell.
        while command.matches('\'').count() % 2 == 1 {
            let next = lines.next().context("close the quote")?;
            command.push('\n');
            command.push_str(next);
            writeln!(text, "{next}")?;
        }
        let answer = run(&command, base_url).await?;
        writeln!(text, "{}", answer.trim_end())?;
    }
    Ok((text, n_examples))
}

async fn run(command: &str, base_url: &str) -> Result<String> {
    let command =
        command.replace("localhost:3000", base_url).replacen("curl ", "curl --silent --show-error ", 1);
    let output = Command::new("sh").args(["-c", &command]).output().await.context("run a shell")?;
    ensure!(output.status.success(), "{command}\nfailed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.replace('\r', ""))
}
