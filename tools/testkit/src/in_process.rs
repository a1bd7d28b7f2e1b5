//! A host in the process of the test.

use std::path::Path;
use std::sync::Arc;

use trellis_app::{Host, HostConfig, providers::builtins};
use trellis_claims::{SystemClock, TrustList};
use trellis_manifest::{Format, SourceText};
use trellis_supervisor::{ApplyOptions, PrepareContext, prepare};

use crate::account::Account;

/// Builds a host and runs a manifest on it. Module paths are relative to `folder`.
///
/// # Panics
/// When the manifest is wrong or something in it does not start.
pub async fn host_of(config: HostConfig, manifest: &str, folder: &Path, account: &Account) -> Host {
    let source = SourceText::new("manifest.yaml", manifest, Format::Yaml);
    let manifest = trellis_manifest::read(&source, &|name| std::env::var(name).ok());
    let manifest = manifest.unwrap_or_else(|report| panic!("{report}"));
    let trust = TrustList::new(0).trust(account.issuer().public());
    let trust = trust.expect("an account key may sign");
    let builtins = builtins();
    let context = PrepareContext::new(folder, &builtins, &trust, Arc::new(SystemClock));
    let prepared = prepare(&manifest, &source, &context).await;
    let prepared = prepared.unwrap_or_else(|report| panic!("{report}"));
    let host = Host::build(config).expect("this machine has room for a host");
    let rules = trellis_entitlements::Rules { open_calls: manifest.host.open_calls };
    let options = ApplyOptions { rules, ..ApplyOptions::default() };
    let applied = host.supervisor().apply(prepared, options).await;
    assert!(applied.faults.is_empty(), "{:?}", applied.faults);
    host
}
