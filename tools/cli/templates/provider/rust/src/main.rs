//! A provider of the contract `demo:new_name`, which `contract.wit` describes.

use std::process::ExitCode;
use std::sync::Arc;

use trellis_core::{CallError, Code, Contract};
use trellis_providers_sdk::{
    BoxFuture, Call, Context, Created, Descriptor, Provider, ProviderFactory, Reply, Scope,
    Setting, SettingKind, ValueError, ValueProblem, Values, Wanted, process,
};

mod contract {
    //! The contract: its messages, its operations and the trait of who serves it.

    trellis_macros::contract! { "contract.wit", aliases: [] }
}

const CONTRACTS: &[Contract] = &[contract::CONTRACT];
const SETTINGS: &[Setting] =
    &[Setting::new("WORD", Scope::Provider, SettingKind::Text, Some("Hello"), "The first word.")];

fn main() -> ExitCode {
    process::main(Factory)
}

struct Factory;

impl ProviderFactory for Factory {
    fn descriptor(&self) -> Descriptor {
        let texts = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), "Greets.");
        Descriptor::new(texts, CONTRACTS, SETTINGS)
    }

    fn validate(&self, wanted: &Wanted) -> Vec<ValueProblem> {
        let mut problems = Vec::new();
        wanted.read_each(&mut problems, word_of);
        problems
    }

    fn create(&self, _: Context, values: Values) -> Created {
        Box::pin(async move {
            Ok(Arc::new(NewNameProvider { word: word_of(&values)? }) as Arc<dyn Provider>)
        })
    }
}

/// Reads the values: called by `validate` before anything runs, and by `create`.
fn word_of(values: &Values) -> Result<String, ValueError> {
    let word = values.get("WORD").unwrap_or("Hello");
    if word.is_empty() || !word.chars().all(char::is_alphabetic) {
        return Err(ValueError::new("WORD", "WORD must be one word of letters"));
    }
    Ok(word.to_owned())
}

struct NewNameProvider {
    word: String,
}

impl contract::Provider for NewNameProvider {
    type Caller = ();

    async fn greet(
        &self,
        (): &(),
        contract::GreetRequest { name }: contract::GreetRequest,
    ) -> Result<contract::Greeting, CallError> {
        self.greeting(&name)
    }
}

impl NewNameProvider {
    fn greeting(&self, name: &str) -> Result<contract::Greeting, CallError> {
        if name.is_empty() {
            return Err(CallError::new(Code::NotFound, "nobody has an empty name"));
        }
        Ok(contract::Greeting { text: format!("{}, {name}!", self.word) })
    }
}

impl Provider for NewNameProvider {
    fn call(&self, call: Call) -> BoxFuture<'_, Reply> {
        Box::pin(async move { contract::serve(self, &(), &call.operation, &call.payload).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_greeted() {
        let provider = NewNameProvider { word: "Hello".to_owned() };
        assert_eq!(provider.greeting("Ada").expect("a name").text, "Hello, Ada!");
        assert_eq!(provider.greeting("").expect_err("nobody").code(), Code::NotFound);
    }

    #[test]
    fn a_word_that_is_none_is_refused() {
        assert!(word_of(&Values::default().with("WORD", "Hello you")).is_err());
    }
}
