//! `cargo xtask guests`: builds the actors for wasm32, checks their sizes, signs them into dist/.
//!
//! What an actor claims stands in its own Cargo.toml: code and claims are reviewed together.
//!
//! ```toml
//! [package.metadata.trellis]
//! caps = ["wascc:http_server", "wascc:keyvalue"]
//! calls = ["pong"]            # actors it may call
//! call_alias = "kvcounter"    # the name others may call it by
//! provider = true             # it is a provider, not an actor
//! size_max = 120_000          # bytes of the release build, before signing
//! ```
//!
//! Signing is done by the `trellis` binary with the user's own account key, as a user would; it
//! leaves a file alone that holds the same module and claims already.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::{CrateType, Package};
use clap::Args;
use serde_json::Value;

use crate::repo::Repo;
use crate::report::{Problem, conclude};

/// The target every actor is built for.
const TARGET: &str = "wasm32-unknown-unknown";

/// The workspace of the actors.
const WORKSPACE: &str = "actors";

/// Where signed actors go.
const DIST: &str = "dist";

/// What to do after building.
#[derive(Args)]
pub(crate) struct Options {
    /// Sign each actor into dist/ with the `trellis` binary of this build.
    #[arg(long)]
    sign: bool,
    /// Only this actor.
    #[arg(long)]
    only: Option<String>,
}

/// One actor: its package name, its built module, what it claims.
struct Guest {
    name: String,
    module: PathBuf,
    claims: Claims,
}

#[derive(Default, PartialEq, Eq, Debug)]
struct Claims {
    caps: Vec<String>,
    calls: Vec<String>,
    call_alias: Option<String>,
    provider: bool,
    size_max: Option<u64>,
}

/// Builds, checks and, when asked, signs.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    repo.require("actors/Cargo.toml", "the actors' workspace has not been made")?;
    let mut build = vec!["build", "--release", "--locked", "--target", TARGET];
    if let Some(only) = &options.only {
        build.extend(["--package", only]);
    }
    repo.run(WORKSPACE, "cargo", &build)?;
    let guests = guests(repo, options.only.as_deref())?;
    if options.sign {
        let trellis = signer(repo)?;
        fs::create_dir_all(repo.root().join(DIST)).context("making dist/")?;
        for guest in &guests {
            sign(repo, &trellis, guest)?;
        }
    }
    let problems = guests.iter().filter_map(too_large).collect();
    conclude("guests", problems, &format!("{} actors built", guests.len()))
}

fn guests(repo: &Repo, only: Option<&str>) -> Result<Vec<Guest>> {
    let metadata = repo.metadata(WORKSPACE)?;
    let built = metadata.target_directory.join(TARGET).join("release").into_std_path_buf();
    let actors = metadata.workspace_packages().into_iter().filter(|package| is_actor(package));
    let wanted = actors.filter(|package| only.is_none_or(|only| package.name.as_str() == only));
    Ok(wanted.map(|package| guest(package, &built)).collect())
}

fn is_actor(package: &Package) -> bool {
    package.targets.iter().any(|target| target.crate_types.contains(&CrateType::CDyLib))
}

fn guest(package: &Package, built: &Path) -> Guest {
    let name = package.name.to_string();
    Guest {
        module: built.join(format!("{}.wasm", name.replace('-', "_"))),
        claims: claims(&package.metadata["trellis"]),
        name,
    }
}

fn claims(metadata: &Value) -> Claims {
    let list = |key: &str| {
        let values = metadata[key].as_array().into_iter().flatten();
        values.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    Claims {
        caps: list("caps"),
        calls: list("calls"),
        call_alias: metadata["call_alias"].as_str().map(str::to_owned),
        provider: metadata["provider"].as_bool().unwrap_or_default(),
        size_max: metadata["size_max"].as_u64(),
    }
}

fn too_large(guest: &Guest) -> Option<Problem> {
    let size = fs::metadata(&guest.module).map_or(0, |file| file.len());
    println!("{:>9} bytes  {}", size, guest.name);
    let max = guest.claims.size_max.filter(|max| size > *max)?;
    let message = format!("{} has {size} bytes; its size_max is {max}", guest.name);
    Some(Problem::new("actors", 0, message))
}

/// The `trellis` command. Built with all binaries, as everywhere: a package by itself would be
/// another selection of features, and so wasmtime once more.
fn signer(repo: &Repo) -> Result<PathBuf> {
    repo.run(".", "cargo", &["build", "--quiet", "--locked", "--bins"])?;
    Ok(repo.target_folder()?.join("debug").join("trellis"))
}

fn sign(repo: &Repo, trellis: &Path, guest: &Guest) -> Result<()> {
    let signed = repo.root().join(DIST).join(format!("{}.wasm", guest.name));
    let (from, to) = (guest.module.to_string_lossy(), signed.to_string_lossy());
    let mut arguments = vec!["sign", &from, "--destination", &to, "--name", &guest.name];
    for cap in &guest.claims.caps {
        arguments.extend(["--cap", cap]);
    }
    for callee in &guest.claims.calls {
        arguments.extend(["--calls", callee]);
    }
    if let Some(alias) = &guest.claims.call_alias {
        arguments.extend(["--call-alias", alias]);
    }
    if guest.claims.provider {
        arguments.push("--provider");
    }
    repo.run(".", &trellis.to_string_lossy(), &arguments)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_are_read_from_the_manifest() {
        let metadata = json!({"caps": ["wascc:logging"], "call_alias": "a", "provider": true,
            "size_max": 10});
        let expected = Claims {
            caps: vec!["wascc:logging".to_owned()],
            calls: Vec::new(),
            call_alias: Some("a".to_owned()),
            provider: true,
            size_max: Some(10),
        };
        assert_eq!(claims(&metadata), expected);
        assert_eq!(claims(&Value::Null), Claims::default());
    }

    #[test]
    fn a_module_over_its_limit_is_a_problem() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let module = folder.path().join("a.wasm");
        fs::write(&module, [0; 11]).expect("a file");
        let claims = Claims { size_max: Some(10), ..Claims::default() };
        let guest = Guest { name: "a".to_owned(), module, claims };
        let problem = too_large(&guest).expect("a problem");
        assert_eq!(problem.message, "a has 11 bytes; its size_max is 10");
    }
}
