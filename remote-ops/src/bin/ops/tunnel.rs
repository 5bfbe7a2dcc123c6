//! `tunnel`: keeps a tunnel open until Ctrl-C, and shows what goes through it.

use std::{
    io::IsTerminal,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_session::{
    program::{self, INTERRUPTED},
    sdk_config,
};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use remote_ops::{
    access,
    place::{Check, Database, Login, Place, Role, Way},
};
use serde_json::json;
use ssm_tunnel::{Event, Events, Route, Traffic, Tunnel};

#[derive(Args)]
pub(crate) struct TunnelArgs {
    /// What to reach
    #[arg(long, value_enum)]
    to: Database,
    /// Local port; a free one is taken when left out
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    local_port: u16,
    /// Instance to go through, instead of the deployment's
    #[arg(long, value_name = "INSTANCE")]
    target: Option<String>,
    /// Host to reach, instead of the deployment's; the port is 5432 when left out
    #[arg(long, value_name = "HOST[:PORT]", value_parser = host)]
    host: Option<(String, u16)>,
    #[command(flatten)]
    place: crate::Place,
    /// Print events as JSON lines
    #[arg(long)]
    json: bool,
}

fn host(text: &str) -> Result<(String, u16), String> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| format!("\"{port}\" is not a port"))?),
        None => (text, 5432),
    };
    if host.is_empty() || port == 0 {
        return Err("must have the form HOST or HOST:PORT".into());
    }
    Ok((host.to_owned(), port))
}

pub(crate) async fn run(args: TunnelArgs) -> anyhow::Result<u8> {
    let config = sdk_config().await?;
    let place = match (&args.target, &args.host) {
        // Nothing is left to ask the deployment.
        (Some(target), Some((host, port))) => Place {
            host: host.clone(),
            port: *port,
            dbname: String::new(),
            way: Way::Instance(target.clone()),
            login: Login::Token(String::new()),
            check: Check::Nothing,
        },
        _ => {
            let options = args.place.options(Role::Iam, args.target.as_ref(), args.local_port, None);
            let mut place = access::locate(&config, args.to, &options).await?;
            if let Some((host, port)) = &args.host {
                (place.host, place.port) = (host.clone(), *port);
            }
            place
        }
    };
    if place.way == Way::Direct {
        anyhow::bail!("{} is public: connect to {}:{} directly", args.to, place.host, place.port);
    }
    let display = Display::new(args.json, format!("{}:{}", place.host, place.port));
    let opening = access::tunnel(&config, &place, args.local_port, display.events());
    let Some(opened) = access::unless_interrupted(opening, program::interrupted()).await? else {
        return Ok(INTERRUPTED);
    };
    let Some((route, tunnel)) = opened else { return Ok(0) };
    display.opened(&route, &tunnel)?;
    keep_open(tunnel, &display).await
}

async fn keep_open(mut tunnel: Tunnel, display: &Display) -> anyhow::Result<u8> {
    let traffic = Arc::clone(tunnel.traffic());
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    let mut meter = Meter::default();
    let mut interrupt = std::pin::pin!(program::interrupted());
    loop {
        tokio::select! {
            err = tunnel.ended() => {
                display.finish(&traffic);
                return Err(err.into());
            }
            () = &mut interrupt => {
                tunnel.close().await?;
                display.finish(&traffic);
                return Ok(INTERRUPTED);
            }
            _ = ticks.tick() => display.show(&traffic, meter.rates(&traffic)),
        }
    }
}

/// Bytes per second since the last look.
#[derive(Default)]
struct Meter {
    last: Option<(Instant, u64, u64)>,
}

impl Meter {
    fn rates(&mut self, traffic: &Traffic) -> (u64, u64) {
        let now = (Instant::now(), traffic.sent(), traffic.received());
        let Some((at, sent, received)) = self.last.replace(now) else { return (0, 0) };
        let ms = u64::try_from((now.0 - at).as_millis()).unwrap_or(u64::MAX).max(1);
        ((now.1 - sent) * 1000 / ms, (now.2 - received) * 1000 / ms)
    }
}

/// A line that is redrawn on a terminal; else a line per event.
struct Display {
    json: bool,
    host: String,
    bar: Option<ProgressBar>,
}

impl Display {
    fn new(json: bool, host: String) -> Self {
        let bar = (!json && std::io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}");
            let bar = ProgressBar::new_spinner();
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_message("opening the tunnel");
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { json, host, bar }
    }

    fn events(&self) -> Events {
        let (json, host, bar) = (self.json, self.host.clone(), self.bar.clone());
        Arc::new(move |event| {
            if json {
                let _ = program::data(&as_json(&event).to_string());
                return;
            }
            let Some(text) = words(&event, &host, bar.is_some()) else { return };
            match &bar {
                Some(bar) => bar.suspend(|| program::note(&text)),
                None => program::note(&text),
            }
        })
    }

    fn opened(&self, route: &Route, tunnel: &Tunnel) -> anyhow::Result<()> {
        let local = tunnel.local();
        if self.json {
            return program::data(&json!({ "event": "open", "local": local, "host": route.host, "port": route.port, "target": route.target }).to_string());
        }
        let text = format!(
            "{local} leads to {}:{} through {}; Ctrl-C ends it",
            route.host, route.port, route.target
        );
        match &self.bar {
            Some(bar) => bar.suspend(|| program::note(&text)),
            None => program::note(&text),
        }
        // For a script that waits for the line and takes the port from it.
        if self.bar.is_none() { program::data(&local.to_string()) } else { Ok(()) }
    }

    fn show(&self, traffic: &Traffic, (up, down): (u64, u64)) {
        let Some(bar) = &self.bar else { return };
        bar.set_message(format!(
            "{} open · up {}/s · down {}/s · {} in all",
            connections(traffic.open()),
            bytes(up),
            bytes(down),
            bytes(traffic.sent() + traffic.received())
        ));
    }

    fn finish(&self, traffic: &Traffic) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if !self.json {
            program::note(&format!(
                "closed: {} up, {} down",
                bytes(traffic.sent()),
                bytes(traffic.received())
            ));
        }
    }
}

fn connections(count: usize) -> String {
    if count == 1 { "1 connection".into() } else { format!("{count} connections") }
}

/// A line for an event; a live display shows connections by itself.
fn words(event: &Event, host: &str, is_live: bool) -> Option<String> {
    Some(match event {
        Event::Ready { agent_version } => format!("connected to agent {agent_version}"),
        Event::Opened { .. } | Event::Finished { .. } if is_live => return None,
        Event::Opened { number } => format!("connection {number} opened"),
        Event::Finished { number, sent, received } => {
            format!("connection {number} ended: {} up, {} down", bytes(*sent), bytes(*received))
        }
        Event::Refused => format!(
            "the instance cannot connect to {host}: nothing listens there, or a security group is in the way"
        ),
        Event::Cut { reason } => format!("cut ({reason}); connections wait while the session is resumed"),
        Event::Resumed { after } => format!("resumed after {:.1} s", after.as_secs_f64()),
    })
}

fn as_json(event: &Event) -> serde_json::Value {
    match event {
        Event::Ready { agent_version } => json!({ "event": "ready", "agent_version": agent_version }),
        Event::Opened { number } => json!({ "event": "connection_opened", "number": number }),
        Event::Finished { number, sent, received } => {
            json!({ "event": "connection_ended", "number": number, "sent_bytes": sent, "received_bytes": received })
        }
        Event::Refused => json!({ "event": "refused" }),
        Event::Cut { reason } => json!({ "event": "cut", "reason": reason }),
        Event::Resumed { after } => json!({ "event": "resumed", "after_ms": after.as_millis() as u64 }),
    }
}

/// A number of bytes in three digits and a unit.
fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 || unit == "GB" {
            return if unit == "B" || value >= 99.95 {
                format!("{value:.0} {unit}")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1000.0;
    }
    format!("{count} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let all = [0, 999, 1_000, 12_345, 123_456, 1_500_000, 2_000_000_000].map(bytes);
        assert_eq!(all, ["0 B", "999 B", "1.0 kB", "12.3 kB", "123 kB", "1.5 MB", "2.0 GB"]);
    }

    #[test]
    fn hosts_have_a_port() {
        assert_eq!(host("db.internal"), Ok(("db.internal".into(), 5432)));
        assert_eq!(host("db.internal:6543"), Ok(("db.internal".into(), 6543)));
        assert!(host("db:x").is_err());
        assert!(host(":5432").is_err());
    }

    #[test]
    fn every_event_has_words_and_json() {
        let events = [
            Event::Ready { agent_version: "3.3.0.0".into() },
            Event::Opened { number: 1 },
            Event::Finished { number: 1, sent: 10, received: 2_000 },
            Event::Refused,
            Event::Cut { reason: "reset".into() },
            Event::Resumed { after: Duration::from_millis(1_250) },
        ];
        let lines: Vec<String> = events.iter().filter_map(|it| words(it, "db:5432", false)).collect();
        assert_eq!(lines.len(), events.len());
        assert_eq!(lines[2], "connection 1 ended: 10 B up, 2.0 kB down");
        assert_eq!(as_json(&events[5]).to_string(), r#"{"event":"resumed","after_ms":1250}"#);
    }
}
