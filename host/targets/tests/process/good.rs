//! A provider as its SDK makes it, with an operation for everything that can go wrong in one.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use trellis_core::{BindingId, CallError, Code, Contract, ContractId, Direction, Operation};
use trellis_providers_sdk::{
    Binding, BoxFuture, Call, Context, Created, Descriptor, Health, Invoke, Provider,
    ProviderFactory, Reply, Sample, ValueError, ValueProblem, Values, Wanted, process,
};

pub(crate) fn main() -> ExitCode {
    process::main(Factory)
}

struct Factory;

impl ProviderFactory for Factory {
    fn descriptor(&self) -> Descriptor {
        let operation = |name: &'static str, idempotent| Operation {
            name: name.into(),
            direction: Direction::ToProvider,
            doc: "Does it.".into(),
            idempotent,
        };
        let contract = Contract {
            id: ContractId::from_static("test:good"),
            aliases: vec![].into(),
            operations: vec![operation("Do", false), operation("ExitFirst", true)].into(),
        };
        let texts = ("good", "1.0.0", "For tests.");
        Descriptor { contracts: vec![contract].into(), ..Descriptor::new(texts, &[], &[]) }
    }

    fn validate(&self, wanted: &Wanted) -> Vec<ValueProblem> {
        let wrong = |values: &Values| match values.get("GREETING") {
            Some("wrong") => Err(ValueError::new("GREETING", "GREETING is\nwrong").help("greet")),
            _ => Ok(()),
        };
        let mut problems = Vec::new();
        wanted.read_each(&mut problems, wrong);
        problems
    }

    fn create(&self, context: Context, _: Values) -> Created {
        let good = Good { context, greetings: Mutex::default(), cancelled: Arc::default() };
        Box::pin(async move { Ok(Arc::new(good) as Arc<dyn Provider>) })
    }
}

struct Good {
    context: Context,
    greetings: Mutex<BTreeMap<BindingId, String>>,
    cancelled: Arc<AtomicU32>,
}

/// Counts calls that were cut.
struct Cut(Arc<AtomicU32>);

impl Drop for Cut {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Good {
    async fn answer(&self, call: Call) -> Result<String, CallError> {
        let text = String::from_utf8_lossy(&call.payload).into_owned();
        Ok(match &*call.operation {
            "Echo" => text,
            "Greet" => {
                let greetings = self.greetings.lock();
                let unbound = || CallError::new(Code::NotFound, "no such binding");
                greetings.get(&call.binding).ok_or_else(unbound)?.clone()
            }
            "Sleep" => {
                let cut = Cut(Arc::clone(&self.cancelled));
                tokio::time::sleep(Duration::from_millis(text.parse().expect("a number"))).await;
                std::mem::forget(cut);
                text
            }
            "Cancelled" => self.cancelled.load(Ordering::SeqCst).to_string(),
            "Panic" => panic!("as it was asked to"),
            "Fail" => return Err(CallError::new(Code::NotFound, text)),
            "Fill" => "x".repeat(text.parse().expect("a number")),
            "Read" => std::fs::read_to_string(text).expect("a file"),
            "Variables" => {
                let names = std::env::vars().map(|(name, _)| name);
                let mut names: Vec<_> = names.filter(|it| !it.starts_with("TRELLIS_")).collect();
                names.sort();
                names.join(" ")
            }
            "Hang" => {
                // All threads, so that nothing is read any more; this one perhaps a moment later.
                let pid = rustix::process::getpid();
                rustix::process::kill_process(pid, rustix::process::Signal::STOP).expect("stops");
                std::future::pending().await
            }
            "ExitFirst" if std::fs::File::create_new(&text).is_err() => {
                "the second time".to_owned()
            }
            "Exit" | "ExitFirst" => {
                let pid = rustix::process::getpid();
                rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("ends");
                std::future::pending().await
            }
            "Invoke" => {
                let invoke = Invoke {
                    binding: call.binding,
                    operation: "Double".into(),
                    payload: call.payload,
                    patience: None,
                    trace: None,
                };
                let reply = self.context.invoke(invoke).await?;
                String::from_utf8_lossy(&reply).into_owned()
            }
            other => return Err(CallError::new(Code::Internal, other.to_owned())),
        })
    }
}

impl Provider for Good {
    fn bind(&self, binding: Binding) -> BoxFuture<'_, Result<(), CallError>> {
        Box::pin(async move {
            let greeting = binding.values.get("GREETING").unwrap_or_default().to_owned();
            if greeting == "wrong" {
                return Err(CallError::new(Code::Config, "GREETING is wrong"));
            }
            if let Some(mark) = greeting.strip_prefix("once ")
                && std::fs::File::create_new(mark).is_err()
            {
                return Err(CallError::new(Code::Config, "it was here before"));
            }
            self.greetings.lock().insert(binding.id, greeting);
            Ok(())
        })
    }

    fn unbind(&self, id: BindingId) -> BoxFuture<'_, ()> {
        Box::pin(async move { drop(self.greetings.lock().remove(&id)) })
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Reply> {
        Box::pin(async move { self.answer(call).await.map(Into::into) })
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        let is_well = self.greetings.lock().values().any(|greeting| greeting == "well");
        let ill = || Health::Degraded("it is a test".to_owned());
        Box::pin(async move { if is_well { Health::Healthy } else { ill() } })
    }

    fn samples(&self) -> Vec<Sample> {
        vec![Sample::gauge("greetings", "Greetings", self.greetings.lock().len() as i64)]
    }
}
