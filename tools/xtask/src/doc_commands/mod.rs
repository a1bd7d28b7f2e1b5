//! `cargo xtask doc-commands`: runs the commands that the documents show, exactly as shown.
//!
//! A `console` block is a transcript. Lines that begin with `$ ` are commands. The lines below a
//! command must be printed, in this order; `…` matches anything.
//!
//! ````text
//! ```console
//! $ trellis keys gen account
//! A…
//! $ host --manifest manifests/hello.yaml &
//! listening on http://127.0.0.1:8080
//! $ curl --silent localhost:8080
//! hello
//! ```
//! ````
//!
//! - A command that ends in `&` is a server: its lines are awaited, and it is stopped at the end of
//!   the document.
//! - `console exit=4` expects this exit code from the block's last command; the default is 0.
//! - `console norun="why"` is not run; the reason is in the document.
//! - A block with `file=PATH` after its language (`rust file=src/lib.rs`) is written to that file.
//! - `sh` and `bash` blocks are refused: a command that nobody runs will stop working.
//!
//! Each document runs in order, with its own home folder, and starts in the repository's root. `cd`
//! and `export` last until its end. The binaries of this build come first in PATH.

mod blocks;
mod compare;
mod session;

use anyhow::Result;
use clap::Args;

use self::blocks::{Block, Run};
use self::session::Session;
use crate::repo::Repo;
use crate::report::{Problem, conclude};

/// Which documents to run.
#[derive(Args)]
pub(crate) struct Options {
    /// Only this document, such as docs/first-actor.md.
    #[arg(long)]
    only: Option<String>,
    /// List the commands and run nothing.
    #[arg(long)]
    list: bool,
}

/// Runs the commands of every document.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    let mut problems = Vec::new();
    let mut count = 0;
    for path in repo.files()?.into_iter().filter(|path| is_document(path)) {
        if options.only.as_ref().is_some_and(|only| *only != path) {
            continue;
        }
        let text = repo.text(&path)?.unwrap_or_default();
        match blocks::read(&text) {
            Ok(blocks) if options.list => count += list(&path, &blocks),
            Ok(blocks) => {
                let (ran, problem) = run_document(repo, &path, &blocks)?;
                count += ran;
                problems.extend(problem);
            }
            Err((line, message)) => problems.push(Problem::new(path, line, message)),
        }
    }
    let done = if options.list { "can be run" } else { "do what the documents say" };
    conclude("doc-commands", problems, &format!("{count} commands {done}"))
}

fn is_document(path: &str) -> bool {
    path == "README.md" || (path.starts_with("docs/") && path.ends_with(".md"))
}

fn list(path: &str, blocks: &[Block]) -> usize {
    for block in blocks {
        for step in &block.steps {
            println!("{path}:{}: {}", step.line, step.command);
        }
    }
    blocks.iter().map(|block| block.steps.len()).sum()
}

/// Runs a document until its first problem, because what follows depends on it.
fn run_document(repo: &Repo, path: &str, blocks: &[Block]) -> Result<(usize, Option<Problem>)> {
    let runnable: Vec<&Block> =
        blocks.iter().filter(|block| matches!(block.run, Run::Expect(_))).collect();
    if runnable.is_empty() {
        return Ok((0, None));
    }
    let mut session = Session::start(repo.root(), &repo.target_folder()?.join("debug"))?;
    let mut count = 0;
    for block in runnable {
        for (index, step) in block.steps.iter().enumerate() {
            let last = index + 1 == block.steps.len();
            let exit = match block.run {
                Run::Expect(code) if last => code,
                _ => 0,
            };
            let shown = step.command.lines().next().unwrap_or_default();
            println!("{path}:{}: $ {shown}", step.line);
            if let Err(message) = session.step(step, exit) {
                return Ok((count, Some(Problem::new(path, step.line, message))));
            }
            count += 1;
        }
    }
    Ok((count, None))
}
