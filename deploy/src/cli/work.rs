//! Commands that change something, or follow somebody who does.

use std::{
    io::{IsTerminal, Read, Write},
    path::Path,
    sync::Arc,
};

use anyhow::Context;
use aws_session::program::{INTERRUPTED, interrupted_or_hung_up};
use deploy::{
    Engine, Outcome, Prepared, Settings,
    catalog::Definition,
    cloud::aws::Aws,
    engine::Abandoned,
    event::{Event, Sink},
    render::{self, Json, Live, Markdown, Pick, Plain},
    user::{Agrees, Nobody, Terminal, User},
};
use serde_json::Value;

use super::{
    Apply, Create, Deploy, Diff, Import, Planning, Recreate, Terminate, UsageError, called_as,
    flags::{Format, Pace, Target},
    renamed,
    select::House,
};

/// A renderer and somebody to ask, as the surroundings allow.
struct Front {
    sink: Arc<dyn Sink + Send>,
    user: Box<dyn User>,
    terminal: Option<Arc<Terminal>>,
    can_ask: bool,
}

/// Shares one terminal between the engine and the exit code.
struct Shared(Arc<Terminal>);

impl User for Shared {
    fn confirm<'a>(&'a self, question: &'a str) -> futures_util::future::BoxFuture<'a, deploy::user::Answer> {
        self.0.confirm(question)
    }

    fn confirm_by_name<'a>(
        &'a self,
        question: &'a str,
        name: &'a str,
    ) -> futures_util::future::BoxFuture<'a, deploy::user::Answer> {
        self.0.confirm_by_name(question, name)
    }

    fn value<'a>(
        &'a self,
        name: &'a str,
        parameter: &'a infra_cfn::template::Parameter,
    ) -> futures_util::future::BoxFuture<'a, Option<String>> {
        self.0.value(name, parameter)
    }
}

/// Names the commands in hints as they are called here.
struct Renaming(Arc<dyn Sink + Send>);

impl Sink for Renaming {
    fn take(&self, mut event: Event) {
        if let Event::Failed { failure, .. } = &mut event {
            failure.hint = renamed(&failure.hint);
        }
        self.0.take(event);
    }
}

/// Exit code of a comparison that found differences, where that was asked for.
const DIFFERENT: u8 = 4;

/// How long a run that was cut may take to remove what nobody answered for.
const CLEANING: std::time::Duration = std::time::Duration::from_secs(15);

/// How events are shown.
#[derive(Clone, Copy)]
enum Show {
    /// Messages, with what is picked as data.
    Text(Option<Pick>),
    Json,
    Markdown,
}

impl Show {
    fn of(format: Format, markdown: bool, data: Option<Pick>) -> Self {
        match (format.json, markdown) {
            (true, _) => Self::Json,
            (_, true) => Self::Markdown,
            _ => Self::Text(data),
        }
    }
}

impl Front {
    fn new(show: Show, yes: bool) -> Self {
        let is_terminal = std::io::stderr().is_terminal() && std::io::stdin().is_terminal();
        let can_draw = std::io::stderr().is_terminal()
            && std::env::var_os("CI").is_none()
            && std::env::var_os("TERM").is_none_or(|it| it != "dumb");
        let (sink, live): (Arc<dyn Sink + Send>, _) = match show {
            Show::Json => (Arc::new(Json::new()), None),
            Show::Markdown => (Arc::new(Markdown::new()), None),
            Show::Text(data) if can_draw => {
                let live = data.map_or_else(Live::new, |data| Live::new().with_data(data));
                let live = Arc::new(live);
                (Arc::clone(&live) as _, Some(live))
            }
            Show::Text(data) => {
                (Arc::new(data.map_or_else(Plain::new, |it| Plain::new().with_data(it))), None)
            }
        };
        let sink: Arc<dyn Sink + Send> =
            if called_as() == super::FORWARDED_AS { sink } else { Arc::new(Renaming(sink)) };
        let terminal = (is_terminal && !yes).then(|| Arc::new(Terminal::new(live)));
        let user: Box<dyn User> = match &terminal {
            Some(terminal) => Box::new(Shared(Arc::clone(terminal))),
            None if yes => Box::new(Agrees),
            None => Box::new(Nobody),
        };
        Self { sink, user, terminal, can_ask: yes || is_terminal }
    }

    fn exit_code(&self, outcome: Outcome) -> u8 {
        if outcome.n_declined > 0 && !self.can_ask {
            let _ = writeln!(
                anstream::stderr(),
                "nothing was changed: there is no terminal to ask on; repeat the command with --yes"
            );
        }
        outcome.exit_code()
    }

    /// Ends when somebody pressed Ctrl-C, at a question or elsewhere, or told this program to end.
    async fn interrupted(&self) {
        let at_question = async {
            match &self.terminal {
                Some(terminal) => terminal.interrupted().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = at_question => {}
            () = interrupted_or_hung_up() => {}
        }
    }
}

/// What Ctrl-C means: CloudFormation goes on with what it has begun, and with nothing else.
fn tell_interrupted(abandoned: &Abandoned) {
    let mut text = if abandoned.running.is_empty() {
        "interrupted; nothing runs in CloudFormation for this command".to_owned()
    } else {
        format!(
            "interrupted; CloudFormation goes on by itself with {}, and the same command follows it and goes on from there",
            abandoned.running.join(", ")
        )
    };
    match abandoned.n_removed {
        0 => {}
        1 => text.push_str("; the change set that was not executed is removed"),
        n => text.push_str(&format!("; {n} change sets that were not executed are removed")),
    }
    for id in &abandoned.left {
        text.push_str(&format!("\nnot removed: {id}"));
    }
    let _ = writeln!(anstream::stderr(), "\n{text}");
}

/// Runs `act` on an engine for what the flags select.
async fn with_engine<F>(
    house: &House<'_>,
    wanted: &[&Definition],
    mut settings: Settings,
    flags: &[(String, String)],
    front: Front,
    act: F,
) -> anyhow::Result<u8>
where
    F: AsyncFnOnce(&Engine<'_, Aws>) -> Outcome,
{
    let selection = house.select(wanted, flags)?;
    settings.pin = house.pin()?;
    let cloud = house.connect().await?;
    let engine =
        Engine::new(&cloud, &*front.sink, &*front.user, &settings, &selection.specs, &selection.graph);
    tokio::select! {
        outcome = act(&engine) => return Ok(front.exit_code(outcome)),
        () = front.interrupted() => {}
    }
    let cleaned = tokio::time::timeout(CLEANING, engine.abandon()).await;
    tell_interrupted(&cleaned.unwrap_or_default());
    Ok(INTERRUPTED)
}

fn settings(house: &House<'_>, pace: &Pace) -> Settings {
    let mut settings = house.settings();
    pace.set(&mut settings);
    settings
}

fn show_plan(format: Format, planning: &Planning) -> Show {
    Show::of(format, planning.markdown, planning.no_execute.then_some(render::plan as Pick))
}

impl Create {
    fn settings(&self, house: &House<'_>) -> Settings {
        let mut settings = settings(house, &self.pace);
        self.values.set(&mut settings);
        self.making.set(&mut settings);
        settings.execute = !self.planning.no_execute;
        settings
    }

    async fn run(&self, house: &House<'_>, settings: Settings) -> anyhow::Result<u8> {
        let wanted = house.wanted(&self.target)?;
        let front = Front::new(show_plan(self.format, &self.planning), self.consent.yes);
        let act = async |engine: &Engine<'_, Aws>| engine.deploy().await;
        with_engine(house, &wanted, settings, &self.values.parameters, front, act).await
    }
}

pub(super) async fn create(it: &Create) -> anyhow::Result<u8> {
    let house = it.target.home.open()?;
    it.run(&house, Settings { must_be_new: true, ..it.settings(&house) }).await
}

/// Takes existing resources over. Names that are taken are the point of it: the account is not asked about them.
pub(super) async fn import(it: &Import) -> anyhow::Result<u8> {
    let house = it.create.target.home.open()?;
    if house.wanted(&it.create.target)?.len() != 1 {
        return Err(UsageError::of("an import is into one stack: name it with --stack"));
    }
    let settings =
        Settings { imports: it.resources.clone(), looks_ahead: false, ..it.create.settings(&house) };
    it.create.run(&house, settings).await
}

pub(super) async fn deploy(it: &Deploy) -> anyhow::Result<u8> {
    let house = it.create.target.home.open()?;
    let settings = Settings {
        allow_data_loss: it.leave.allow_data_loss.clone(),
        rollback_skip: it.rollback_skip.clone(),
        ..it.create.settings(&house)
    };
    it.create.run(&house, settings).await
}

pub(super) async fn apply(it: &Apply) -> anyhow::Result<u8> {
    let prepared = match &it.plan {
        Some(path) => read_plan(path)?,
        None => it.change_sets.iter().map(|id| Prepared { id: id.clone(), stack: None }).collect(),
    };
    let house = it.home.open()?;
    let mut settings = settings(&house, &it.pace);
    settings.allow_data_loss.clone_from(&it.leave.allow_data_loss);
    settings.on_failure = it.on_failure.into();
    let front = Front::new(Show::of(it.format, false, None), it.consent.yes);
    let act = async |engine: &Engine<'_, Aws>| engine.apply(&prepared).await;
    let every: Vec<&Definition> = house.catalog.stacks.iter().collect();
    with_engine(&house, &every, settings, &[], front, act).await
}

/// The change sets that a plan in JSON lines has prepared.
fn read_plan(path: &Path) -> anyhow::Result<Vec<Prepared>> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).context("read the plan from stdin")?;
    } else {
        text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    }
    let mut prepared = Vec::new();
    for line in text.lines().filter(|it| !it.trim().is_empty()) {
        let event: Value = serde_json::from_str(line).with_context(|| {
            format!("read {}: expected what deploy --no-execute --json prints", path.display())
        })?;
        if event["event"] == "prepared"
            && let (Some(id), Some(stack)) = (event["change_set"].as_str(), event["stack"].as_str())
        {
            prepared.push(Prepared { id: id.to_owned(), stack: Some(stack.to_owned()) });
        }
    }
    if prepared.is_empty() {
        return Err(UsageError::of(format!("{} has no prepared change set in it", path.display())));
    }
    Ok(prepared)
}

pub(super) async fn terminate(it: &Terminate) -> anyhow::Result<u8> {
    let house = it.target.home.open()?;
    let wanted = house.wanted_for_removal(&it.target)?;
    let mut settings = settings(&house, &it.pace);
    settings.role_arn.clone_from(&it.role_arn);
    settings.retain.clone_from(&it.retain);
    settings.protect = it.termination_protection.map(|_| false);
    let front = Front::new(Show::of(it.format, false, None), it.yes);
    let act = async |engine: &Engine<'_, Aws>| engine.terminate().await;
    with_engine(&house, &wanted, settings, &[], front, act).await
}

pub(super) async fn recreate(it: &Recreate) -> anyhow::Result<u8> {
    let house = it.target.home.open()?;
    let wanted = house.wanted_for_removal(&it.target)?;
    let mut settings = settings(&house, &it.pace);
    it.values.set(&mut settings);
    it.making.set(&mut settings);
    settings.retain.clone_from(&it.retain);
    let act = async |engine: &Engine<'_, Aws>| {
        let ended = engine.terminate().await;
        if ended.exit_code() == 0 { engine.deploy().await } else { ended }
    };
    let front = Front::new(Show::of(it.format, false, None), it.consent.yes);
    with_engine(&house, &wanted, settings, &it.values.parameters, front, act).await
}

pub(super) async fn diff(it: &Diff) -> anyhow::Result<u8> {
    let house = it.target.home.open()?;
    let wanted = house.wanted(&it.target)?;
    let mut settings = settings(&house, &it.pace);
    it.values.set(&mut settings);
    let (with_drift, tells) = (!it.no_drift, it.exit_code);
    let mut is_different = false;
    let act = async |engine: &Engine<'_, Aws>| {
        let outcome = engine.diff(with_drift).await;
        is_different = outcome.n_different > 0;
        outcome
    };
    let front = Front::new(Show::of(it.format, it.markdown, Some(render::differences)), true);
    let code = with_engine(&house, &wanted, settings, &it.values.parameters, front, act).await?;
    Ok(if tells && code == 0 && is_different { DIFFERENT } else { code })
}

pub(super) async fn wait(target: &Target, format: &Format, pace: &Pace) -> anyhow::Result<u8> {
    let house = target.home.open()?;
    let wanted = house.wanted(target)?;
    let front = Front::new(Show::of(*format, false, None), true);
    let settings = settings(&house, pace);
    with_engine(&house, &wanted, settings, &[], front, async |engine| engine.wait().await).await
}
