//! A module of the size of a real actor.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use bench_side::ECHO;

/// Functions that make the module about 300 KB.
const FUNCTIONS: usize = 700;
/// What "about" means, in bytes.
const BYTES: std::ops::RangeInclusive<usize> = 280_000..=320_000;

/// The echo guest with functions that nothing calls, made of arithmetic, loads, stores and
/// branches.
///
/// # Errors
/// When it does not have the size that its rows promise.
pub(crate) fn module() -> Result<Vec<u8>> {
    let mut text = ECHO.trim_end().strip_suffix(')').context("a module")?.to_owned();
    for number in 0..FUNCTIONS {
        function(&mut text, number)?;
    }
    text.push(')');
    let module = wat::parse_str(text).context("assembling the large module")?;
    ensure!(BYTES.contains(&module.len()), "the large module has {} bytes", module.len());
    Ok(module)
}

fn function(text: &mut String, number: usize) -> Result<()> {
    writeln!(text, "(func (param $a i32) (result i32) (local $b i32)")?;
    for step in 0..10 {
        let constant = number * 7_919 + step;
        writeln!(
            text,
            "(local.set $b (i32.add (i32.mul (local.get $a) (i32.const {constant}))
               (i32.load (i32.and (local.get $b) (i32.const 65532)))))
             (if (i32.lt_u (local.get $b) (local.get $a))
               (then (i32.store (i32.and (local.get $a) (i32.const 65532)) (local.get $b))))"
        )?;
    }
    text.push_str("(local.get $b))");
    Ok(())
}
