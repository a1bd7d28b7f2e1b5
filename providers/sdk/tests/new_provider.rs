//! The tests of what `trellis new provider --lang rust` makes.

#[path = "../../../tools/cli/templates/provider/rust/src/main.rs"]
#[expect(dead_code, reason = "its `main` is run by a host")]
mod made;
