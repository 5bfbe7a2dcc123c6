//! The commands of the day after on a terminal: prompts, the line that is redrawn, and Ctrl-C as it is typed.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::OwnedFd,
    process::Stdio,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use nix::pty::{OpenptyResult, Winsize, openpty};
use tokio::{
    process::{Child, Command},
    time::timeout,
};
use tokio_postgres::NoTls;

use crate::{login, ops};

const PATIENCE: Duration = Duration::from_secs(120);

/// A terminal of 100 columns, and what appeared on it so far.
struct Terminal {
    keyboard: File,
    /// What the program's side is opened from.
    slave: OwnedFd,
    screen: Arc<(Mutex<String>, Condvar)>,
}

impl Terminal {
    fn open() -> Self {
        let size = Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(Some(&size), None).unwrap();
        let screen = Arc::new((Mutex::new(String::new()), Condvar::new()));
        let mut display = File::from(master.try_clone().unwrap());
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // The other side's end is an error here.
            while let Ok(n_bytes @ 1..) = display.read(&mut buffer) {
                shown.0.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..n_bytes]));
                shown.1.notify_all();
            }
        });
        Self { keyboard: File::from(master), slave, screen }
    }

    fn side(&self) -> Stdio {
        self.slave.try_clone().unwrap().into()
    }

    /// Presses keys.
    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the text appears after what was waited for before, and returns what came up to it.
    fn shows(&self, text: &str) -> String {
        let (screen, changed) = &*self.screen;
        let missing = |it: &mut String| !it.contains(text);
        let (mut screen, ended) =
            changed.wait_timeout_while(screen.lock().unwrap(), PATIENCE, missing).unwrap();
        assert!(!ended.timed_out(), "\"{text}\" never appeared; the rest of the screen:\n{screen}");
        let end = screen.find(text).unwrap() + text.len();
        screen.drain(..end).collect()
    }
}

/// The exit code, once the program has ended.
async fn code(mut child: Child) -> Option<i32> {
    timeout(PATIENCE, child.wait()).await.expect("the program ends").unwrap().code()
}

fn on(terminal: &Terminal, mut command: Command) -> Child {
    command.env("TERM", "xterm").stdin(terminal.side()).stdout(terminal.side()).stderr(terminal.side());
    command.spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mistyped_code_is_asked_for_again() {
    let world = login::World::with_profiles().await;
    let mut terminal = Terminal::open();
    let child = on(&terminal, world.command(&["login"]));
    terminal.shows("MFA code of arn:aws:iam::123456789012:mfa/me");
    terminal.press("12345\r");
    terminal.shows("a code has six digits");
    terminal.shows("MFA code of");
    terminal.press("654321\r");
    terminal.shows("the code was refused");
    terminal.shows("MFA code of");
    terminal.press("123456\r");
    terminal.shows("session of arn:aws:iam::123456789012:role/team/admin until 2099-01-02");
    assert_eq!(code(child).await, Some(0));
    assert_eq!(world.kept().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_answer_is_told_apart_from_who_interrupts() {
    for (keys, expected) in [("\u{3}", 130), ("\u{1b}", 3), ("\r", 3)] {
        let world = login::World::with_profiles().await;
        let mut terminal = Terminal::open();
        let child = on(&terminal, world.command(&["login"]));
        terminal.shows("MFA code of");
        terminal.press(keys);
        assert_eq!(code(child).await, Some(expected), "{keys:?}");
        assert!(world.kept().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tunnel_shows_what_goes_through_it() {
    let world = ops::World::for_host("localhost").await;
    let terminal = Terminal::open();
    let args = ["tunnel", "--to", "rds", "--target", "i-0123456789abcdef0", "--host", "db.internal:5432"];
    let child = on(&terminal, world.command(&args));
    let before = terminal.shows(" leads to db.internal:5432 through i-0123456789abcdef0; Ctrl-C ends it");
    let port = before.split("127.0.0.1:").last().and_then(|it| it.split(' ').next()).unwrap();
    terminal.shows("0 connections open");
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(port.parse().unwrap()).dbname("postgres");
    let (client, connection) = world.log_in(config).connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    terminal.shows("1 connection open");
    let text: String = client.query_one("SELECT repeat('x', 2000000)", &[]).await.unwrap().get(0);
    assert_eq!(text.len(), 2_000_000);
    terminal.shows("2.0 MB in all");
    drop(client);
    terminal.shows("0 connections open");
    ops::interrupt(&child);
    // The line is gone, and the sum stays.
    terminal.shows("closed: ");
    terminal.shows("2.0 MB down");
    assert_eq!(code(child).await, Some(130));
    assert_eq!(world.n_calls("TerminateSession"), 1);
}
