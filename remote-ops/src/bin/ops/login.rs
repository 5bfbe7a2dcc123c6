//! `login`: a session of the administrator role, by an MFA code.

use std::io::{BufRead, IsTerminal};

use anyhow::{Context, bail};
use aws_session::{
    cache::{self, Session},
    profile::{self, RoleProfile},
    program::{self, INTERRUPTED},
    sdk_config,
};
use clap::Args;
use deployment_outputs::Stacks;
use infra_cfn::catalog::DEFAULT_PREFIX;
use inquire::{InquireError, Text};
use remote_ops::login::{
    assume::{self, AssumeError},
    setup::{self, EnableError},
};

/// Exit code of what was refused at a prompt.
const REFUSED: u8 = 3;
/// How often a mistyped code is asked for again.
const ATTEMPTS: usize = 3;
/// The AWS CLI starts a new session when less than this is left; so does this command.
const ENOUGH_SECONDS: i64 = 15 * 60;

#[derive(Args)]
pub(crate) struct LoginArgs {
    /// Profile of ~/.aws/config with role_arn, source_profile and mfa_serial; the only one of its kind when left out
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The code; asked for when left out. It is worthless after 30 seconds, so it may stand on a command line
    #[arg(long, value_name = "DIGITS")]
    code: Option<String>,
    /// Print the session for a shell; it is a secret: eval "$(cargo xtask login --export)"
    #[arg(long)]
    export: bool,
    /// Start a new session though the kept one is good
    #[arg(long)]
    force: bool,
    /// Make an access key and a virtual MFA device for the user of the iam stack, and write the profiles
    #[arg(long, conflicts_with_all = ["profile", "code", "export", "force"])]
    setup_mfa: bool,
    /// Prefix of the stack names (with --setup-mfa)
    #[arg(long, default_value = DEFAULT_PREFIX)]
    prefix: String,
}

pub(crate) async fn run(args: LoginArgs) -> anyhow::Result<u8> {
    if args.setup_mfa {
        return set_up(&args.prefix).await;
    }
    let profile = profile::find(args.profile.as_deref()).await?;
    let path = cache::path(&profile).context("find ~/.aws: HOME is not set")?;
    let kept = cache::read(&path).filter(|it| !args.force && it.seconds_left() > ENOUGH_SECONDS);
    let session = match kept {
        Some(session) => session,
        None => {
            let session = match start(&profile, args.code.as_deref()).await? {
                Ok(session) => session,
                Err(code) => return Ok(code),
            };
            cache::write(&path, &session)?;
            session
        }
    };
    program::note(&format!(
        "session of {} until {}",
        profile.role_arn,
        session.expires.strftime("%Y-%m-%d %H:%M:%S UTC")
    ));
    if args.export {
        return export(&profile, &session).map(|()| 0);
    }
    program::note(&format!("use it with AWS_PROFILE={}", profile.name));
    Ok(0)
}

fn export(profile: &RoleProfile, session: &Session) -> anyhow::Result<()> {
    let mut pairs = vec![
        ("AWS_ACCESS_KEY_ID", session.access_key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", session.secret_access_key.expose()),
        ("AWS_SESSION_TOKEN", session.session_token.expose()),
    ];
    if let Some(region) = &profile.region {
        pairs.push(("AWS_REGION", region));
        pairs.push(("AWS_DEFAULT_REGION", region));
    }
    program::data(&program::exports(pairs))
}

/// Asks for the code until STS takes it, or gives up with an exit code.
async fn start(profile: &RoleProfile, given: Option<&str>) -> anyhow::Result<Result<Session, u8>> {
    let may_ask = given.is_none() && std::io::stdin().is_terminal();
    for attempt in 1.. {
        let code = match given {
            Some(code) => code.to_owned(),
            None => match ask(&format!("MFA code of {}", profile.mfa_serial)).await? {
                Ok(code) => code,
                Err(exit) => return Ok(Err(exit)),
            },
        };
        if !assume::is_code(&code) {
            if may_ask && attempt < ATTEMPTS {
                program::note("a code has six digits");
                continue;
            }
            bail!("a code has six digits");
        }
        match assume::assume(profile, &code).await {
            Ok(session) => return Ok(Ok(session)),
            Err(err @ AssumeError::WrongCode) if may_ask && attempt < ATTEMPTS => {
                program::note(&err.to_string());
            }
            Err(err) => return Err(err.into()),
        }
    }
    bail!("no code was taken")
}

/// A line from the terminal, or from a pipe.
async fn ask(question: &str) -> anyhow::Result<Result<String, u8>> {
    let question = question.to_owned();
    let answer = tokio::task::spawn_blocking(move || {
        if std::io::stdin().is_terminal() {
            Text::new(&question).prompt()
        } else {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).map_err(InquireError::IO)?;
            Ok(line)
        }
    });
    match answer.await.context("ask for the code")? {
        Ok(line) if line.trim().is_empty() => {
            program::note("no code was given; --code gives one without a terminal");
            Ok(Err(REFUSED))
        }
        Ok(line) => Ok(Ok(line.trim().to_owned())),
        Err(InquireError::OperationInterrupted) => Ok(Err(INTERRUPTED)),
        Err(InquireError::OperationCanceled) => Ok(Err(REFUSED)),
        Err(err) => Err(err).context("ask for the code"),
    }
}

/// Key, device and profiles for the user of the `iam` stack. What is there already stays.
async fn set_up(prefix: &str) -> anyhow::Result<u8> {
    let config = sdk_config().await?;
    let stack_name = format!("{prefix}-iam");
    let stack = Stacks::new(&config).find(&stack_name).await?;
    let stack = stack.with_context(|| {
        format!("stack {stack_name} does not exist; make it with `cargo xtask deploy --stack iam`")
    })?;
    let output = |key: &str| {
        let found = stack.outputs.get(key).cloned();
        found.with_context(|| format!("stack {stack_name} has no output \"{key}\""))
    };
    let (user, role_arn) = (output("UserName")?, output("AdminRoleArn")?);
    let region = config.region().map(ToString::to_string).unwrap_or_default();

    let source = format!("{prefix}-user");
    if !setup::has_key(&source)? {
        let key = setup::create_key(&config, &user).await?;
        setup::store_key(&source, &key)?;
        program::note(&format!(
            "made an access key for {user}; it is in ~/.aws/credentials, profile \"{source}\""
        ));
    }
    let device = setup::create_device(&config, &user).await?;
    if std::io::stderr().is_terminal() {
        program::note(&setup::qr_code(device.address.expose())?);
        program::note("Scan this with an authenticator app, then type two codes in a row.");
    } else {
        // Without a terminal there is nobody to scan: the address is what a password manager takes. Printed on demand only.
        program::data(device.address.expose())?;
    }
    let serial = match confirm(&config, &user, &device.serial).await {
        Ok(Ok(())) => device.serial,
        other => {
            // A device that is half made would be in the way of the next try.
            setup::remove_device(&config, &device.serial).await?;
            return other?.map(|()| 0).or_else(Ok);
        }
    };
    setup::store_profiles(&source, prefix, &role_arn, &serial, &region)?;
    program::note(&format!("the device is enabled; `cargo xtask login --profile {prefix}` starts a session"));
    Ok(0)
}

async fn confirm(config: &aws_config::SdkConfig, user: &str, serial: &str) -> anyhow::Result<Result<(), u8>> {
    for attempt in 1.. {
        let mut codes = Vec::new();
        for which in ["first code", "next code"] {
            match ask(which).await? {
                Ok(code) if assume::is_code(&code) => codes.push(code),
                Ok(_) => bail!("a code has six digits"),
                Err(exit) => return Ok(Err(exit)),
            }
        }
        match setup::enable_device(config, user, serial, (&codes[0], &codes[1])).await {
            Ok(()) => return Ok(Ok(())),
            Err(err @ EnableError::WrongCodes) if attempt < ATTEMPTS && std::io::stdin().is_terminal() => {
                program::note(&err.to_string());
            }
            Err(err) => return Err(err.into()),
        }
    }
    bail!("no codes were taken")
}
