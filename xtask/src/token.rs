//! `cargo xtask token`: a token for the local stack.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use local_stack::token::{self, Claim};

use crate::cli::StackName;
use crate::{local, output};

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// Role that the request runs as
    #[arg(long, value_name = "ROLE")]
    role: String,
    /// A claim: NAME=TEXT, or NAME:=JSON for a number, a list, an object; repeatable
    #[arg(long, value_name = "NAME=TEXT", value_parser = token::parse_claim)]
    claim: Vec<Claim>,
    /// How long it is good: a number with s, m, h or d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = token::parse_ttl)]
    ttl: Duration,
    #[command(flatten)]
    stack: StackName,
}

pub(crate) fn run(args: &TokenArgs) -> Result<ExitCode> {
    let stack = local::open_stack(&args.stack)?;
    let secret = stack.jwt_secret()?;
    output::data(&token::sign(&args.role, &args.claim, args.ttl, jiff::Timestamp::now(), &secret));
    local::run(async {
        // The server may be down: then there is nobody to ask, and the token is as good.
        if let Ok(false) = stack.may_become(&args.role).await {
            output::note(&format!(
                "The REST server may not become \"{}\": `grant {} to authenticator` lets it.",
                args.role, args.role
            ));
        }
        Ok(())
    })
}
