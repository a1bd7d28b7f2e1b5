//! Providers that keep to nothing, one for each way of it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use trellis_core::{BindingId, CallError, Code, Contract, ContractId, Direction, Operation, wire};
use trellis_providers_sdk::process::{
    FromHost, FromProvider, Offer, PROTOCOL, SOCKET_VARIABLE, TOKEN_VARIABLE, encode,
};
use trellis_providers_sdk::{Descriptor, Health};

struct Line(UnixStream);

impl Line {
    fn open() -> Self {
        let socket = std::env::var_os(SOCKET_VARIABLE).expect("the host says where");
        Self(UnixStream::connect(socket).expect("the host listens"))
    }

    fn say(&mut self, frame: &FromProvider) {
        self.raw(&encode(frame).expect("it fits"));
    }

    fn raw(&mut self, bytes: &[u8]) {
        // The host may have hung up.
        drop(self.0.write_all(bytes));
    }

    /// Reads one frame, whatever is in it.
    fn skip(&mut self) {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).expect("the host speaks");
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut body).expect("the host speaks");
    }

    /// Reads one frame; nothing when the host has hung up.
    fn hear(&mut self) -> Option<FromHost> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).ok()?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut body).ok()?;
        wire::decode(&body).ok()
    }

    /// Waits for the end of the connection.
    fn wait(&mut self) {
        let mut rest = Vec::new();
        drop(self.0.read_to_end(&mut rest));
    }
}

fn offer() -> Offer {
    let operation = Operation {
        name: "Do".into(),
        direction: Direction::ToProvider,
        doc: "Does it.".into(),
        idempotent: false,
    };
    let contract = Contract {
        id: ContractId::from_static("test:bad"),
        aliases: vec![].into(),
        operations: vec![operation].into(),
    };
    let texts = ("bad", "1.0.0", "For tests.");
    let descriptor =
        Descriptor { contracts: vec![contract].into(), ..Descriptor::new(texts, &[], &[]) };
    let token = std::env::var(TOKEN_VARIABLE).expect("the host gives one");
    Offer { token, protocol: PROTOCOL, descriptor, checks: false }
}

fn hello(line: &mut Line, offer: Offer) {
    line.say(&FromProvider::Hello(Box::new(offer)));
}

/// What it says once it has answered `create`; it is asked to do something first.
fn after_create(line: &mut Line, how: &str) {
    hello(line, offer());
    line.skip();
    line.say(&FromProvider::Ready { id: 1 });
    match how {
        "deaf" => loop {
            std::thread::park();
        },
        _ => line.skip(),
    }
    match how {
        "garbage" => line.raw(b"\x00\x00\x00\x05hello"),
        "one-gibibyte" => line.raw(&(1_u32 << 30).to_be_bytes()),
        "half" => line.raw(b"\x00\x00\x01\x00half"),
        "somebody-elses" => line.say(&FromProvider::result(1 << 40, Ok("mine".into()))),
        "hello-again" => hello(line, offer()),
        "many-values" => {
            let list = b"\x82\xa1t\xa6result\xa1x\xdd\x00\x80\x00\x00";
            let length = u32::try_from(list.len() + (8 << 20)).expect("it fits");
            line.raw(&length.to_be_bytes());
            line.raw(list);
            line.raw(&vec![0; 8 << 20]);
        }
        "no-health" => {
            let error = CallError::new(Code::NotFound, "there is no such request");
            line.say(&FromProvider::result(2, Err(error)));
        }
        "unknown" => line.raw(b"\x00\x00\x00\x09\x81\xa1t\xa5other"),
        "unwell" => {
            line.raw(b"\x00\x00\x00\x1c\x83\xa1t\xa7healthy\xa2id\x01\xa8degraded\x91\xa2no");
        }
        "twice" => [0, 0].into_iter().for_each(|id| line.say(&invoke(id))),
        "long-name" => {
            let FromProvider::Invoke { id, binding, payload, deadline_ms, trace, .. } = invoke(1)
            else {
                unreachable!("it is one")
            };
            let operation = "x".repeat(300).into();
            let frame =
                FromProvider::Invoke { id, binding, operation, payload, deadline_ms, trace };
            line.say(&frame);
        }
        "flood" => (0..2_000).for_each(|id| line.say(&invoke(id))),
        other => panic!("{other}"),
    }
    line.wait();
}

/// Takes longer for an answer than it may take to say how it is, and is never silent for that long.
fn dawdle(line: &mut Line) {
    hello(line, offer());
    line.skip();
    line.say(&FromProvider::Ready { id: 1 });
    let Some(FromHost::Call { id, .. }) = line.hear() else { return };
    let slow = encode(&FromProvider::result(id, Ok(vec![0; 100].into()))).expect("it fits");
    for piece in slow.chunks(slow.len().div_ceil(25)) {
        line.raw(piece);
        std::thread::park_timeout(Duration::from_millis(100));
    }
    while let Some(frame) = line.hear() {
        match frame {
            FromHost::Call { id, .. } => line.say(&FromProvider::result(id, Ok("alive".into()))),
            FromHost::Health { id } => {
                line.say(&FromProvider::healthy(id, Health::Healthy, (vec![], vec![])));
            }
            _ => {}
        }
    }
}

/// What it says when it is asked about values.
fn after_check(line: &mut Line, how: &str) {
    hello(line, Offer { checks: true, ..offer() });
    line.skip();
    match how {
        "check-dies" => {
            eprintln!("error: no idea");
            return;
        }
        "check-garbage" => line.raw(b"\x00\x00\x00\x05hello"),
        "check-ready" => line.say(&FromProvider::Ready { id: 1 }),
        "check-fails" => {
            let error = CallError::new(Code::Config, "it has no license");
            line.say(&FromProvider::result(1, Err(error)));
        }
        "check-invokes" => {
            line.say(&invoke(1));
            line.skip();
            line.say(&FromProvider::result(1, Ok("right".into())));
        }
        "check-silent" => {}
        other => panic!("{other}"),
    }
    line.wait();
}

/// A call to an actor that does not answer.
fn invoke(id: u64) -> FromProvider {
    FromProvider::Invoke {
        id,
        binding: BindingId(1),
        operation: "Do".into(),
        payload: "hang".into(),
        deadline_ms: None,
        trace: None,
    }
}

pub(crate) fn main(how: Option<String>) -> ExitCode {
    let how = how.unwrap_or_default();
    match how.as_str() {
        "silent" => loop {
            std::thread::park();
        },
        "exits" => {
            eprintln!("Error: it has no license\n    at line 1");
            return ExitCode::from(3);
        }
        "closes" => drop(Line::open()),
        "no-token" => {
            let mut line = Line::open();
            hello(&mut line, Offer { token: "00".to_owned(), ..offer() });
            line.wait();
        }
        "old" => hello(&mut Line::open(), Offer { protocol: 7, ..offer() }),
        "serves-nothing" => {
            let mut offer = offer();
            offer.descriptor.contracts = vec![].into();
            hello(&mut Line::open(), offer);
        }
        "nameless" => {
            let mut offer = offer();
            offer.descriptor.name = "a\nb".into();
            hello(&mut Line::open(), offer);
        }
        "implicit" => {
            let mut offer = offer();
            offer.descriptor.implicit = true;
            hello(&mut Line::open(), offer);
        }
        "long-hello" => Line::open().raw(&(2_u32 << 20).to_be_bytes()),
        "shy" => Line::open().say(&FromProvider::Ready { id: 1 }),
        "liar" => {
            // Each time it is asked it is another one.
            let mut offer = offer();
            offer.descriptor.version = std::process::id().to_string().into();
            let mut line = Line::open();
            hello(&mut line, offer);
            line.wait();
        }
        "crashes" => {
            let mut line = Line::open();
            hello(&mut line, offer());
            line.skip();
            line.say(&FromProvider::Ready { id: 1 });
        }
        "dawdles" => dawdle(&mut Line::open()),
        how if how.starts_with("check-") => after_check(&mut Line::open(), how),
        how => after_create(&mut Line::open(), how),
    }
    ExitCode::SUCCESS
}
