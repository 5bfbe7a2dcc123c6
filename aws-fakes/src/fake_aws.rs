//! As much of AWS as the tests of the day after need, on this machine: Systems Manager with the data channel's web socket and
//! an agent that connects to a real port; secrets; an account with an MFA device; outputs of stacks. [`Faults`] say what goes wrong.

mod agent;
pub mod query;
mod wire;

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use tokio_tungstenite::{accept_hdr_async, tungstenite::Message as WsMessage};

/// What goes wrong, by counting: 0 is never, n is every n-th frame.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Frames of the agent that are sent after their successor.
    pub swap_output: u64,
    /// Frames of the agent that are sent twice.
    pub repeat_output: u64,
    /// Frames of the agent that arrive with another payload than they were sent with, the first time.
    pub damage_output: u64,
    /// Frames of the client that never reach the agent, the first time.
    pub lose_input: u64,
    /// Acknowledgements of the agent that get lost.
    pub lose_acknowledgement: u64,
    /// The connection is cut after this many frames of the client, once.
    pub cut_after: u64,
    /// How often ResumeSession fails before it works.
    pub resume_failures: u32,
    /// ResumeSession finds nothing.
    pub session_is_gone: bool,
    /// The instance is not connected.
    pub offline: bool,
    /// The caller may not.
    pub denied: bool,
    /// The account encrypts sessions.
    pub encrypted: bool,
    /// The agent says nothing.
    pub silent: bool,
    /// The agent's version.
    pub agent_version: Option<&'static str>,
}

/// What happened.
#[derive(Debug, Default)]
pub struct Seen {
    /// Calls of the API, in order.
    pub calls: Mutex<Vec<(String, Value)>>,
    /// Frames of the client that the agent had already.
    pub n_repeated: AtomicU64,
    /// Frames that the agent sent again.
    pub n_retransmitted: AtomicU64,
    /// Web sockets that were opened.
    pub n_sockets: AtomicU64,
    /// Whether the opening of a web socket was signed.
    pub signed: Mutex<Vec<bool>>,
    /// Streams that were opened.
    pub n_streams: AtomicU64,
}

/// The service; it stops when it is dropped.
pub struct FakeAws {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    faults: Faults,
    seen: Seen,
    destination: SocketAddr,
    /// Where the network's name server leads; empty leads everything to `destination`.
    hosts: Mutex<HashMap<(String, u16), SocketAddr>>,
    instances: Mutex<Vec<(String, String, bool)>>,
    secrets: Mutex<HashMap<String, String>>,
    account: Mutex<query::Account>,
    last_key: Mutex<String>,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    n_sessions: AtomicU64,
    resume_failures: AtomicU32,
}

impl Shared {
    /// Where the agent connects to.
    fn lead(&self, parameters: &Value) -> SocketAddr {
        let hosts = lock(&self.hosts);
        if hosts.is_empty() {
            return self.destination;
        }
        let text = |name: &str| parameters[name][0].as_str().unwrap_or_default().to_owned();
        let key = (text("host"), text("portNumber").parse().unwrap_or_default());
        // Nothing listens on port 0, as nothing answers for an unknown name.
        hosts.get(&key).copied().unwrap_or_else(|| ([127, 0, 0, 1], 0).into())
    }
}

/// A session: its agent lives as long as the session, web sockets come and go.
struct Session {
    token: Mutex<String>,
    to_agent: mpsc::UnboundedSender<agent::Input>,
    cut: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl FakeAws {
    /// Starts; every connection of the agent goes to `destination`.
    pub async fn start(destination: SocketAddr, faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            resume_failures: AtomicU32::new(faults.resume_failures),
            faults,
            seen: Seen::default(),
            destination,
            hosts: Mutex::default(),
            instances: Mutex::default(),
            secrets: Mutex::default(),
            account: Mutex::default(),
            last_key: Mutex::default(),
            sessions: Mutex::default(),
            n_sessions: AtomicU64::new(0),
        });
        let accepting = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, address, Arc::clone(&accepting)));
            }
        });
        Self { address, shared, task }
    }

    /// For `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts a server into the instances' network. From the first one on, whatever has no name there is not reached.
    pub fn add_host(&self, name: &str, port: u16, address: SocketAddr) {
        lock(&self.shared.hosts).insert((name.into(), port), address);
    }

    /// Adds an instance of an Auto Scaling group.
    pub fn add_instance(&self, group: &str, id: &str, is_online: bool) {
        lock(&self.shared.instances).push((group.into(), id.into(), is_online));
    }

    /// Keeps a secret.
    pub fn add_secret(&self, id: &str, text: &str) {
        lock(&self.shared.secrets).insert(id.into(), text.into());
    }

    /// The account.
    pub fn account(&self) -> MutexGuard<'_, query::Account> {
        lock(&self.shared.account)
    }

    /// The access key that signed the last call.
    pub fn last_key(&self) -> String {
        lock(&self.shared.last_key).clone()
    }

    /// What happened so far.
    pub fn seen(&self) -> &Seen {
        &self.shared.seen
    }

    /// Names of the calls so far.
    pub fn calls(&self) -> Vec<String> {
        lock(&self.shared.seen.calls).iter().map(|(name, _)| name.clone()).collect()
    }

    /// Cuts every connection.
    pub fn cut(&self) {
        for session in lock(&self.shared.sessions).values() {
            session.cut.notify_waiters();
        }
    }

    /// Ends every session, as an administrator may.
    pub fn end_sessions(&self, reason: &str) {
        for session in lock(&self.shared.sessions).values() {
            let _ = session.to_agent.send(agent::Input::Close(reason.to_owned()));
        }
    }
}

impl Drop for FakeAws {
    fn drop(&mut self) {
        self.task.abort();
        lock(&self.shared.sessions).clear();
    }
}

/// A connection is a web socket or an API call.
async fn serve(socket: TcpStream, address: SocketAddr, shared: Arc<Shared>) {
    let mut start = [0; 4];
    if socket.peek(&mut start).await.is_err() {
        return;
    }
    if &start[..3] == b"GET" {
        serve_socket(socket, &shared).await;
        return;
    }
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(request, address, &shared).await) }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
}

async fn answer(
    request: Request<Incoming>,
    address: SocketAddr,
    shared: &Arc<Shared>,
) -> Response<Full<Bytes>> {
    let header = |name: &str| {
        let value = request.headers().get(name).and_then(|it| it.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let key = header("authorization");
    let key =
        key.split("Credential=").nth(1).and_then(|it| it.split('/').next()).unwrap_or_default().to_owned();
    lock(&shared.last_key).clone_from(&key);
    let target = header("x-amz-target");
    let action = target.rsplit('.').next().unwrap_or_default().to_owned();
    let body =
        request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    if action.is_empty() {
        let form = query::form(&String::from_utf8_lossy(&body));
        let (status, xml) = query::respond(&mut lock(&shared.account), &form, &key);
        return respond_with(status, "text/xml", xml);
    }
    let input: Value = serde_json::from_slice(&body).unwrap_or_default();
    lock(&shared.seen.calls).push((action.clone(), input.clone()));
    let (status, body) = match respond(&action, &input, address, shared) {
        Ok(body) => (200, body),
        Err((status, kind, message)) => (status, json!({ "__type": kind, "message": message })),
    };
    respond_with(status, "application/x-amz-json-1.1", body.to_string())
}

fn respond_with(status: u16, kind: &str, body: String) -> Response<Full<Bytes>> {
    let response = Response::builder().status(status).header("content-type", kind);
    response.body(Full::new(Bytes::from(body))).expect("a response")
}

type Failure = (u16, &'static str, &'static str);

fn respond(action: &str, input: &Value, address: SocketAddr, shared: &Arc<Shared>) -> Result<Value, Failure> {
    let faults = &shared.faults;
    match action {
        "StartSession" if faults.denied => Err((
            400,
            "AccessDeniedException",
            "User: somebody is not authorized to perform: ssm:StartSession",
        )),
        "StartSession" if faults.offline => Err((400, "TargetNotConnected", "i-0 is not connected.")),
        "StartSession" => {
            let id = format!("somebody-{}", shared.n_sessions.fetch_add(1, Ordering::Relaxed));
            let (to_agent, inputs) = mpsc::unbounded_channel();
            let session = Arc::new(Session { token: Mutex::default(), to_agent, cut: Notify::new() });
            let destination = shared.lead(&input["Parameters"]);
            tokio::spawn(agent::Agent::run(
                Arc::clone(shared),
                Arc::downgrade(&session),
                destination,
                inputs,
            ));
            lock(&shared.sessions).insert(id.clone(), session);
            Ok(ticket(&id, address, shared))
        }
        "ResumeSession" => {
            if faults.session_is_gone {
                return Err((400, "DoesNotExistException", "no such session"));
            }
            let left = &shared.resume_failures;
            if left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |it| it.checked_sub(1)).is_ok() {
                return Err((400, "InternalServerError", "try again"));
            }
            Ok(ticket(input["SessionId"].as_str().unwrap_or_default(), address, shared))
        }
        "TerminateSession" => {
            let id = input["SessionId"].as_str().unwrap_or_default();
            lock(&shared.sessions).remove(id);
            Ok(json!({ "SessionId": id }))
        }
        "GetSecretValue" => {
            let id = input["SecretId"].as_str().unwrap_or_default();
            let secrets = lock(&shared.secrets);
            let text = secrets.get(id).ok_or((
                400,
                "ResourceNotFoundException",
                "can't find the specified secret",
            ))?;
            Ok(json!({ "ARN": id, "Name": id, "SecretString": text }))
        }
        "GetParameter" => {
            let name = input["Name"].as_str().unwrap_or_default();
            if !name.starts_with("/aws/service/") {
                return Err((400, "ParameterNotFound", "only public parameters are here"));
            }
            // One that the emulator knows the architecture of, too.
            let image =
                if name.contains("arm64") { "ami-0f0000000000a4640" } else { "ami-0f00000000000a860" };
            Ok(json!({ "Parameter": { "Name": name, "Type": "String", "Value": image } }))
        }
        "DescribeInstanceInformation" => {
            let filter = &input["Filters"][0];
            assert_eq!(filter["Key"], "tag:aws:autoscaling:groupName");
            let list: Vec<Value> = lock(&shared.instances)
                .iter()
                .filter(|(group, ..)| filter["Values"][0] == group.as_str())
                .map(|(_, id, is_online)| {
                    json!({ "InstanceId": id, "PingStatus": if *is_online { "Online" } else { "ConnectionLost" } })
                })
                .collect();
            Ok(json!({ "InstanceInformationList": list }))
        }
        _ => Err((400, "UnknownOperationException", "the fake does not know this")),
    }
}

/// A fresh token for a session; the one before is worth nothing any more.
fn ticket(id: &str, address: SocketAddr, shared: &Shared) -> Value {
    let token = format!("token-{}", rand::random::<u64>());
    if let Some(session) = lock(&shared.sessions).get(id) {
        lock(&session.token).clone_from(&token);
    }
    let url = format!("ws://{address}/v1/data-channel/{id}?role=publish_subscribe");
    json!({ "SessionId": id, "StreamUrl": url, "TokenValue": token })
}

/// A web socket: checks the token, then carries frames between the client and the session's agent.
async fn serve_socket(socket: TcpStream, shared: &Arc<Shared>) {
    let _ = socket.set_nodelay(true);
    let mut id = String::new();
    let mut is_signed = false;
    #[expect(clippy::result_large_err, reason = "the signature is tungstenite's")]
    let look = |request: &tokio_tungstenite::tungstenite::handshake::server::Request, response| {
        id = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        is_signed = request.headers().get("authorization").is_some_and(|it| {
            it.to_str().unwrap_or_default().contains("/ssmmessages/aws4_request, SignedHeaders=host;")
        });
        Ok(response)
    };
    let Ok(socket) = accept_hdr_async(socket, look).await else { return };
    shared.seen.n_sockets.fetch_add(1, Ordering::Relaxed);
    lock(&shared.seen.signed).push(is_signed);
    let Some(session) = lock(&shared.sessions).get(&id).cloned() else { return };
    let (mut sink, mut source) = socket.split();
    let Some(Ok(WsMessage::Text(opening))) = source.next().await else { return };
    let opening: Value = serde_json::from_str(&opening).unwrap_or_default();
    if opening["TokenValue"] != lock(&session.token).as_str() || opening["MessageSchemaVersion"] != "1.0" {
        return;
    }
    let (out, mut queue) = mpsc::unbounded_channel::<Bytes>();
    let _ = session.to_agent.send(agent::Input::Attach(out));
    let writing = async {
        while let Some(first) = queue.recv().await {
            let mut next = Some(first);
            while let Some(frame) = next {
                if sink.feed(WsMessage::Binary(frame)).await.is_err() {
                    return;
                }
                next = queue.try_recv().ok();
            }
            if sink.flush().await.is_err() {
                return;
            }
        }
    };
    let reading = async {
        while let Some(Ok(message)) = source.next().await {
            if let WsMessage::Binary(frame) = message {
                let _ = session.to_agent.send(agent::Input::Frame(frame));
            }
        }
    };
    tokio::select! {
        () = writing => {}
        () = reading => {}
        () = session.cut.notified() => {}
    }
}
