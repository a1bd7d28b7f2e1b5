//! `trellis explain`: what an error code means.

use std::fmt;

use clap::Args;
use serde::Serialize;
use trellis_app::Exit;
use trellis_core::Code;

use crate::failure::{Failure, USAGE, USAGE_CAUSE, USAGE_CURE};
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// The code, such as E_DENIED; without it all codes are listed.
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

/// What is known about one code.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explanation {
    code: &'static str,
    kind: &'static str,
    cause: &'static str,
    cure: &'static str,
    retry_is_safe: bool,
    exit: u8,
}

#[derive(Serialize)]
struct Explanations {
    codes: Vec<Explanation>,
}

pub(crate) fn run(args: &ExplainArgs, output: Output) -> Result<(), Failure> {
    let mut codes: Vec<Explanation> = Code::ALL.iter().copied().map(Explanation::of).collect();
    codes.push(Explanation::USAGE);
    let Some(asked) = &args.code else { return output.show(&Explanations { codes }) };
    let asked = asked.trim().to_ascii_uppercase().replace('-', "_");
    let matches = |code: &str| code == asked || code.strip_prefix("E_") == Some(&asked);
    match codes.iter().find(|explanation| matches(explanation.code)) {
        Some(explanation) => output.show(explanation),
        None => Err(unknown(&asked, &codes)),
    }
}

fn unknown(asked: &str, codes: &[Explanation]) -> Failure {
    let known = codes.iter().map(|explanation| explanation.code);
    let near = trellis_core::nearest(asked, known);
    let cure = near.map_or_else(
        || "`trellis explain` lists every code.".to_owned(),
        |near| format!("Did you mean {near}? `trellis explain` lists every code."),
    );
    Failure::new(Code::NotFound, format!("there is no error code `{asked}`")).cure(cure)
}

impl Explanation {
    const USAGE: Self = Self {
        code: USAGE,
        kind: "invalid",
        cause: USAGE_CAUSE,
        cure: USAGE_CURE,
        retry_is_safe: false,
        exit: Exit::Usage.code(),
    };

    fn of(code: Code) -> Self {
        Self {
            code: code.as_str(),
            kind: code.kind().as_str(),
            cause: code.cause(),
            cure: code.cure(),
            retry_is_safe: code.retry_is_safe(),
            exit: Exit::of(code).code(),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\x1b[1m{}\x1b[0m ({}, exit code {})", self.code, self.kind, self.exit)?;
        writeln!(f, "  cause  {}", self.cause)?;
        writeln!(f, "  cure   {}", self.cure)?;
        if self.retry_is_safe {
            writeln!(f, "  retry  safe: the call was refused before it reached its target")?;
        }
        Ok(())
    }
}

impl fmt::Display for Explanations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.codes.iter().try_for_each(|code| writeln!(f, "{:<18} {}", code.code, code.cause))
    }
}
