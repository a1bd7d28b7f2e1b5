//! Every manifest in `manifests/` is accepted, with the actors of this repository.

use std::path::Path;

use trellis_app::providers::builtins;
use trellis_e2e::{Step, actor};
use trellis_testkit::guests::built;

#[test]
fn every_manifest_of_this_repository_is_accepted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("the folder of manifests") {
        let path = entry.expect("it can be listed").path();
        if path.extension().is_some_and(|it| it == "yaml") {
            let text = std::fs::read_to_string(&path).expect("a manifest is text");
            trellis_e2e::run(steps(text));
            seen += 1;
        }
    }
    assert!(seen >= 4, "the examples are gone");
}

/// Signs every actor that the manifest names, with every capability there is, and checks it.
fn steps(manifest: String) -> Vec<Step> {
    let names = manifest.split("../dist/").skip(1).filter_map(|rest| rest.split(".wasm").next());
    // A scenario's names live as long as the test.
    let names: Vec<&'static str> = names.map(|name| &*name.to_owned().leak()).collect();
    assert!(!names.is_empty(), "a manifest without an actor of this repository:\n{manifest}");
    let contracts: Vec<&'static str> = builtins()
        .iter()
        .flat_map(|factory| factory.descriptor().contracts.into_owned())
        .map(|contract| &*contract.id.as_str().to_owned().leak())
        .collect();
    let signed = names.into_iter().map(|name| {
        let file = actor(name, built(name)).in_dist();
        Step::from(contracts.iter().fold(file, |file, contract| file.cap(contract)))
    });
    let check = [Step::manifest(manifest), Step::Ends(&["--check"], 0, &["ok"])];
    signed.chain(check).collect()
}
