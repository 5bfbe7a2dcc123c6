//! Prints the migrations that lead from one database to another: `cargo run --example between -- URL URL`.
#![allow(clippy::print_stdout, reason = "it prints")]

use schema_diff::{Catalog, Scope, difference, migrations, read};
use tokio_postgres::NoTls;

async fn catalog(url: &str) -> Result<Catalog, Box<dyn std::error::Error>> {
    let (mut client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async { drop(connection.await) });
    Ok(read(&mut client, &Scope::default()).await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut urls = std::env::args().skip(1);
    let (Some(from), Some(to)) = (urls.next(), urls.next()) else {
        return Err("say the URLs of two databases".into());
    };
    let (from, to) = (catalog(&from).await?, catalog(&to).await?);
    for migration in migrations(&difference(&from, &to)) {
        println!("-- migration{}\n{}", migration.stage.suffix(), migration.sql);
    }
    Ok(())
}
