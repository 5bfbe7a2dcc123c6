//! `cargo xtask new DIR`: an application to begin with.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use app_folder::skeleton;
use clap::Args;

use crate::output;

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// Folder to make; it may be anywhere, and has to be empty where it exists
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) fn run(args: &NewArgs) -> Result<ExitCode> {
    let files = skeleton::create(&args.dir, jiff::Timestamp::now())?;
    let dir = args.dir.display().to_string();
    for file in files {
        output::data(&format!("{dir}/{file}"));
    }
    // A shell's word where the path is none by itself.
    let is_plain = dir.chars().all(|it| it.is_alphanumeric() || "/._-~".contains(it));
    let word = if is_plain { dir } else { format!("'{}'", dir.replace('\'', r"'\''")) };
    output::note(&format!(
        "\nNext:\n  cargo xtask up --app {word} --watch   start it; what you save is applied\n  \
         cargo xtask db new WORDS              a new migration\n  \
         cargo xtask db test                   run tests/*.sql\n  \
         curl localhost:3000/notes             what everybody may read"
    ));
    Ok(ExitCode::SUCCESS)
}
