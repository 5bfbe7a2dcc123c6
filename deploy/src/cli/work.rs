//! Commands that change something, or follow somebody who does.

use std::{io::IsTerminal, io::Write, sync::Arc};

use deploy::{
    Engine, Outcome, Settings,
    cloud::aws::Aws,
    event::Sink,
    render::{self, Json, Live, Pick, Plain},
    user::{Agrees, Nobody, Terminal, User},
};

use infra_cfn::Stack;

use super::{Look, Pace, Work};

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

    fn value<'a>(
        &'a self,
        name: &'a str,
        parameter: &'a infra_cfn::template::Parameter,
    ) -> futures_util::future::BoxFuture<'a, Option<String>> {
        self.0.value(name, parameter)
    }
}

/// Exit code of a run that Ctrl-C ended.
pub(crate) const INTERRUPTED: u8 = 130;

impl Front {
    fn new(json: bool, yes: bool, data: Option<Pick>) -> Self {
        let is_terminal = std::io::stderr().is_terminal() && std::io::stdin().is_terminal();
        let can_draw = std::io::stderr().is_terminal()
            && std::env::var_os("CI").is_none()
            && std::env::var_os("TERM").is_none_or(|it| it != "dumb");
        let live = (can_draw && !json).then(|| match data {
            Some(data) => Arc::new(Live::new().with_data(data)),
            None => Arc::new(Live::new()),
        });
        let sink: Arc<dyn Sink + Send> = match &live {
            Some(live) => Arc::clone(live) as _,
            None if json => Arc::new(Json::new()),
            None => match data {
                Some(data) => Arc::new(Plain::new().with_data(data)),
                None => Arc::new(Plain::new()),
            },
        };
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
                "nothing was done: there is no terminal to ask on; repeat the command with --yes"
            );
        }
        outcome.exit_code()
    }

    /// Ends when somebody pressed Ctrl-C at a question.
    async fn interrupted(&self) {
        match &self.terminal {
            Some(terminal) => terminal.interrupted().await,
            None => std::future::pending().await,
        }
    }
}

/// Runs `act` on an engine for what the flags select.
async fn with_engine<F>(
    look: &Look,
    wanted: &[Stack],
    settings: Settings,
    flags: &[(String, String)],
    front: Front,
    act: F,
) -> anyhow::Result<u8>
where
    F: AsyncFnOnce(&Engine<'_, Aws>) -> Outcome,
{
    let selection = look.select(wanted, flags)?;
    let cloud = Aws::connect().await?;
    let engine =
        Engine::new(&cloud, &*front.sink, &*front.user, &settings, &selection.specs, &selection.graph);
    tokio::select! {
        outcome = act(&engine) => Ok(front.exit_code(outcome)),
        () = front.interrupted() => {
            super::interrupted();
            Ok(INTERRUPTED)
        }
    }
}

pub(super) async fn deploy(work: &Work, must_be_new: bool) -> anyhow::Result<u8> {
    let settings = Settings { must_be_new, ..work.settings() };
    let front = Front::new(work.look.json, work.yes, None);
    let wanted = work.look.wanted()?;
    let act = async |engine: &Engine<'_, Aws>| engine.deploy().await;
    with_engine(&work.look, &wanted, settings, &work.parameters, front, act).await
}

pub(super) async fn terminate(work: &Work) -> anyhow::Result<u8> {
    let front = Front::new(work.look.json, work.yes, None);
    let wanted = work.look.wanted_for_removal()?;
    let act = async |engine: &Engine<'_, Aws>| engine.terminate().await;
    with_engine(&work.look, &wanted, work.settings(), &[], front, act).await
}

pub(super) async fn recreate(work: &Work) -> anyhow::Result<u8> {
    let act = async |engine: &Engine<'_, Aws>| {
        let ended = engine.terminate().await;
        if ended.exit_code() == 0 { engine.deploy().await } else { ended }
    };
    let front = Front::new(work.look.json, work.yes, None);
    let wanted = work.look.wanted_for_removal()?;
    with_engine(&work.look, &wanted, work.settings(), &work.parameters, front, act).await
}

pub(super) async fn diff(work: &Work, with_drift: bool) -> anyhow::Result<u8> {
    let act = async |engine: &Engine<'_, Aws>| {
        let compared = engine.diff().await;
        if with_drift && compared.exit_code() == 0 { engine.drift().await } else { compared }
    };
    let front = Front::new(work.look.json, true, Some(render::differences));
    let wanted = work.look.wanted()?;
    with_engine(&work.look, &wanted, work.settings(), &work.parameters, front, act).await
}

pub(super) async fn wait(look: &Look, pace: &Pace) -> anyhow::Result<u8> {
    let settings = Settings { poll: pace.poll, ..Settings::new(&look.prefix) };
    let front = Front::new(look.json, true, None);
    let wanted = look.wanted()?;
    with_engine(look, &wanted, settings, &[], front, async |engine| engine.wait().await).await
}
