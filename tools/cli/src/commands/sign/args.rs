//! The options of `trellis sign`: ours, and the originals' letters for them.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use crate::terms::{Lifetime, revision};

#[derive(Args, Debug)]
#[command(after_help = "\
The account key `default` signs unless --issuer says otherwise. The actor's own key is kept in your
keystore under the actor's name. Both are made when they are first needed. The module's old claims
are replaced. Without --destination, echo.wasm is signed into echo_s.wasm. A destination that holds
the same module with the same claims is left alone.

The letters are those of `wash` and `wascap`, except `-h`: there it meant --http-client, here it
prints this help.")]
pub(crate) struct SignArgs {
    /// The module.
    pub(super) file: PathBuf,

    /// Where the signed module goes; `-` is stdout.
    #[arg(short, long, value_name = "FILE")]
    pub(super) destination: Option<PathBuf>,

    /// The actor's name; the file's name without it.
    #[arg(short, long)]
    pub(super) name: Option<String>,

    /// A number that grows with every release.
    #[arg(short, long = "rev", value_name = "N", allow_negative_numbers = true)]
    #[arg(value_parser = revision)]
    pub(super) revision: Option<i32>,

    /// A version for people.
    #[arg(short, long = "ver", value_name = "VERSION")]
    pub(super) version: Option<String>,

    /// A name by which other actors may call it.
    #[arg(short = 'a', long, value_name = "ALIAS")]
    pub(super) call_alias: Option<String>,

    /// A tag. Repeatable.
    #[arg(short, long = "tag", value_name = "TAG", value_delimiter = ',')]
    pub(super) tags: Vec<String>,

    /// Marks a provider that is a module.
    #[arg(short, long)]
    pub(super) provider: bool,

    #[command(flatten)]
    pub(super) lifetime: Lifetime,

    /// Signs even if the actor gets another key than before, or a contract looks mistyped.
    #[arg(long)]
    pub(super) force: bool,

    #[command(flatten)]
    pub(super) standard: StandardCapabilities,

    /// Any contract by its id. Repeatable.
    #[arg(
        short,
        long = "cap",
        visible_alias = "caps",
        value_name = "CONTRACT",
        value_delimiter = ',',
        help_heading = "What it may use"
    )]
    pub(super) caps: Vec<String>,

    /// Of this contract, only these operations. Repeatable.
    #[arg(long = "grant", value_name = "CONTRACT=OP,OP", help_heading = "What it may use")]
    pub(super) grants: Vec<Grant>,

    /// Another actor it may call, by public key or call alias; an account key stands for all actors
    /// of that issuer. Repeatable.
    #[arg(long, value_name = "KEY|ALIAS", value_delimiter = ',', help_heading = "What it may use")]
    pub(super) calls: Vec<String>,

    /// The account that signs: a name, public key or prefix in your keystore, a seed file, or `-`.
    #[arg(short, long, value_name = "KEY", env = "TRELLIS_ISSUER", hide_env_values = true)]
    #[arg(help_heading = "Keys")]
    pub(super) issuer: Option<String>,

    /// The actor's own key, as --issuer, or any module public key (M...).
    #[arg(short, long, value_name = "KEY", help_heading = "Keys")]
    pub(super) subject: Option<String>,

    /// Fails rather than making a key that is missing.
    #[arg(long, help_heading = "Keys")]
    pub(super) disable_keygen: bool,
}

/// The contracts every original tool had a letter for.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "What it may use")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct StandardCapabilities {
    /// wascc:keyvalue
    #[arg(short = 'k', long)]
    keyvalue: bool,
    /// wascc:http_server
    #[arg(short = 'q', long, alias = "http_server")]
    http_server: bool,
    /// wascc:http_client (no provider in this version; `-h` in the original tools)
    #[arg(long, alias = "http_client")]
    http_client: bool,
    /// wascc:messaging (no provider in this version)
    #[arg(short = 'g', long, alias = "msg")]
    messaging: bool,
    /// wascc:blobstore (no provider in this version)
    #[arg(short = 'f', long, alias = "blob_store")]
    blobstore: bool,
    /// wascc:logging
    #[arg(short = 'l', long)]
    logging: bool,
    /// wascc:eventstreams (no provider in this version)
    #[arg(short = 'e', long, alias = "events")]
    eventstreams: bool,
    /// wascc:extras (random numbers, ids, sequences)
    #[arg(short = 'z', long)]
    extras: bool,
}

/// Some operations of one contract.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Grant {
    pub(super) contract: String,
    pub(super) operations: Vec<String>,
}

impl StandardCapabilities {
    /// The ids of the contracts that were asked for.
    pub(super) fn contracts(&self) -> Vec<String> {
        [
            (self.keyvalue, "wascc:keyvalue"),
            (self.http_server, "wascc:http_server"),
            (self.http_client, "wascc:http_client"),
            (self.messaging, "wascc:messaging"),
            (self.blobstore, "wascc:blobstore"),
            (self.logging, "wascc:logging"),
            (self.eventstreams, "wascc:eventstreams"),
            (self.extras, "wascc:extras"),
        ]
        .into_iter()
        .filter(|(wanted, _)| *wanted)
        .map(|(_, contract)| contract.to_owned())
        .collect()
    }
}

impl FromStr for Grant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "write CONTRACT=Operation,Operation".to_owned();
        let (contract, operations) = text.split_once('=').ok_or_else(form)?;
        let operations: Vec<String> =
            operations.split(',').map(|op| op.trim().to_owned()).collect();
        if contract.is_empty() || operations.iter().any(String::is_empty) {
            return Err(form());
        }
        Ok(Self { contract: contract.to_owned(), operations })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser, Debug)]
    struct Line {
        #[command(flatten)]
        sign: SignArgs,
    }

    fn parse(line: &str) -> SignArgs {
        let words = std::iter::once("sign").chain(line.split(' '));
        Line::try_parse_from(words).expect("a line the original tools take").sign
    }

    #[test]
    fn the_originals_letters_mean_what_they_meant() {
        let args = parse(
            "a.wasm -k -q -g -f -l -e --http-client -z -c acme:x -c acme:y -t one -t two -r 3 -v 1.2 -a al-ias \
             -n Name -x 30 -b 1 -p -i issuer.nk -s subject.nk -d out.wasm --disable-keygen",
        );
        let contracts = args.standard.contracts();
        let ids: Vec<&str> = contracts.iter().filter_map(|id| id.strip_prefix("wascc:")).collect();
        let all = [
            "keyvalue",
            "http_server",
            "http_client",
            "messaging",
            "blobstore",
            "logging",
            "eventstreams",
            "extras",
        ];
        assert_eq!(ids, all);
        assert_eq!(args.caps, ["acme:x", "acme:y"]);
        assert_eq!(args.tags, ["one", "two"]);
        assert_eq!((args.revision, args.version.as_deref()), (Some(3), Some("1.2")));
        assert_eq!(
            (args.call_alias.as_deref(), args.name.as_deref()),
            (Some("al-ias"), Some("Name"))
        );
        let Lifetime { expires_days, not_before_days } = args.lifetime;
        assert_eq!((expires_days, not_before_days), (Some(30), Some(1)));
        assert!(args.provider && args.disable_keygen);
        assert_eq!(args.issuer.as_deref(), Some("issuer.nk"));
        assert_eq!(args.subject.as_deref(), Some("subject.nk"));
        assert_eq!(args.destination, Some(PathBuf::from("out.wasm")));
    }

    #[test]
    fn each_letter_alone_is_its_own_contract() {
        for (letter, contract) in [
            ("k", "keyvalue"),
            ("q", "http_server"),
            ("g", "messaging"),
            ("f", "blobstore"),
            ("l", "logging"),
            ("e", "eventstreams"),
            ("z", "extras"),
        ] {
            let contracts = parse(&format!("a.wasm -{letter}")).standard.contracts();
            assert_eq!(contracts, [format!("wascc:{contract}")], "-{letter}");
        }
        assert_eq!(parse("a.wasm -kq").standard.contracts().len(), 2, "letters may stand together");
    }

    #[test]
    fn h_is_help_and_names_what_it_meant() {
        let shown = Line::try_parse_from(["sign", "a.wasm", "-kh"]).expect_err("help");
        assert_eq!(shown.kind(), clap::error::ErrorKind::DisplayHelp);
        let help = shown.to_string();
        assert!(help.contains("--http-client") && help.contains("`-h`"), "{help}");
    }

    #[test]
    fn what_no_provider_serves_is_told_so() {
        let command = <Line as clap::CommandFactory>::command();
        let served: Vec<_> = trellis_app::providers::builtins()
            .iter()
            .flat_map(|factory| factory.descriptor().contracts.into_owned())
            .collect();
        let all = parse("a.wasm -k -q -g -f -l -e -z --http-client").standard.contracts();
        for id in all {
            let flag = id.trim_start_matches("wascc:");
            let argument = command.get_arguments().find(|it| it.get_id() == flag).expect(flag);
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            let is_served = served.iter().any(|contract| contract.answers_to(&id));
            assert_eq!(help.contains("no provider in this version"), !is_served, "{id}: {help}");
        }
    }

    #[test]
    fn a_grant_names_operations() {
        let grant: Grant = "wascc:keyvalue=Get, Set".parse().expect("well-formed");
        assert_eq!(grant.operations, ["Get", "Set"]);
        for text in ["", "wascc:keyvalue", "=Get", "wascc:keyvalue=", "wascc:keyvalue=Get,"] {
            assert!(text.parse::<Grant>().is_err(), "{text}");
        }
    }
}
