//! Modules: every file is taken or refused with a code of its own, without a panic.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use trellis_core::Code;
use trellis_limits::ActorLimits;
use trellis_engine::{Checker, ModuleBounds};

static CHECKER: LazyLock<Checker> = LazyLock::new(|| Checker::new().expect("the runtime starts"));

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = CHECKER.check(bytes, &ModuleBounds::of(&ActorLimits::default())) {
        let refusals = [Code::ModuleInvalid, Code::ModuleLimit, Code::ModuleAbi, Code::Memory];
        assert!(refusals.contains(&error.code()), "{error}");
        assert!(!error.message().is_empty());
    }
});
