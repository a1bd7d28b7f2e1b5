//! Manifests: no panic, every refusal says why, and what is read differs in nothing from itself.
//!
//! Each text is taken as YAML and as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trellis_manifest::{Format, SourceText, diff, read};

fn env(name: &str) -> Option<String> {
    (name == "SET").then(|| "a: ${SET}, [*b".to_owned())
}

fuzz_target!(|text: &str| {
    for format in [Format::Yaml, Format::Json] {
        match read(&SourceText::new("fuzz", text, format), &env) {
            Ok(manifest) => assert!(diff(&manifest, &manifest).is_empty()),
            Err(report) => {
                assert!(!report.problems().is_empty());
                assert!(!report.to_string().is_empty());
                assert!(report.to_json().is_object());
            }
        }
    }
});
