//! A closed WASI for guests that import it: no folders, no arguments, no environment, no sockets;
//! output goes to the actor's log; clocks and randomness work.
//!
//! Both generations are served, `wasi_snapshot_preview1` and `wasi_unstable`. Sleeping guests wait
//! like guests in a host call: the deadline ends them.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use trellis_core::{CallError, Code};
use wasmtime::{ExternType, Linker, Store, ValType};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{WasiCtxBuilder, async_trait, p0, p1};

use crate::instance::{ActorShared, Guest};
use crate::log::LogSource;
use crate::shape::{FunctionType, ModuleShape, ValueType};

/// The module names of the two generations.
const NAMESPACES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];
/// Most random bytes one call gives.
const RANDOM_BYTES_MAX: u64 = 64 << 10;
/// Most bytes taken from the guest in one write.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// Adds both generations.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    p1::add_to_linker_async(linker, context_of)?;
    p0::add_to_linker_async(linker, context_of)
}

fn context_of(guest: &mut Guest) -> &mut WasiP1Ctx {
    guest.wasi.as_mut().expect("only guests that import WASI are linked with it")
}

/// A new guest's WASI.
pub(crate) fn context(actor: &Arc<ActorShared>) -> Box<WasiP1Ctx> {
    let stream = |source| Output::new(Arc::clone(actor), source);
    let context = WasiCtxBuilder::new()
        .stdout(stream(LogSource::Stdout))
        .stderr(stream(LogSource::Stderr))
        .max_random_size(RANDOM_BYTES_MAX)
        .allow_tcp(false)
        .allow_udp(false)
        .build_p1();
    Box::new(context)
}

/// True when the module imports WASI of either generation.
pub(crate) fn is_imported(shape: &ModuleShape) -> bool {
    shape.imports.iter().any(|import| NAMESPACES.contains(&import.module.as_str()))
}

/// The WASI functions there are, by module and name.
pub(crate) struct Catalog(HashMap<(String, String), FunctionType>);

impl Catalog {
    pub(crate) fn new(engine: &wasmtime::Engine) -> wasmtime::Result<Self> {
        fn nothing(context: &mut Option<WasiP1Ctx>) -> &mut WasiP1Ctx {
            context.as_mut().expect("the catalog's functions are read, never called")
        }
        let mut linker: Linker<Option<WasiP1Ctx>> = Linker::new(engine);
        p1::add_to_linker_async(&mut linker, nothing)?;
        p0::add_to_linker_async(&mut linker, nothing)?;
        let mut store = Store::new(engine, None);
        let items: Vec<_> = linker
            .iter(&mut store)
            .map(|(module, name, item)| (module.to_owned(), name.to_owned(), item))
            .collect();
        let mut functions = HashMap::new();
        for (module, name, item) in items {
            if let ExternType::Func(ty) = item.ty(&store) {
                let params = ty.params().map(|v| value_type(&v)).collect();
                let results = ty.results().map(|v| value_type(&v)).collect();
                functions.insert((module, name), FunctionType { params, results });
            }
        }
        Ok(Self(functions))
    }

    /// Checks the module's imports from WASI, and that it imports nothing but waPC, WASI and
    /// AssemblyScript's `env.abort`.
    ///
    /// # Errors
    /// `E_MODULE_ABI`, naming the import.
    pub(crate) fn check(&self, shape: &ModuleShape) -> Result<(), CallError> {
        for import in &shape.imports {
            if super::wapc::NAMESPACES.contains(&import.module.as_str()) {
                continue;
            }
            let name = format!("{}.{}", import.module, import.name);
            let key = (import.module.clone(), import.name.clone());
            let abort = FunctionType::of_i32(4, 0);
            let expected = if name == "env.abort" { Some(&abort) } else { self.0.get(&key) };
            let problem = match (expected, &import.function) {
                (None, _) => format!("the import `{name}` is unknown to this host"),
                (Some(_), None) => format!("the import `{name}` must be a function"),
                (Some(expected), Some(found)) if expected != found => {
                    format!("the import `{name}` has the type {found}, expected {expected}")
                }
                _ => continue,
            };
            return Err(CallError::new(Code::ModuleAbi, problem));
        }
        Ok(())
    }
}

fn value_type(value: &ValType) -> ValueType {
    match value {
        ValType::I32 => ValueType::I32,
        ValType::I64 => ValueType::I64,
        ValType::F32 => ValueType::F32,
        ValType::F64 => ValueType::F64,
        ValType::V128 => ValueType::V128,
        ValType::Ref(_) => ValueType::Ref,
    }
}

/// Standard output or error: whole lines go to the log.
#[derive(Clone)]
struct Output {
    actor: Arc<ActorShared>,
    source: LogSource,
    /// The line that is not finished yet, shared by every handle the guest has.
    line: Arc<Mutex<Vec<u8>>>,
}

impl Output {
    fn new(actor: Arc<ActorShared>, source: LogSource) -> Self {
        Self { actor, source, line: Arc::default() }
    }

    fn push(&self, bytes: &[u8]) {
        let mut line = self.line.lock();
        let max = self.actor.log.line_bytes_max();
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            // One byte more than the limit is kept, so that the log sees and counts the cut.
            let room = (max + 1).saturating_sub(line.len());
            line.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                self.actor.log.write(self.source, &line);
                line.clear();
            }
        }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
