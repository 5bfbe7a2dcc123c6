//! `cargo xtask token`: a token for the local stack.

use std::process::ExitCode;

use anyhow::Result;
use local_stack::token;

use crate::cli::TokenArgs;
use crate::{local, output};

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
