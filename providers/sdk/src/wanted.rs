//! All that a manifest wants of one provider, and what is wrong with it.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use trellis_core::{BindingName, ContractId};

use crate::address;
use crate::values::{ValueError, Values};

/// All that a manifest wants of one provider.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    /// The provider's name in the manifest.
    #[serde(default)]
    pub provider: String,
    /// The provider's own values.
    pub values: Values,
    /// Every binding to it, in the order of the manifest.
    pub bindings: Vec<WantedBinding>,
    /// Where the host itself listens: its admin address.
    #[serde(default, with = "address::list")]
    pub host_addresses: Vec<SocketAddr>,
    /// What is wanted of other providers of the same kind. Of any two, one finds the other here.
    #[serde(default)]
    pub beside: Vec<Self>,
}

/// One binding a manifest wants.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WantedBinding {
    /// The actor's name in the manifest.
    pub actor: String,
    /// The contract.
    pub contract: ContractId,
    /// The binding's name.
    pub name: BindingName,
    /// The binding's own values, without the provider's.
    pub values: Values,
}

/// Where a wrong value stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Under the provider.
    Provider,
    /// Under the binding of this index in [`Wanted::bindings`].
    Binding(usize),
}

/// A wrong value and where it stands. The place may not have the key: a default can be in the way
/// too.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ValueProblem {
    /// Where to point.
    pub place: Place,
    /// What is wrong.
    pub error: ValueError,
}

/// What a look at the machine found about a value that is right.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// What there is to say, and where the value stands.
    pub about: ValueProblem,
    /// True when a start would be refused because of it.
    pub hinders: bool,
}

impl Wanted {
    /// Reads the provider's values alone, then each binding's over them, with the function that
    /// the provider itself reads them with. Gives what could be read, by the binding's index, and
    /// adds everything that is wrong to `problems`: a mistake under the provider once, not again
    /// for each binding.
    pub fn read_each<T>(
        &self,
        problems: &mut Vec<ValueProblem>,
        read: impl Fn(&Values) -> Result<T, ValueError>,
    ) -> Vec<(usize, T)> {
        let (_, errors) = read_whole(self.values.clone(), &read);
        let mut below = self.values.clone();
        for error in errors {
            below = below.without(&error.key);
            problems.push(ValueProblem { place: Place::Provider, error });
        }
        let mut found = Vec::with_capacity(self.bindings.len());
        for (index, binding) in self.bindings.iter().enumerate() {
            let (value, errors) = read_whole(binding.values.over(&below), &read);
            found.extend(value.map(|value| (index, value)));
            let place = Place::Binding(index);
            problems.extend(errors.into_iter().map(|error| ValueProblem { place, error }));
        }
        found
    }
}

/// Reads the values; after a mistake again without it, so that every mistake is found and not the
/// first alone. The value counts only when there was none.
fn read_whole<T>(
    mut values: Values,
    read: impl Fn(&Values) -> Result<T, ValueError>,
) -> (Option<T>, Vec<ValueError>) {
    let mut errors = Vec::new();
    loop {
        match read(&values) {
            Ok(value) => return (errors.is_empty().then_some(value), errors),
            // It is missing now because it was wrong before, which was told.
            Err(error) if errors.iter().any(|told: &ValueError| told.key == error.key) => {
                return (None, errors);
            }
            Err(error) => {
                let known = values.get(&error.key).is_some();
                values = values.without(&error.key);
                errors.push(error);
                if !known {
                    return (None, errors);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
    }

    fn binding(pairs: &[(&str, &str)]) -> WantedBinding {
        WantedBinding {
            actor: "actor".to_owned(),
            contract: ContractId::from_static("test:c"),
            name: BindingName::default(),
            values: values(pairs),
        }
    }

    fn numbers(values: &Values) -> Result<(u64, u64), ValueError> {
        Ok((values.integer("A")?.unwrap_or(1), values.integer("B")?.unwrap_or(2)))
    }

    #[test]
    fn every_mistake_is_found_once_and_where_it_stands() {
        let wanted = Wanted {
            values: values(&[("A", "x"), ("B", "7")]),
            bindings: vec![
                binding(&[]),
                binding(&[("A", "y"), ("B", "z")]),
                binding(&[("A", "3")]),
            ],
            ..Wanted::default()
        };
        let mut problems = Vec::new();
        let read = wanted.read_each(&mut problems, numbers);
        assert_eq!(read, [(0, (1, 7)), (2, (3, 7))]);
        let at: Vec<_> = problems.iter().map(|found| (found.place, &*found.error.key)).collect();
        let (first, second) = (Place::Provider, Place::Binding(1));
        assert_eq!(at, [(first, "A"), (second, "A"), (second, "B")]);
    }

    #[test]
    fn a_needed_value_that_is_wrong_is_told_once() {
        let wanted = Wanted { values: values(&[("A", "x")]), ..Wanted::default() };
        let needed = |values: &Values| {
            values.integer("A")?.ok_or_else(|| ValueError::new("A", "A is missing"))
        };
        let mut problems = Vec::new();
        wanted.read_each(&mut problems, needed);
        assert_eq!(problems.len(), 1, "{problems:?}");
    }

    #[test]
    fn a_mistake_that_is_written_nowhere_ends_the_reading() {
        let wanted = Wanted { bindings: vec![binding(&[])], ..Wanted::default() };
        let mut problems = Vec::new();
        let read = |_: &Values| Err::<(), _>(ValueError::new("NEEDED", "NEEDED is missing"));
        assert!(wanted.read_each(&mut problems, read).is_empty());
        assert_eq!(problems.len(), 2, "under the provider and under the binding: {problems:?}");
    }
}
