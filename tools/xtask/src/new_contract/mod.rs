//! `cargo xtask new-contract NAME`: the skeleton of a contract with a provider, which builds and
//! passes. What it writes are whole files; the one line that it changes in a file of somebody's is
//! the provider's in the composition root. Lists and pages are generated as ever.

mod making;
mod name;
mod rehearsal;
mod skeleton;

use anyhow::Result;
use clap::Args;

use self::name::ContractName;
use crate::repo::Repo;

/// What to make, and where.
#[derive(Args)]
pub(crate) struct Options {
    /// The name, in lower case with hyphens: `door-bell` is the contract `trellis:door_bell`.
    name: String,
    /// The namespace of the contract's id.
    #[arg(long, default_value = "trellis")]
    namespace: String,
    /// Make it in a copy of the repository, check it there, and leave everything here as it is.
    #[arg(long = "try")]
    rehearse: bool,
}

/// Makes the skeleton, here or in a copy.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    let name = ContractName::new(&options.namespace, &options.name)?;
    if options.rehearse {
        return rehearsal::run(repo, &name);
    }
    making::make(repo, &name)?;
    println!("\nnew contract {}; what to do next:", name.id());
    for (number, step) in next_steps(&name).iter().enumerate() {
        println!("  {}. {step}", number + 1);
    }
    Ok(())
}

fn next_steps(name: &ContractName) -> [String; 6] {
    let (name, module) = (name.folder(), name.module());
    [
        format!("say what it is: capabilities/{name}/{name}.wit, and the rules in src/lib.rs"),
        format!("write the bytes of its messages: capabilities/{name}/vectors/{name}.json"),
        format!("hold providers to the rules: providers/conformance/src/{module}/mod.rs"),
        format!("make it work: providers/{name}, run by its tests/conformance.rs"),
        format!("use it: actors/{name}-demo and manifests/{name}.yaml"),
        "cargo xtask generate, then make test".to_owned(),
    ]
}
