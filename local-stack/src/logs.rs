//! Reading the services' logs: files of the native backend, the engine's logs of the Docker backend.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncSeekExt, BufReader};
use tokio::sync::mpsc;

use crate::docker::Engine;
use crate::error::Error;
use crate::log_window::{LogWindow, Selection};
use crate::native::Native;
use crate::service::ServiceName;

/// How often a followed file is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// One line of a service's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Whose.
    pub service: ServiceName,
    /// The line without its end.
    pub text: String,
}

/// Where the logs are.
pub(crate) enum LogSource {
    Files { servers_dir: PathBuf },
    Engine { engine: Engine, project: String, logs_dir: PathBuf },
}

impl LogSource {
    /// Without `follow`, one service after the other. With it, lines of all services as they come, forever.
    pub(crate) async fn read(
        &self,
        services: &[ServiceName],
        window: LogWindow,
        follow: bool,
        on_line: &mut (dyn FnMut(LogLine) + Send),
    ) -> Result<(), Error> {
        if !follow {
            for service in services {
                let (sender, mut lines) = mpsc::channel(64);
                let read = self.read_one(*service, window, false, sender);
                let hand_over = async {
                    while let Some(line) = lines.recv().await {
                        on_line(line);
                    }
                };
                tokio::join!(read, hand_over).0?;
            }
            return Ok(());
        }
        let (sender, mut lines) = mpsc::channel(64);
        let readers = services.iter().map(|it| self.read_one(*it, window, true, sender.clone()));
        let readers = futures_util::future::try_join_all(readers);
        drop(sender);
        let hand_over = async {
            while let Some(line) = lines.recv().await {
                on_line(line);
            }
        };
        tokio::join!(readers, hand_over).0.map(drop)
    }

    async fn read_one(
        &self,
        service: ServiceName,
        window: LogWindow,
        follow: bool,
        sender: mpsc::Sender<LogLine>,
    ) -> Result<(), Error> {
        match self {
            Self::Files { servers_dir } => {
                let path = Native::log_file(servers_dir, service);
                read_file(&path, service, window, follow, &sender).await
            }
            Self::Engine { engine, project, logs_dir } => {
                let container = engine.container(project, service, true).await?;
                match container {
                    Some(container) => read_container(&container, service, window, follow, &sender).await,
                    // Kept by `down`.
                    None => {
                        let path = logs_dir.join(format!("{service}.log"));
                        read_file(&path, service, window, follow, &sender).await
                    }
                }
            }
        }
    }
}

async fn read_container(
    container: &str,
    service: ServiceName,
    window: LogWindow,
    follow: bool,
    sender: &mpsc::Sender<LogLine>,
) -> Result<(), Error> {
    let fail =
        |it: std::io::Error| Error::Docker { doing: "read the log".to_owned(), output: it.to_string() };
    let mut command = Engine::logs_command(container, window, follow);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(fail)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    tokio::join!(forward(stdout, service, sender), forward(stderr, service, sender));
    child.wait().await.map(drop).map_err(fail)
}

/// Hands over lines until the stream or the receiver ends.
async fn forward(
    stream: Option<impl AsyncRead + Unpin>,
    service: ServiceName,
    sender: &mpsc::Sender<LogLine>,
) {
    let Some(stream) = stream else { return };
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).await.is_ok_and(|n| n > 0) {
        if sender.send(log_line(service, &line)).await.is_err() {
            return;
        }
        line.clear();
    }
}

async fn read_file(
    path: &Path,
    service: ServiceName,
    window: LogWindow,
    follow: bool,
    sender: &mpsc::Sender<LogLine>,
) -> Result<(), Error> {
    let fail = |source| Error::File { doing: "read", path: path.to_owned(), source };
    let mut position = 0;
    // Chooses among the lines that are there at the beginning; whatever comes later is wanted.
    let mut selection = Some(Selection::new(window));
    loop {
        match tokio::fs::File::open(path).await {
            Ok(mut file) => {
                let length = file.metadata().await.map_err(fail)?.len();
                // A shorter file is a new one.
                if length < position {
                    position = 0;
                }
                file.seek(SeekFrom::Start(position)).await.map_err(fail)?;
                let mut reader = BufReader::new(file);
                let mut line = Vec::new();
                loop {
                    let n = reader.read_until(b'\n', &mut line).await.map_err(fail)?;
                    // While following, half a line waits for its other half.
                    if n == 0 || (follow && !line.ends_with(b"\n")) {
                        break;
                    }
                    position += n as u64;
                    let found = log_line(service, &line);
                    line.clear();
                    let found = match &mut selection {
                        Some(selection) => selection.offer(found.text).map(|text| LogLine { service, text }),
                        None => Some(found),
                    };
                    if let Some(found) = found
                        && sender.send(found).await.is_err()
                    {
                        return Ok(());
                    }
                }
                for text in selection.take().map(|mut it| it.take()).unwrap_or_default() {
                    if sender.send(LogLine { service, text }).await.is_err() {
                        return Ok(());
                    }
                }
            }
            // The service was not started yet.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(fail(error)),
        }
        if !follow {
            return Ok(());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn log_line(service: ServiceName, bytes: &[u8]) -> LogLine {
    LogLine { service, text: String::from_utf8_lossy(bytes).trim_end_matches(['\n', '\r']).to_owned() }
}
