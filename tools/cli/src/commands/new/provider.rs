//! `trellis new provider`: a program or a module that serves a contract of its own.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;
use trellis_core::Code;

use super::name::Name;
use crate::failure::Failure;
use crate::output::Output;

/// A file of a template.
macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("../../../templates/provider/", $path))
    };
}

/// A file of an SDK.
macro_rules! sdk {
    ($path:literal) => {
        include_str!(concat!("../../../../../providers/sdk/", $path))
    };
}

/// The files of a provider, by their paths in its folder.
type Files = &'static [(&'static str, &'static str)];

const PYTHON: Files = &[
    ("README.md", template!("python/README.md")),
    ("contract.wit", template!("rust/src/contract.wit")),
    ("manifest.yaml", template!("python/manifest.yaml")),
    ("provider.py", template!("python/provider.py")),
    ("test_provider.py", template!("python/test_provider.py")),
    ("trellis_provider.py", sdk!("python/trellis_provider.py")),
    (".gitignore", template!("python/gitignore.txt")),
];
const NODE: Files = &[
    ("README.md", template!("node/README.md")),
    ("contract.wit", template!("rust/src/contract.wit")),
    ("manifest.yaml", template!("node/manifest.yaml")),
    ("package.json", template!("node/package.json")),
    ("provider.mjs", template!("node/provider.mjs")),
    ("provider.test.mjs", template!("node/provider.test.mjs")),
    ("trellis-provider.mjs", sdk!("node/trellis-provider.mjs")),
    (".gitignore", template!("node/gitignore.txt")),
];
const RUST: Files = &[
    ("README.md", template!("rust/README.md")),
    ("Cargo.toml", template!("rust/Cargo.toml.txt")),
    ("src/contract.wit", template!("rust/src/contract.wit")),
    ("manifest.yaml", template!("rust/manifest.yaml")),
    ("src/main.rs", template!("rust/src/main.rs")),
    (".gitignore", template!("rust/gitignore.txt")),
];

const WASM: Files = &[
    ("README.md", template!("wasm/README.md")),
    ("Cargo.toml", template!("wasm/Cargo.toml.txt")),
    ("src/contract.wit", template!("wasm/src/contract.wit")),
    ("manifest.yaml", template!("wasm/manifest.yaml")),
    ("src/lib.rs", template!("wasm/src/lib.rs")),
    (".gitignore", template!("wasm/gitignore.txt")),
];

/// Where the crates of the Rust SDK are, in the template.
const SDK: &str = "SDK/";
/// What makes a folder a clone of this repository.
const CLONE_MARK: &str = "providers/sdk/Cargo.toml";

#[derive(Args, Debug)]
pub(crate) struct ProviderArgs {
    /// Its name, such as `door-bell`: also that of its folder and of its contract,
    /// `demo:door_bell`.
    #[arg(value_name = "NAME", value_parser = Name::parse)]
    name: Name,
    /// The language it is written in; `wasm` is Rust for a signed module.
    #[arg(long)]
    lang: Lang,
    /// The folder to make; the name without it.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// For Rust and modules: a clone of this repository, where the crates of the SDK are. Without
    /// it the one that the current folder is in.
    #[arg(long, value_name = "FOLDER", env = "TRELLIS_SDK")]
    sdk: Option<PathBuf>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Lang {
    Rust,
    Python,
    Node,
    Wasm,
}

/// What was made.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    folder: PathBuf,
    contract: String,
    files: Vec<&'static str>,
    next: Vec<String>,
}

pub(crate) fn run(args: &ProviderArgs, output: Output) -> Result<(), Failure> {
    let (files, commands): (Files, &[&str]) = match args.lang {
        Lang::Rust => (RUST, &["cargo test", "cargo build"]),
        Lang::Python => (
            PYTHON,
            &[
                "python3 -m venv .venv && . .venv/bin/activate && pip install msgpack",
                "python3 -m unittest",
            ],
        ),
        Lang::Node => (NODE, &["npm install", "npm test"]),
        Lang::Wasm => (
            WASM,
            &[
                "cargo test",
                "cargo build --release --target wasm32-unknown-unknown",
                "trellis sign target/wasm32-unknown-unknown/release/new_name.wasm --provider \
                 --name new-name --destination new-name.wasm",
            ],
        ),
    };
    let needs_sdk = matches!(args.lang, Lang::Rust | Lang::Wasm);
    let sdk = needs_sdk.then(|| clone(args.sdk.as_deref())).transpose()?;
    let folder = args.folder.clone().unwrap_or_else(|| args.name.kebab().into());
    claim(&folder)?;
    for (path, text) in files {
        let mut text = args.name.fill(text);
        if let Some(sdk) = &sdk {
            text = text.replace(SDK, &format!("{}/", sdk.display()));
        }
        let path = folder.join(path);
        write(&path, &text)
            .map_err(|error| Failure::file(format!("cannot write {}", path.display()), &error))?;
    }
    let enter = format!("cd {}", folder.display());
    let check = "host --manifest manifest.yaml --check";
    let commands = commands.iter().copied().chain([check]).map(|it| args.name.fill(it));
    let next = std::iter::once(enter).chain(commands);
    output.show(&Made {
        contract: format!("demo:{}", args.name.snake()),
        files: files.iter().map(|(path, _)| *path).collect(),
        next: next.collect(),
        folder,
    })
}

/// Makes the folder, unless something is there that could be lost.
fn claim(folder: &Path) -> Result<(), Failure> {
    let failed =
        |error: io::Error| Failure::file(format!("cannot make {}", folder.display()), &error);
    fs::create_dir_all(folder).map_err(failed)?;
    if fs::read_dir(folder).map_err(failed)?.next().is_some() {
        let text = format!("{} is not empty", folder.display());
        return Err(Failure::new(Code::Storage, text)
            .cure("Choose another name, or another folder with `--folder`."));
    }
    Ok(())
}

/// The clone that has the crates of the SDK: a whole path.
fn clone(named: Option<&Path>) -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().map_err(|error| Failure::file("no folder", &error))?;
    let found = match named {
        Some(named) => Some(here.join(named)).filter(|folder| folder.join(CLONE_MARK).is_file()),
        None => here.ancestors().find(|it| it.join(CLONE_MARK).is_file()).map(Path::to_owned),
    };
    let found = found.ok_or_else(|| {
        let text = match named {
            Some(named) => format!("{} is no clone of Trellis", named.display()),
            None => "the Rust SDK is needed, and this folder is in no clone of Trellis".to_owned(),
        };
        Failure::new(Code::NotFound, text)
            .cure("Name a clone of the repository: `--sdk PATH`, or TRELLIS_SDK.")
    })?;
    fs::canonicalize(&found)
        .map_err(|error| Failure::file(format!("cannot look at {}", found.display()), &error))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)?;
    if text.starts_with("#!") {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(path, mode)?;
    }
    Ok(())
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "made {}, which serves `{}`:", self.folder.display(), self.contract)?;
        self.files.iter().try_for_each(|file| writeln!(f, "  {file}"))?;
        writeln!(f, "next:")?;
        self.next.iter().try_for_each(|command| writeln!(f, "  {command}"))
    }
}
