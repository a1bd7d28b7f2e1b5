//! A provider of the contract `demo:new_name`, which `contract.wit` describes: a signed module.
//!
//! **Deliberately absent:** who asks, and what becomes of the answer.

use trellis_actor::provider::{About, Configuration, Setting, caller};
use trellis_core::wire::Pairs;
use trellis_core::{CallError, Code};

mod contract {
    //! The contract: its messages, its operations and the trait of who serves it.

    trellis_macros::contract! { "contract.wit", aliases: [] }
}

struct NewNameProvider;

trellis_actor::serve! {
    contract => NewNameProvider,
    About::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), "Greets.")
        .settings(&[Setting::text("WORD", "The first word; `Hello` without it.")])
        .bind(check)
}

impl contract::Provider for NewNameProvider {
    type Caller = ();

    async fn greet(
        &self,
        (): &(),
        contract::GreetRequest { name }: contract::GreetRequest,
    ) -> Result<contract::Greeting, CallError> {
        // The values of the binding over which the actor asks.
        greeting(word_of(&caller()?.values)?, &name)
    }
}

/// Looks at a binding before it is served.
fn check(configuration: &Configuration) -> Result<(), CallError> {
    word_of(&configuration.values).map(drop)
}

/// Reads the values.
fn word_of(values: &Pairs<String>) -> Result<&str, CallError> {
    let word = values.get("WORD").map_or("Hello", String::as_str);
    if word.is_empty() || !word.chars().all(char::is_alphabetic) {
        return Err(CallError::new(Code::Config, "WORD must be one word of letters"));
    }
    Ok(word)
}

fn greeting(word: &str, name: &str) -> Result<contract::Greeting, CallError> {
    if name.is_empty() {
        return Err(CallError::new(Code::NotFound, "nobody has an empty name"));
    }
    Ok(contract::Greeting { text: format!("{word}, {name}!") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_greeted() {
        assert_eq!(greeting("Hello", "Ada").expect("a name").text, "Hello, Ada!");
        assert_eq!(greeting("Hello", "").expect_err("nobody").code(), Code::NotFound);
    }

    #[test]
    fn a_word_that_is_none_is_refused() {
        let values = |word: &str| Pairs(vec![("WORD".to_owned(), word.to_owned())]);
        assert_eq!(word_of(&Pairs::new()).expect("the default"), "Hello");
        assert!(word_of(&values("Hello you")).is_err() && word_of(&values("")).is_err());
    }
}
