//! A server with made-up actors behind it, and a client that speaks raw bytes.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod load;
pub(crate) mod moves;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use trellis_capabilities_http_server::{CONTRACT, Request, Response};
use trellis_core::{ActorKey, BindingName, CallError, wire};
use trellis_providers_http_server::Factory;
use trellis_providers_sdk::{
    Binding, BindingId, BoxFuture, Context, Invoke, Invoker, Provider, ProviderFactory, Values,
};

pub(crate) type Answer = Result<Response, CallError>;

/// The longest any awaited event of a test may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

struct Actors<F> {
    actors: F,
    lineage: String,
}

impl<F, A> Invoker for Actors<F>
where
    F: Fn(Invoke, Request) -> A + Send + Sync,
    A: Future<Output = Result<Bytes, CallError>> + Send + 'static,
{
    fn invoke(&self, invoke: Invoke) -> BoxFuture<'_, Result<Bytes, CallError>> {
        assert_eq!(invoke.operation, "HandleRequest");
        let request = wire::decode(&invoke.payload).expect("the provider sends what it should");
        Box::pin((self.actors)(invoke, request))
    }

    fn lineage(&self) -> &str {
        &self.lineage
    }

    /// Of `HOST/PROVIDER`.
    fn host(&self) -> &str {
        self.lineage.split_once('/').map_or("", |(host, _)| host)
    }
}

pub(crate) fn values(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn encoded(answer: &Response) -> Bytes {
    wire::encode(answer).expect("encodes").into()
}

/// A provider whose actors answer with raw bytes.
pub(crate) async fn provider_raw<F, A>(actors: F) -> Arc<dyn Provider>
where
    F: Fn(Invoke, Request) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Bytes, CallError>> + Send + 'static,
{
    provider_of("", actors).await
}

/// The same, with more values of its own.
pub(crate) async fn provider_raw_with<F, A>(pairs: &[(&str, &str)], actors: F) -> Arc<dyn Provider>
where
    F: Fn(Invoke, Request) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Bytes, CallError>> + Send + 'static,
{
    create("", pairs, actors).await
}

/// The same, as one of the instances that take one another's place.
pub(crate) async fn provider_of<F, A>(lineage: &str, actors: F) -> Arc<dyn Provider>
where
    F: Fn(Invoke, Request) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Bytes, CallError>> + Send + 'static,
{
    create(lineage, &[], actors).await
}

/// A provider with more values of its own, whose actors answer.
pub(crate) async fn provider_with<F, A>(pairs: &[(&str, &str)], actors: F) -> Arc<dyn Provider>
where
    F: Fn(Invoke, Request) -> A + Send + Sync + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    create("", pairs, encoding(actors)).await
}

async fn create<F, A>(lineage: &str, pairs: &[(&str, &str)], actors: F) -> Arc<dyn Provider>
where
    F: Fn(Invoke, Request) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Bytes, CallError>> + Send + 'static,
{
    let context = Context::new(self::actors(lineage, actors));
    let pairs = [&[("ADDRESS", "127.0.0.1"), ("PORT", "0")], pairs].concat();
    Factory.create(context, values(&pairs)).await.expect("the provider starts")
}

/// The way to actors that answer with raw bytes.
pub(crate) fn actors<F, A>(lineage: &str, actors: F) -> Arc<dyn Invoker>
where
    F: Fn(Invoke, Request) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Bytes, CallError>> + Send + 'static,
{
    Arc::new(Actors { actors, lineage: lineage.to_owned() })
}

/// Actors that answer with raw bytes, of those that answer.
fn encoding<F, A>(
    actors: F,
) -> impl Fn(Invoke, Request) -> BoxFuture<'static, Result<Bytes, CallError>> + Send + Sync
where
    F: Fn(Invoke, Request) -> A + Send + Sync + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    move |invoke, request| {
        let answer = actors(invoke, request);
        Box::pin(async move { answer.await.map(|answer| encoded(&answer)) })
    }
}

/// A provider whose actors answer.
pub(crate) async fn provider<F, A>(actors: F) -> Arc<dyn Provider>
where
    F: Fn(Invoke, Request) -> A + Send + Sync + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    provider_raw(encoding(actors)).await
}

pub(crate) fn binding(id: u64, pairs: &[(&str, &str)]) -> Binding {
    Binding {
        id: BindingId(id),
        actor: ActorKey::new(format!("M{id}")),
        actor_name: format!("actor-{id}"),
        contract: CONTRACT.id.clone(),
        name: BindingName::default(),
        payload_bytes_max: 17 << 20,
        values: values(pairs),
    }
}

/// Binds and tells where.
pub(crate) async fn bind(
    provider: &Arc<dyn Provider>,
    id: u64,
    pairs: &[(&str, &str)],
) -> SocketAddr {
    provider.bind(binding(id, pairs)).await.expect("binds");
    let listening = provider.addresses();
    listening.iter().find(|at| at.binding == BindingId(id)).expect("listens").address
}

/// A server with one actor, on a port of its own.
pub(crate) async fn serve<F, A>(pairs: &[(&str, &str)], actor: F) -> (Arc<dyn Provider>, SocketAddr)
where
    F: Fn(Invoke, Request) -> A + Send + Sync + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    let provider = provider(actor).await;
    let address = bind(&provider, 1, pairs).await;
    (provider, address)
}

/// An actor that tells what it saw: method, path, query, header, body.
pub(crate) async fn mirror(_: Invoke, request: Request) -> Answer {
    let mut text = format!("{} {}?{}\n", request.method, request.path, request.query_string);
    for (name, value) in request.header.iter() {
        text.push_str(&format!("{name}: {value}\n"));
    }
    text.push_str(&format!("body {}\n", String::from_utf8_lossy(&request.body)));
    Ok(Response::text(text))
}

/// What a client got.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Got {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let named = |(key, _): &&(String, String)| key.as_str() == name;
        self.fields.iter().find(named).map(|(_, value)| value.as_str())
    }

    /// The code of an error the server made itself.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.field("content-type"), Some("application/json"), "{self:?}");
        let json: serde_json::Value = serde_json::from_str(&self.body).expect("JSON");
        json["error"]["code"].as_str().expect("a code").to_owned()
    }
}

pub(crate) struct Client {
    tcp: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) async fn new(address: SocketAddr) -> Self {
        let tcp = TcpStream::connect(address).await.expect("connects");
        Self { tcp, buffer: Vec::new() }
    }

    /// A client, if anybody listens there.
    pub(crate) async fn new_if_open(address: SocketAddr) -> Option<Self> {
        let tcp = TcpStream::connect(address).await.ok()?;
        Some(Self { tcp, buffer: Vec::new() })
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.tcp.write_all(bytes.as_ref()).await.expect("sends");
    }

    /// Sends what the server may no longer take.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.tcp.write_all(bytes.as_ref()).await.is_ok()
    }

    pub(crate) async fn get(&mut self, path: &str) -> Got {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")).await;
        self.answer().await
    }

    pub(crate) async fn answer(&mut self) -> Got {
        self.answer_to(false).await.expect("an answer")
    }

    pub(crate) async fn answer_to_head(&mut self) -> Got {
        self.answer_to(true).await.expect("an answer")
    }

    /// The next answer; `None` when the server closes instead.
    pub(crate) async fn try_answer(&mut self) -> Option<Got> {
        self.answer_to(false).await
    }

    async fn answer_to(&mut self, head: bool) -> Option<Got> {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            self.more().await.then_some(())?;
        };
        let text = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end + 4);
        let mut lines = text.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().expect("a status");
        let fields: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").expect("a field"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut got = Got { status, fields, body: String::new() };
        let length = got.field("content-length").map_or(0, |text| text.parse().expect("a length"));
        let length = if head { 0 } else { length };
        while self.buffer.len() < length {
            assert!(self.more().await, "the body of {got:?} is cut");
        }
        got.body = String::from_utf8_lossy(&self.buffer[..length]).into_owned();
        self.buffer.drain(..length);
        Some(got)
    }

    async fn more(&mut self) -> bool {
        let mut chunk = vec![0; 64 << 10];
        let read = tokio::time::timeout(PATIENCE, self.tcp.read(&mut chunk)).await;
        match read.expect("the server does something") {
            Ok(read @ 1..) => {
                self.buffer.extend_from_slice(&chunk[..read]);
                true
            }
            _ => false,
        }
    }

    /// Closes at once and without a good-bye: what has not arrived yet is lost.
    pub(crate) fn reset(self) {
        self.tcp.set_zero_linger().expect("it is open");
    }

    /// Reads so many bytes and stops.
    pub(crate) async fn take(&mut self, bytes: usize) {
        while self.buffer.len() < bytes {
            assert!(self.more().await, "the server closed");
        }
    }

    /// Waits until the server has closed, and tells that nothing came before.
    pub(crate) async fn closed(&mut self) -> bool {
        self.buffer.is_empty() && !self.more().await
    }

    pub(crate) async fn finish(&mut self) {
        self.tcp.shutdown().await.expect("shuts down");
    }
}

/// One request on a connection of its own.
pub(crate) async fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Got {
    let mut client = Client::new(address).await;
    client.send(bytes).await;
    client.answer().await
}

/// The metrics of a provider, as text.
pub(crate) fn metrics(provider: &Arc<dyn Provider>) -> String {
    provider.samples().iter().map(|sample| format!("{sample}\n")).collect()
}

/// Waits until something is so.
pub(crate) async fn until(so: impl Fn() -> bool) {
    let looked = async {
        while !so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, looked).await.expect("it becomes so");
}

/// The same, when looking takes waiting.
pub(crate) async fn until_async<F: Future<Output = bool>>(so: impl Fn() -> F) {
    let looked = async {
        while !so().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, looked).await.expect("it becomes so");
}
