//! Are the names in the claims names of something? A host grants what is written, so a name with a
//! typo would be granted and never be of use.

use std::collections::BTreeSet;

use trellis_claims::{KeyKind, PublicKey, normalize_alias};
use trellis_core::{Contract, nearest};
use trellis_keystore::Keystore;

use super::draft::Names;

/// Contracts of the originals of which only the name is known here (waSCC 0.14, wasmCloud 0.18).
const ORIGINALS: [&str; 13] = [
    "wascc:blobstore",
    "wascc:eventstreams",
    "wascc:http_client",
    "wascc:messaging",
    "wasmcloud:blobstore",
    "wasmcloud:builtin:logging",
    "wasmcloud:builtin:numbergen",
    "wasmcloud:eventstreams",
    "wasmcloud:graphdb",
    "wasmcloud:httpclient",
    "wasmcloud:messaging",
    "wasmcloud:sqldb",
    "wasmcloud:telnet",
];
/// Fewest characters of a text that was meant to be a key: no name is that long and all upper case.
const KEY_CHARS_MIN: usize = 40;

/// What there is to say about the names in claims.
#[derive(Default, Debug)]
pub(super) struct Findings {
    /// Why it must not be signed.
    pub(super) problems: Vec<Finding>,
    /// Why it should be looked at again.
    pub(super) warnings: Vec<String>,
}

/// One reason, and what to do.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Finding {
    pub(super) message: String,
    pub(super) help: String,
    /// True when the user may know better.
    pub(super) may_be_forced: bool,
}

/// The names that exist.
pub(super) struct Known {
    contracts: Vec<&'static Contract>,
    /// Those of them that a host of this version can serve.
    served: Vec<Contract>,
    /// Actors whose keys this user has, as call aliases are compared.
    actors: BTreeSet<String>,
}

/// What a contract's id turned out to be.
enum Id<'a> {
    /// A contract whose operations are known.
    Contract(&'a Contract),
    /// A name of the originals, of which nothing else is known.
    Original,
    /// The key of an actor (waSCC's rule).
    Key,
    /// Probably this one, mistyped.
    Mistyped(&'a str),
    /// Nothing known, nor like it.
    Custom,
}

impl Known {
    /// The contracts of this version, and the actors in the user's keystore.
    pub(super) fn here() -> Self {
        let entries = Keystore::open_default().and_then(|keystore| keystore.entries());
        // Without a keystore there is less to compare with, which is no reason to fail.
        let entries = entries.unwrap_or_default().into_iter();
        let modules = entries.filter(|entry| entry.kind == KeyKind::Module);
        let actors = modules.filter_map(|entry| normalize_alias(entry.name.as_str())).collect();
        Self { contracts: contracts(), served: served(), actors }
    }

    /// Checks every name.
    pub(super) fn check(&self, names: &Names) -> Findings {
        let mut findings = Findings::default();
        for contract in &names.caps {
            self.check_contract(contract, &mut findings);
        }
        for (contract, operations) in &names.grants {
            if let Id::Contract(known) = self.identify(contract) {
                check_operations(known, operations, &mut findings);
            }
        }
        for callee in &names.calls {
            self.check_callee(callee, &mut findings);
        }
        if let Some(alias) = &names.call_alias {
            self.check_alias(alias, &names.caps, &mut findings);
        }
        findings
    }

    fn check_contract(&self, id: &str, findings: &mut Findings) {
        match self.identify(id) {
            Id::Contract(contract) if self.served.iter().any(|it| it.id == contract.id) => {}
            Id::Key => {}
            Id::Contract(_) | Id::Original => findings.warnings.push(format!(
                "no provider of this version serves `{id}`: a host runs the actor, and refuses its \
                 calls over it"
            )),
            Id::Mistyped(near) => findings.problems.push(Finding {
                message: format!("there is no contract `{id}`"),
                help: format!(
                    "Did you mean `{near}`? If it is a contract of your own, pass --force."
                ),
                may_be_forced: true,
            }),
            Id::Custom if is_like_a_key(id) => findings.problems.push(mistyped_key("--cap", id)),
            Id::Custom => findings.warnings.push(format!(
                "`{id}` is not a contract known here; it is signed as one of your own"
            )),
        }
    }

    fn identify(&self, id: &str) -> Id<'_> {
        if let Some(contract) = self.contracts.iter().find(|contract| contract.answers_to(id)) {
            return Id::Contract(contract);
        }
        if ORIGINALS.contains(&id) {
            return Id::Original;
        }
        if PublicKey::parse(id).is_ok() {
            return Id::Key;
        }
        let meant: Vec<&str> = self.ids().filter(|known| is_mistyped(id, known)).collect();
        // A name without its namespace is near to none of them; the first is then the best guess.
        let near = nearest(id, meant.iter().copied()).or(meant.first().copied());
        near.map_or(Id::Custom, Id::Mistyped)
    }

    /// Every contract id and alias.
    fn ids(&self) -> impl Iterator<Item = &str> {
        let own = self.contracts.iter().map(|contract| contract.id.as_str());
        let others = self.contracts.iter().flat_map(|contract| contract.aliases.iter());
        own.chain(ORIGINALS).chain(others.map(|alias| alias.as_str()))
    }

    fn check_callee(&self, callee: &str, findings: &mut Findings) {
        if PublicKey::parse(callee).is_ok() {
            return;
        }
        if is_like_a_key(callee) {
            findings.problems.push(mistyped_key("--calls", callee));
            return;
        }
        let Some(alias) = normalize_alias(callee) else { return };
        if self.actors.contains(&alias) {
            return;
        }
        let near = nearest(&alias, self.actors.iter().map(String::as_str));
        let near = near.map(|near| format!("; did you mean `--calls {near}`?"));
        findings.warnings.push(format!(
            "you have no key of an actor `{alias}`, so `--calls {alias}` is taken as a call alias: \
             it allows calls to an actor that is signed with `--call-alias {alias}`. To have that \
             `name` in a manifest is not enough{}",
            near.unwrap_or_default()
        ));
    }

    /// To a guest a callee and a contract are both a namespace, so one name cannot be both.
    fn check_alias(&self, alias: &str, caps: &[String], findings: &mut Findings) {
        let Some(alias) = normalize_alias(alias) else { return };
        let own = caps.iter().map(String::as_str);
        let same = |id: &&str| normalize_alias(id).as_ref() == Some(&alias);
        if let Some(id) = self.ids().chain(own).find(same) {
            findings.problems.push(Finding {
                message: format!("the call alias `{alias}` is the contract `{id}`"),
                help: "Calls by that name would never reach the actor: give it another alias."
                    .to_owned(),
                may_be_forced: false,
            });
        }
    }
}

fn contracts() -> Vec<&'static Contract> {
    trellis_capabilities::ALL.iter().map(|(_, contract)| *contract).collect()
}

fn served() -> Vec<Contract> {
    let builtins = trellis_app::providers::builtins();
    builtins.iter().flat_map(|factory| factory.descriptor().contracts.into_owned()).collect()
}

fn check_operations(contract: &Contract, operations: &[String], findings: &mut Findings) {
    let names = || contract.operations.iter().map(|operation| &*operation.name);
    for operation in operations.iter().filter(|name| contract.operation(name).is_none()) {
        let list = names().collect::<Vec<_>>().join(", ");
        let help = match nearest(operation, names()) {
            Some(near) => format!("Did you mean `{near}`? {} has: {list}.", contract.id),
            None => format!("{} has: {list}.", contract.id),
        };
        findings.problems.push(Finding {
            message: format!("{} has no operation `{operation}`", contract.id),
            help,
            may_be_forced: false,
        });
    }
}

/// True when `id` is `known` in another spelling, with a typo, or without its namespace.
fn is_mistyped(id: &str, known: &str) -> bool {
    let like = |written: &str, known: &str| {
        squashed(written) == squashed(known) || nearest(written, [known]).is_some()
    };
    let (known_space, known_name) = known.split_once(':').unwrap_or(("", known));
    match id.split_once(':') {
        Some((space, name)) => like(space, known_space) && like(name, known_name),
        None => like(id, known_name),
    }
}

/// A name without what people spell differently: case, hyphens, underscores, spaces.
fn squashed(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn is_like_a_key(text: &str) -> bool {
    let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    text.len() >= KEY_CHARS_MIN && text.bytes().all(upper)
}

fn mistyped_key(option: &str, text: &str) -> Finding {
    Finding {
        message: format!("{option} {text} looks like a key but is not one"),
        help: "Copy the whole key; `trellis inspect` shows an actor's.".to_owned(),
        may_be_forced: false,
    }
}

#[cfg(test)]
mod tests {
    use trellis_claims::KeyPair;

    use super::*;

    fn known() -> Known {
        let actors = ["audit", "the_counter"].map(str::to_owned).into();
        Known { contracts: contracts(), served: served(), actors }
    }

    fn about_cap(id: &str) -> Findings {
        known().check(&Names { caps: vec![id.to_owned()], ..Names::default() })
    }

    fn about_callee(callee: &str) -> Findings {
        known().check(&Names { calls: vec![callee.to_owned()], ..Names::default() })
    }

    #[test]
    fn names_that_exist_need_no_word() {
        let key = KeyPair::generate(KeyKind::Module).public().to_string();
        let caps = ["wascc:keyvalue", "wasmcloud:httpserver", "trellis:clock", &key];
        for id in caps {
            let findings = about_cap(id);
            assert!(findings.problems.is_empty() && findings.warnings.is_empty(), "{id}");
        }
        for callee in ["audit", "The-Counter", &key] {
            let findings = about_callee(callee);
            assert!(findings.problems.is_empty() && findings.warnings.is_empty(), "{callee}");
        }
    }

    #[test]
    fn a_contract_that_nothing_serves_is_warned_of() {
        for id in ["wascc:messaging", "wasmcloud:httpclient", "wascc:blobstore"] {
            let findings = about_cap(id);
            assert_eq!((findings.problems.len(), findings.warnings.len()), (0, 1), "{id}");
            let warning = &findings.warnings[0];
            assert!(warning.contains("no provider") && warning.contains(id), "{warning}");
        }
    }

    #[test]
    fn a_mistyped_contract_is_refused_with_the_nearest() {
        for (id, near) in [
            ("keyvalue", "wascc:keyvalue"),
            ("wascc:keyvlaue", "wascc:keyvalue"),
            ("wasc:keyvalue", "wascc:keyvalue"),
            ("WASCC:KeyValue", "wascc:keyvalue"),
            ("wascc:http-server", "wascc:http_server"),
            ("wasmcloud:keyvlaue", "wasmcloud:keyvalue"),
            ("http_client", "wascc:http_client"),
            ("wascc:loging", "wascc:logging"),
            ("wascc:http_clent", "wascc:http_client"),
            ("wascc:http_serv", "wascc:http_server"),
            ("trellis:clok", "trellis:clock"),
        ] {
            let problem = about_cap(id).problems.pop().expect(id);
            assert!(problem.help.contains(&format!("`{near}`")), "{id}: {}", problem.help);
            assert!(problem.may_be_forced, "{id}");
        }
    }

    #[test]
    fn a_contract_of_ones_own_is_only_warned_of() {
        for id in ["acme:keyvalue", "acme:ledger", "wascc:codec", "ledger", "trellis:later"] {
            let findings = about_cap(id);
            assert_eq!((findings.problems.len(), findings.warnings.len()), (0, 1), "{id}");
            assert!(findings.warnings[0].contains(id));
        }
    }

    #[test]
    fn an_operation_must_be_one_of_the_contract() {
        let granted = |contract: &str, operation: &str| {
            let grants = [(contract.to_owned(), vec![operation.to_owned()])].into();
            known().check(&Names { grants, ..Names::default() }).problems
        };
        for contract in ["wascc:keyvalue", "wasmcloud:keyvalue"] {
            assert!(granted(contract, "Add").is_empty());
            let problem = granted(contract, "Addd").pop().expect("no such operation");
            assert!(problem.help.contains("Did you mean `Add`?"), "{}", problem.help);
            assert!(!problem.may_be_forced);
        }
        assert!(granted("wascc:http_server", "HandleRequest").is_empty(), "either direction");
        assert!(granted("acme:ledger", "Anything").is_empty(), "nobody here knows it");
        let problem = granted("wascc:keyvalue", "Frobnicate").pop().expect("no such operation");
        assert!(problem.help.starts_with("wascc:keyvalue has: "), "{}", problem.help);
    }

    #[test]
    fn a_callee_nobody_knows_is_warned_of() {
        let warning = about_callee("audt").warnings.pop().expect("nobody is called so");
        assert!(warning.contains("--calls audit"), "{warning}");
        let warning = about_callee("billing").warnings.pop().expect("nobody is called so");
        assert!(warning.contains("call alias"), "{warning}");
        assert!(warning.contains("signed with `--call-alias billing`"), "{warning}");
        let key = KeyPair::generate(KeyKind::Module).public().to_string();
        let broken = format!("{}A", &key[..55].replace('7', "6"));
        let cut = &key[..50];
        for text in [cut, &broken] {
            if PublicKey::parse(text).is_err() {
                assert_eq!(about_callee(text).problems.len(), 1, "{text}");
                assert_eq!(about_cap(text).problems.len(), 1, "{text}");
            }
        }
    }

    #[test]
    fn a_call_alias_is_no_contract() {
        let about = |alias: &str, caps: &[&str]| {
            let caps = caps.iter().map(|cap| (*cap).to_owned()).collect();
            let call_alias = Some(alias.to_owned());
            known().check(&Names { call_alias, caps, ..Names::default() }).problems
        };
        for alias in
            ["wascc:keyvalue", "WASCC:http-server", "wasmcloud:keyvalue", "wascc:messaging"]
        {
            assert_eq!(about(alias, &[]).len(), 1, "{alias}");
        }
        assert_eq!(about("acme:ledger", &["acme:ledger"]).len(), 1);
        assert!(about("counter", &["acme:ledger", "wascc:keyvalue"]).is_empty());
    }
}
