//! The command line: one table of commands, from which the help is made.

mod app;

use clap::builder::PossibleValuesParser;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

use crate::forward::FORWARDED;
use crate::lambda::LambdaArgs;
use crate::tf::TfArgs;

pub(crate) use app::{
    AppArgs, DbArgs, DbCommand, DbDiffArgs, DbLintArgs, DbMigrateArgs, DbNewArgs, DbPoliciesArgs,
    DbResetArgs, DbStatusArgs, DbTestArgs, DbTypesArgs, NewArgs, TargetArg, TokenArgs,
};

/// Drives the local stack, the deployments and the project's own checks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, disable_help_subcommand = true)]
#[command(override_help = overview())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The headings of the overview, in order.
const HEADINGS: &[&str] =
    &["application", "local", "hybrid (CloudFormation)", "serverless (Terraform)", "both", "project"];

/// What is answered here: heading, then (command, one line). What others answer is in [`FORWARDED`].
const GROUPS: &[(&str, &[(&str, &str)])] = &[
    (
        "application",
        &[
            ("new DIR", "a folder with a schema, a seed and a test that work; says what to type next"),
            ("db new|migrate|status|reset", "its migrations: write, apply, show; databases anew"),
            ("db diff [--write NAME]", "what was changed by hand, as migrations"),
            ("db lint", "migrations that lock or rewrite large tables, schemas that leak"),
            ("db types --lang LANG", "types of what the API serves; --out FILE"),
            ("db test|policies", "its tests; which role may do what, and whether that is as committed"),
            ("token --role ROLE", "a token for the local stack"),
        ],
    ),
    (
        "local",
        &[
            (
                "up [--app DIR] [--watch]",
                "start origin Postgres, custom Postgres and the REST server; return when healthy",
            ),
            ("down [--volumes]", "stop them; with --volumes also remove their data"),
            ("status", "what runs, where, and its state; exit code 1 when something failed"),
            ("stacks --local", "every local stack of this checkout"),
            ("logs [SERVICE] [-f]", "print or follow logs; --tail N, --since 5m"),
            ("psql origin|custom [-- ARGS]", "open psql on one of the databases"),
            ("fdw import", "bring the foreign tables in step with the origin"),
            ("open [animals]", "open the API, or the animals app, in the browser"),
            ("publish customdb|api", "build an image, look for secrets, push it, print its digest"),
        ],
    ),
    (
        "serverless (Terraform)",
        &[
            ("lambda build", "build the zip of the functions that Terraform deploys"),
            ("tf backend|init|plan|apply|…", "the deployment through Terraform; `tf --help` lists all of it"),
        ],
    ),
    (
        "project",
        &[
            ("ci", "the whole gate: format, lints, docs, tests, conformance"),
            ("test", "the tests only"),
            ("bench [instructions]", "our server against a hand-written one and pgbench"),
            ("codegen [--check]", "write the pages made from tables in the code, or check them"),
            ("doctor", "what this machine has, what is missing, and how to get it"),
            ("completions bash|zsh|fish", "print a script with which a shell completes commands and options"),
            ("help [COMMAND]", "this overview, or a command's options with an example"),
        ],
    ),
];

/// All commands, grouped.
pub(crate) fn overview() -> String {
    use std::fmt::Write as _;
    let mut text = String::from(
        "A Postgres database is the application; this tool drives it.\n\nUsage: cargo xtask COMMAND [OPTIONS]\n",
    );
    for heading in HEADINGS {
        let own = GROUPS.iter().filter(|(group, _)| group == heading).flat_map(|(_, it)| it.iter().copied());
        let forwarded = FORWARDED.iter().filter(|it| it.group == *heading).map(|it| (it.usage, it.what));
        let mut commands = own.chain(forwarded).peekable();
        if commands.peek().is_some() {
            let _ = writeln!(text, "\n{heading}:");
        }
        for (command, what) in commands {
            let _ = writeln!(text, "  {command:<30} {what}");
        }
    }
    text.push_str("\n`cargo xtask COMMAND --help` shows a command's options with an example.\n");
    text
}

/// The commands as they are typed: those answered here, and by name those that other programs answer, so that a
/// misspelled one gets a suggestion.
pub(crate) fn command() -> clap::Command {
    let mut command = Cli::command();
    for forwarded in FORWARDED {
        let name = forwarded.words[0];
        if command.find_subcommand(name).is_none() {
            let arguments =
                clap::Arg::new("arguments").num_args(0..).trailing_var_arg(true).allow_hyphen_values(true);
            command = command.subcommand(clap::Command::new(name).about(forwarded.what).arg(arguments));
        }
    }
    command
}

/// The same for a shell that completes them, under the name of the program that it takes them for.
pub(crate) fn completed(program: &'static str) -> clap::Command {
    let databases =
        |word: &'static str| FORWARDED.iter().filter_map(move |it| it.words.strip_prefix(&[word])?.first());
    let own = DatabaseArg::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    let all = own.chain(databases("psql").map(clap::builder::PossibleValue::new)).collect::<Vec<_>>();
    let parser = PossibleValuesParser::new(all);
    command().name(program).bin_name(program).mut_subcommand("psql", |psql| {
        // An argument that is changed goes to the end, so places are stated.
        psql.mut_arg("database", |it| it.value_parser(parser).index(1)).mut_arg("args", |it| it.index(2))
    })
}

/// Every command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create an application folder that works right away
    #[command(after_help = "Example:\n  cargo xtask new ../shop\n  cargo xtask up --app ../shop --watch")]
    New(NewArgs),
    /// Work with the application's databases
    #[command(
        after_help = "Examples:\n  cargo xtask db new add_price\n  cargo xtask db migrate\n  cargo xtask db status"
    )]
    Db(DbArgs),
    /// Print a token for the local stack
    #[command(
        after_help = "Examples:\n  cargo xtask token --role member --claim sub=ann\n  curl localhost:3000/notes -H \"Authorization: Bearer $(cargo xtask token --role member --claim sub=ann)\""
    )]
    Token(TokenArgs),
    /// Start the local stack and return when it is healthy
    #[command(
        after_help = "Example:\n  cargo xtask up\n  cargo xtask up --app ../shop --watch\n  cargo xtask up --animals\n  cargo xtask up --name two --api-port 3001 --origin-port 54331 --custom-port 54332\n\nA stack remembers its settings until `down --volumes`: `cargo xtask up --name two` starts it again as it was.\nFlags go before --set, that before the file, and the file before what is remembered.\nKeys of the file: docs/local-stack.md, or any --set with a wrong one."
    )]
    Up(UpArgs),
    /// Stop the local stack; data stays unless --volumes is given
    #[command(after_help = "Example:\n  cargo xtask down\n  cargo xtask down --volumes")]
    Down(DownArgs),
    /// Show what runs, where, and its state
    #[command(
        after_help = "Example:\n  cargo xtask status\n  cargo xtask status --json | jq -r '.services[].url'"
    )]
    Status(StatusArgs),
    /// List the local stacks of this checkout
    #[command(after_help = "Example:\n  cargo xtask stacks --local")]
    Stacks(StacksArgs),
    /// Print or follow the services' logs
    #[command(
        after_help = "Example:\n  cargo xtask logs api -f\n  cargo xtask logs --tail 20\n  cargo xtask logs customdb --since 5m"
    )]
    Logs(LogsArgs),
    /// Open psql on one of the stack's databases
    #[command(
        after_help = "Example:\n  cargo xtask psql custom\n  cargo xtask psql origin -- -c 'select * from todos'\n\nDeployed databases: `cargo xtask psql rds|compute|aurora --help`."
    )]
    Psql(PsqlArgs),
    /// Work with the foreign tables of the custom database
    #[command(
        after_help = "Example:\n  cargo xtask fdw import\n  cargo xtask fdw import --json | jq .skipped"
    )]
    Fdw(FdwArgs),
    /// Open the API, or the animals app, in the browser
    #[command(after_help = "Example:\n  cargo xtask open")]
    Open(OpenArgs),
    /// Build an image, look for secrets in it, push it, print its digest
    #[command(
        after_help = "Examples:\n  cargo xtask publish api --dry-run\n  cargo xtask publish customdb --app ../shop --dry-run\n  cargo xtask publish customdb --registry 123456789012.dkr.ecr.us-east-1.amazonaws.com\n  cargo xtask publish api --registry ghcr.io/me --tag 0.1.0 --join 0.1.0-amd64 --join 0.1.0-arm64\n\nECR is logged in to with the AWS command line. Elsewhere `docker login` counts, or --username with the password by stdin."
    )]
    Publish(PublishArgs),
    /// Build the artifact of the serverless deployment
    #[command(after_help = "Example:\n  cargo xtask lambda build\n  cargo xtask lambda build --arch arm64")]
    Lambda(LambdaArgs),
    /// Run the serverless deployment through Terraform
    #[command(
        after_help = "Example:\n  cargo xtask tf backend\n  cargo xtask tf init\n  cargo xtask tf plan\n  cargo xtask tf apply"
    )]
    Tf(TfArgs),
    /// Run the whole gate
    #[command(
        after_help = "Example:\n  cargo xtask ci\n  cargo xtask ci --only fmt --only clippy\n  cargo xtask ci --list"
    )]
    Ci(CiArgs),
    /// Run the tests
    #[command(after_help = "Example:\n  cargo xtask test\n  cargo xtask test -- -p bootstrap-sql")]
    Test(TestArgs),
    /// Compare the REST server with a hand-written one and with pgbench
    #[command(
        after_help = "Example:\n  cargo xtask bench\n  cargo xtask bench --seconds 1 --rounds 3 --only point\n  cargo xtask bench --scale\n  cargo xtask bench instructions"
    )]
    Bench(BenchArgs),
    /// Write the pages that are made from tables in the code
    #[command(after_help = "Example:\n  cargo xtask codegen\n  cargo xtask codegen --check")]
    Codegen(CodegenArgs),
    /// Check this machine: what is installed, what is missing, and how to get it
    #[command(after_help = "Example:\n  cargo xtask doctor")]
    Doctor(DoctorArgs),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  source <(cargo xtask completions bash)\n  cargo xtask completions zsh > \"${fpath[1]}/_cargo-xtask\"\n  cargo xtask completions fish > ~/.config/fish/conf.d/cargo-xtask.fish"
    )]
    Completions(CompletionsArgs),
    /// Show all commands, or a command's options with an example
    #[command(after_help = "Example:\n  cargo xtask help up")]
    Help(HelpArgs),
}

/// Which stack.
#[derive(Debug, Args)]
pub(crate) struct StackName {
    /// Name of the stack; several run side by side on different ports
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub(crate) name: String,
}

/// How services are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BackendArg {
    /// Native when server binaries are found, else Docker
    Auto,
    /// Server binaries of this machine
    Native,
    /// A Docker engine with Compose
    Docker,
}

/// An image of this project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImageArg {
    /// The custom database
    Customdb,
    /// The REST server
    Api,
}

#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// Which image
    #[arg(value_enum)]
    pub(crate) image: ImageArg,
    /// Application whose custom/packages.txt goes into customdb
    #[arg(long, value_name = "DIR")]
    pub(crate) app: Option<PathBuf>,
    /// Registry, with its folder if it has one
    #[arg(long, value_name = "HOST[/FOLDER]")]
    pub(crate) registry: Option<String>,
    /// Tag [default: the version of the workspace]
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// Build and look, but push nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Base image, preferably by digest; may be repeated
    #[arg(long, value_name = "ARGUMENT=IMAGE")]
    pub(crate) base: Vec<String>,
    /// Push an image whose base has no digest, because it was made on this machine
    #[arg(long)]
    pub(crate) allow_unpinned: bool,
    /// Push an image of uncommitted changes; its revision says so
    #[arg(long)]
    pub(crate) allow_dirty: bool,
    /// Cargo profile of the server
    #[arg(long, default_value = "release", value_name = "PROFILE")]
    pub(crate) cargo_profile: String,
    /// Log in with this name, and the password from stdin
    #[arg(long, value_name = "NAME")]
    pub(crate) username: Option<String>,
    /// Build nothing; join pushed tags, one per processor, into one tag; may be repeated
    #[arg(long, value_name = "TAG")]
    pub(crate) join: Vec<String>,
    /// Print JSON for programs
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) stack: StackName,
    /// Folder of the application [default: as before, else the sample examples/todos]
    #[arg(long, value_name = "DIR")]
    pub(crate) app: Option<PathBuf>,
    /// Keep running and apply what is saved in the application's folder, until Ctrl-C
    #[arg(long)]
    pub(crate) watch: bool,
    /// How the services are run [default: as before, else auto]
    #[arg(long, value_enum)]
    pub(crate) backend: Option<BackendArg>,
    /// Port of the REST server [default: as before, else 3000]
    #[arg(long, value_name = "PORT")]
    pub(crate) api_port: Option<u16>,
    /// Port of the REST server's admin endpoints (/live, /ready, /metrics) [default: as before, else no admin server]
    #[arg(long, value_name = "PORT")]
    pub(crate) admin_port: Option<u16>,
    /// Port of the origin Postgres [default: as before, else 54321]
    #[arg(long, value_name = "PORT")]
    pub(crate) origin_port: Option<u16>,
    /// Port of the custom Postgres [default: as before, else 54322]
    #[arg(long, value_name = "PORT")]
    pub(crate) custom_port: Option<u16>,
    /// Run the animals app of the serverless deployment too; once added, it stays part of the stack
    #[arg(long)]
    pub(crate) animals: bool,
    /// Port of the animals app [default: the one it had, else 3100]
    #[arg(long, value_name = "PORT", requires = "animals")]
    pub(crate) animals_port: Option<u16>,
    /// Take the animals app out of the stack again; its rows stay
    #[arg(long, conflicts_with_all = ["animals", "animals_port"])]
    pub(crate) no_animals: bool,
    /// Folder for the databases' files [default: as before, else .stack/NAME]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Leave out the FDW objects, to create them by hand; --bare=false adds them
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) bare: Option<bool>,
    /// Run an optimised build of the REST server; --release=false goes back to the quick build
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) release: Option<bool>,
    /// What requests without a token may do with what is in `public` [default: as before, else write]
    #[arg(long, value_enum, value_name = "RIGHTS")]
    pub(crate) anon: Option<AnonArg>,
    /// Settings file [default: pgapp.toml in this folder, where there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Override a setting of that file; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Print progress as JSON lines
    #[arg(long)]
    pub(crate) json: bool,
}

/// What requests without a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AnonArg {
    /// Read and write
    Write,
    /// Read, and call functions
    Read,
    /// Nothing, as on AWS
    None,
}

#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    #[command(flatten)]
    pub(crate) stack: StackName,
    /// Also remove the databases' files
    #[arg(long)]
    pub(crate) volumes: bool,
    /// Print progress as JSON lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) stack: StackName,
    /// Print JSON (with connection URLs, local password included)
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StacksArgs {
    /// The local stacks, instead of those of the hybrid deployment
    #[arg(long, required = true)]
    pub(crate) local: bool,
    /// Print JSON (with connection URLs, local password included)
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ServiceArg {
    /// The system of record
    Origindb,
    /// The database the API serves
    Customdb,
    /// The REST server
    Api,
    /// The animals app
    Animals,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// One service; all when left out
    #[arg(value_enum)]
    pub(crate) service: Option<ServiceArg>,
    #[command(flatten)]
    pub(crate) stack: StackName,
    /// Keep printing new lines
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Start with the last N lines of each service
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) tail: Option<usize>,
    /// Omit lines older than this: a duration (30s, 5m, 2h, 1d) or a time (2026-11-28T12:00:00Z)
    #[arg(long, value_name = "AGE|TIME")]
    pub(crate) since: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DatabaseArg {
    /// The system of record
    Origin,
    /// The database the API serves
    Custom,
}

#[derive(Debug, Args)]
pub(crate) struct PsqlArgs {
    /// Which database
    #[arg(value_enum)]
    pub(crate) database: DatabaseArg,
    #[command(flatten)]
    pub(crate) stack: StackName,
    /// Arguments for psql
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<std::ffi::OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct FdwArgs {
    #[command(subcommand)]
    pub(crate) command: FdwCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FdwCommand {
    /// Import the origin's tables, and update those already imported
    Import(FdwImportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct FdwImportArgs {
    #[command(flatten)]
    pub(crate) stack: StackName,
    /// Exit with 0 even if something could not be imported, or only in part
    #[arg(long)]
    pub(crate) allow_skipped: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OpenArg {
    /// The explorer of the REST server
    Api,
    /// The list of the animals app
    Animals,
}

#[derive(Debug, Args)]
pub(crate) struct OpenArgs {
    /// What to open
    #[arg(value_enum, default_value = "api")]
    pub(crate) what: OpenArg,
    #[command(flatten)]
    pub(crate) stack: StackName,
}

#[derive(Debug, Args)]
pub(crate) struct CiArgs {
    /// Run these steps only (repeatable)
    #[arg(long, value_name = "STEP")]
    pub(crate) only: Vec<String>,
    /// List the steps and stop
    #[arg(long)]
    pub(crate) list: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Arguments for the test runner
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<std::ffi::OsString>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    pub(crate) command: Option<BenchCommand>,
    #[command(flatten)]
    options: crate::bench_options::Options,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Count the instructions of parsing, planning and SQL (needs valgrind)
    #[command(
        after_help = "Example:\n  cargo xtask bench instructions\n  cargo xtask bench instructions -- --save-baseline=before"
    )]
    Instructions(InstructionsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct InstructionsArgs {
    /// Arguments for gungraun, which counts
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<std::ffi::OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct CodegenArgs {
    /// Write nothing; fail when a page is out of date
    #[arg(long)]
    pub(crate) check: bool,
}

/// A shell that completes what is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShellArg {
    /// Bash, from 4
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
}

impl From<ShellArg> for clap_complete::Shell {
    fn from(shell: ShellArg) -> Self {
        match shell {
            ShellArg::Bash => Self::Bash,
            ShellArg::Zsh => Self::Zsh,
            ShellArg::Fish => Self::Fish,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    pub(crate) shell: ShellArg,
}

#[derive(Debug, Args)]
pub(crate) struct HelpArgs {
    /// The command; all when left out
    #[arg(value_name = "COMMAND", num_args = 0..)]
    command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Print findings as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_table_is_consistent() {
        command().debug_assert();
        completed("xtask").debug_assert();
    }

    #[test]
    fn overview_lists_every_command() {
        let listed: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, commands)| commands.iter())
            .filter_map(|(usage, _)| usage.split_whitespace().next())
            .collect();
        for command in Cli::command().get_subcommands() {
            assert!(listed.contains(&command.get_name()), "`{}` is not in the overview", command.get_name());
        }
        let listed: std::collections::BTreeSet<&str> = listed.into_iter().collect();
        assert_eq!(listed.len(), Cli::command().get_subcommands().count());
    }

    #[test]
    fn every_group_has_a_heading() {
        let own = GROUPS.iter().map(|(group, _)| *group);
        for group in own.chain(FORWARDED.iter().map(|it| it.group)) {
            assert!(HEADINGS.contains(&group), "`{group}` is not among the headings");
        }
    }

    #[test]
    fn every_command_shows_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(
                help.contains(&format!("cargo xtask {}", command.get_name())),
                "`{}` has no example",
                command.get_name()
            );
        }
    }

    #[test]
    fn flags_are_read_by_the_commands_that_document_them() {
        let lines = [
            "up --app examples/shop --watch",
            "logs api --follow",
            "ci --only tidy --list",
            "fdw import --allow-skipped",
            "publish api --cargo-profile release",
            "codegen --check",
            "token --role app_user --claim tenant=north --ttl 10m",
            "db diff --write add_prices",
            "db types --lang python --out types.py",
            "lambda build --snapshot snapshot.json",
            "tf init --bucket b --bucket-region eu-west-1 --bucket-key k",
        ];
        for line in lines {
            let words = std::iter::once("xtask").chain(line.split(' '));
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{line}: {error}");
            }
        }
    }
}
