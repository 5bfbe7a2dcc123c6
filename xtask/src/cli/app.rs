//! Options of what is done with an application: `new`, `db …`, `token`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use local_stack::token::{self, Claim};

use super::StackName;

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// Folder to create, anywhere; if it exists, it must be empty
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// Role that the request runs as
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: String,
    /// A claim: NAME=TEXT, or NAME:=JSON for a number, a list, an object; repeatable
    #[arg(long, value_name = "NAME=TEXT", value_parser = token::parse_claim)]
    pub(crate) claim: Vec<Claim>,
    /// How long it is valid: a number with s, m, h or d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = token::parse_ttl)]
    pub(crate) ttl: Duration,
    #[command(flatten)]
    pub(crate) stack: StackName,
}

#[derive(Debug, Args)]
pub(crate) struct DbArgs {
    #[command(subcommand)]
    pub(crate) command: DbCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Write an empty migration, named by the clock, and print its path
    #[command(
        after_help = "Examples:\n  cargo xtask db new add_price\n  cargo xtask db new orders --target origin"
    )]
    New(DbNewArgs),
    /// Apply what is due: the origin, its tables as foreign tables, then the custom database
    #[command(after_help = "Examples:\n  cargo xtask db migrate --dry-run\n  cargo xtask db migrate")]
    Migrate(DbMigrateArgs),
    /// Show what is applied where, and what changed since it was applied
    #[command(after_help = "Example:\n  cargo xtask db status --json")]
    Status(DbStatusArgs),
    /// Print the SQL by which a database built from the migrations becomes the running one
    #[command(
        after_help = "Examples:\n  cargo xtask db diff\n  cargo xtask db diff --write add_price\n  cargo xtask db diff --target origin --write orders"
    )]
    Diff(DbDiffArgs),
    /// Find migrations that lock or rewrite large tables, and schemas that leak; docs/lint.md has the rules
    #[command(
        after_help = "Examples:\n  cargo xtask db lint\n  cargo xtask db lint --json | jq -r '.[].code'"
    )]
    Lint(DbLintArgs),
    /// Print types of what the API serves: TypeScript, Rust, Python or OpenAPI
    #[command(
        after_help = "Examples:\n  cargo xtask db types --lang typescript --out src/database.ts\n  cargo xtask db types --lang python --pydantic"
    )]
    Types(DbTypesArgs),
    /// Rebuild the local databases from migrations and seed
    #[command(after_help = "Example:\n  cargo xtask db reset --yes")]
    Reset(DbResetArgs),
    /// Run tests/*.sql on a database made from migrations and seed
    #[command(after_help = "Examples:\n  cargo xtask db test\n  cargo xtask db test notes")]
    Test(DbTestArgs),
    /// Print which role may do what with which relation, or compare it with tests/policies.txt
    #[command(after_help = "Examples:\n  cargo xtask db policies\n  cargo xtask db policies --check")]
    Policies(DbPoliciesArgs),
}

/// Which stack, and which application.
#[derive(Debug, Args)]
pub(crate) struct AppArgs {
    #[command(flatten)]
    pub(crate) stack: StackName,
    /// Folder of the application [default: the one that the stack was started with]
    #[arg(long, value_name = "DIR")]
    pub(crate) app: Option<PathBuf>,
}

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TargetArg {
    /// The system of record
    Origin,
    /// The database that is served
    Custom,
    /// The database of the serverless deployment
    Aurora,
}

#[derive(Debug, Args)]
pub(crate) struct DbNewArgs {
    /// What it does, in words
    #[arg(value_name = "WORDS")]
    pub(crate) words: String,
    /// For which database
    #[arg(long, value_enum, default_value = "custom")]
    pub(crate) target: TargetArg,
    #[command(flatten)]
    pub(crate) app: AppArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DbMigrateArgs {
    /// List the files that would be applied, and apply nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Apply a file that is older than one that was applied
    #[arg(long)]
    pub(crate) out_of_order: bool,
    #[command(flatten)]
    pub(crate) app: AppArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DbStatusArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) app: AppArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DbDiffArgs {
    /// Which database
    #[arg(long, value_enum, default_value = "custom")]
    pub(crate) target: TargetArg,
    /// Write it as migrations of this name, and record them as applied in the running database
    #[arg(long, value_name = "NAME")]
    pub(crate) write: Option<String>,
    #[command(flatten)]
    pub(crate) app: AppArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DbLintArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) app: AppArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DbTypesArgs {
    /// Language of the types
    #[arg(long, value_name = "LANG")]
    pub(crate) lang: TypesLanguage,
    /// With python: pydantic models, which validate their input
    #[arg(long)]
    pub(crate) pydantic: bool,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) app: AppArgs,
}

/// A language that types are printed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TypesLanguage {
    /// The `Database` type that postgrest-js takes
    Typescript,
    /// Structs and enums; needs serde and `serde_json`
    Rust,
    /// `TypedDict` and `Literal`, standard library only
    Python,
    /// An OpenAPI 3.1 document
    Openapi,
}

impl TypesLanguage {
    /// What the server's program calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Typescript => "typescript",
            Self::Rust => "rust",
            Self::Python => "python",
            Self::Openapi => "openapi",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct DbResetArgs {
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) app: AppArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DbTestArgs {
    /// Only files whose name contains this
    pub(crate) filter: Option<String>,
    #[command(flatten)]
    pub(crate) app: AppArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DbPoliciesArgs {
    /// Compare with tests/policies.txt, and fail where it differs
    #[arg(long)]
    pub(crate) check: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "check")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) app: AppArgs,
}
