//! What preparing a large manifest costs, at first and after one module changed.
//!
//! `cargo run --release -p trellis-supervisor --example prepare [ACTORS]`
#![allow(clippy::print_stdout)] // Its product are figures.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use trellis_claims::{ClaimsDraft, KeyKind, KeyPair, SystemClock, TrustList, sign};
use trellis_manifest::{Format, Manifest, SourceText};
use trellis_supervisor::{Modules, PrepareContext, prepare};

/// The smallest module there is, with a memory: what is measured is everything but its size.
const MODULE: &[u8] = b"\0asm\x01\0\0\0\x05\x03\x01\0\x01";

#[tokio::main]
async fn main() {
    let count: usize =
        std::env::args().nth(1).map_or(10_000, |text| text.parse().expect("a count"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let account = KeyPair::generate(KeyKind::Account);
    for number in 0..count {
        put(folder.path(), &account, number, None);
    }
    let trust = TrustList::new(0).trust(account.public()).expect("an account");
    let actors = (0..count).map(|number| format!("- {{image: {number}.wasm, name: a{number}}}\n"));
    let text = format!("actors:\n{}", actors.collect::<String>());
    let begun = Instant::now();
    let source = SourceText::new("app.yaml", text, Format::Yaml);
    let manifest = trellis_manifest::read(&source, &|_| None).expect("a right manifest");
    println!("reading the text   {:?}", begun.elapsed());

    let modules = Modules::new();
    let measure = async |what: &str| {
        let before = modules.reads();
        let begun = Instant::now();
        run(&manifest, &source, (folder.path(), &trust), &modules).await;
        println!("{what}  {:?}, {} modules read", begun.elapsed(), modules.reads() - before);
    };
    measure("all modules are new").await;
    measure("some are still young").await;
    measure("nothing changed    ").await;
    put(folder.path(), &account, count / 2, Some(7));
    measure("one module changed ").await;
}

async fn run(
    manifest: &Manifest,
    source: &SourceText,
    (folder, trust): (&Path, &TrustList),
    modules: &Modules,
) {
    let modules = modules.clone();
    let context = PrepareContext {
        modules,
        ..PrepareContext::new(folder, &[], trust, Arc::new(SystemClock))
    };
    prepare(manifest, source, &context).await.unwrap_or_else(|report| panic!("{report}"));
}

fn put(folder: &Path, account: &KeyPair, number: usize, revision: Option<i32>) {
    let key = KeyPair::generate(KeyKind::Module).public().clone();
    let mut draft = ClaimsDraft::new(key);
    draft.revision = revision;
    let signed = sign(MODULE, &draft, account, &SystemClock).expect("it can be signed");
    std::fs::write(folder.join(format!("{number}.wasm")), signed).expect("the folder is writable");
}
