//! Where a module keeps its claims.
//!
//! A claims section is a custom section named `jwt` (wascap before 0.9) or `wasmcloud_jwt`. There
//! must be exactly one of either name, at top level, and nothing may follow it: then the bytes
//! before it are exactly what the hash covers, and two readers cannot find different tokens.

use std::ops::Range;

use trellis_core::Code;
use wasmparser::{Parser, Payload};

use crate::error::ClaimsError;

/// The name new sections get; wascap 0.9 and later write it too.
pub const NAME: &str = "wasmcloud_jwt";

/// The name older wascap wrote.
pub const OLD_NAME: &str = "jwt";

/// The magic number and the version, before the first section.
pub(crate) const HEADER_BYTES: usize = 8;

/// The claims section of a module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimsSection<'a> {
    /// [`NAME`] or [`OLD_NAME`].
    pub name: &'static str,
    /// Offset of the section's first byte, its id. The section reaches to the module's end.
    pub start: usize,
    /// What is in it: the token.
    pub token: &'a [u8],
}

/// A section at top level.
pub(crate) struct Section {
    /// Its id byte.
    pub(crate) id: u8,
    /// Where its contents are, after id and size.
    pub(crate) contents: Range<usize>,
    is_claims: bool,
}

/// Finds the claims section.
///
/// # Errors
/// `E_SECTION` for a second, nested, or early one; `E_MODULE_INVALID` (with the offset) when the
/// bytes are not a row of WebAssembly sections.
pub fn locate(module: &[u8]) -> Result<Option<ClaimsSection<'_>>, ClaimsError> {
    if let Some(what) = other_than_wasm(module) {
        return Err(ClaimsError::new(Code::ModuleInvalid, what));
    }
    let mut found: Option<ClaimsSection<'_>> = None;
    for step in Walk::over(module) {
        let step = match step {
            Ok(step) => step,
            // What follows the claims is wrong whatever it is; a cut file has no claims yet.
            Err(_) if found.is_some() => return Err(not_last()),
            Err(error) => return Err(error),
        };
        match (step, &found) {
            (Step::Claims { nested: true, .. }, _) => return Err(nested()),
            (Step::Claims { .. }, Some(_)) => {
                return Err(refused("the module has more than one claims section"));
            }
            (Step::Claims { start, name, token, .. }, None) => {
                found = Some(ClaimsSection { name, start, token });
            }
            (Step::Other(_), Some(_)) => return Err(not_last()),
            (Step::Other(_), None) => {}
        }
    }
    Ok(found)
}

/// What a file is that does not even begin like WebAssembly: the wrong file, most likely, whose
/// bytes are nothing to tell offsets of.
fn other_than_wasm(file: &[u8]) -> Option<&'static str> {
    const MAGIC: &[u8] = b"\0asm";
    let text = file.trim_ascii_start();
    match file {
        [] => Some("the file is empty"),
        _ if file.starts_with(MAGIC) || MAGIC.starts_with(file) => None,
        _ if [&b"(module"[..], b"(component", b";;"].iter().any(|head| text.starts_with(head)) => {
            Some("the file is WebAssembly in text form; `wat2wasm` makes a module of it")
        }
        _ => Some("the file is not WebAssembly: it does not begin with `\\0asm`"),
    }
}

/// The module without claims sections, every section's size in its shortest form.
///
/// The sizes are rewritten so that all readers agree on the hash: newer wascap always hashes the
/// shortest form, this crate the bytes as they are.
pub(crate) fn strip(module: &[u8]) -> Result<Vec<u8>, ClaimsError> {
    let mut stripped = Vec::with_capacity(module.len());
    let sections = top_level(module)?;
    stripped.extend_from_slice(&module[..HEADER_BYTES]);
    for section in sections.iter().filter(|section| !section.is_claims) {
        stripped.extend_from_slice(&section.minimal_header());
        stripped.extend_from_slice(&module[section.contents.clone()]);
    }
    Ok(stripped)
}

/// Adds a claims section at the end.
pub(crate) fn append(module: &mut Vec<u8>, token: &str) {
    let mut contents = leb128(NAME.len());
    contents.extend_from_slice(NAME.as_bytes());
    contents.extend_from_slice(token.as_bytes());
    module.push(0);
    module.extend_from_slice(&leb128(contents.len()));
    module.extend_from_slice(&contents);
}

/// The sections at top level, in order; a nested claims section is refused.
pub(crate) fn top_level(module: &[u8]) -> Result<Vec<Section>, ClaimsError> {
    Walk::over(module)
        .map(|step| match step? {
            Step::Claims { nested: true, .. } => Err(nested()),
            Step::Claims { contents, .. } => Ok(Section { id: 0, contents, is_claims: true }),
            Step::Other(section) => Ok(section),
        })
        .collect()
}

/// True for a core module, false for a component.
pub(crate) fn is_core(module: &[u8]) -> bool {
    Parser::is_core_wasm(module)
}

impl Section {
    /// Id and size, the size in its shortest form.
    pub(crate) fn minimal_header(&self) -> Vec<u8> {
        let mut header = vec![self.id];
        header.extend_from_slice(&leb128(self.contents.len()));
        header
    }
}

/// One thing met on the way through a module.
enum Step<'a> {
    /// A claims section.
    Claims {
        nested: bool,
        start: usize,
        contents: Range<usize>,
        name: &'static str,
        token: &'a [u8],
    },
    /// Any other section at top level.
    Other(Section),
}

/// Walks the sections of a module, into nested modules too, and stops after the first error.
struct Walk<'a, I> {
    payloads: I,
    module: &'a [u8],
    depth: u32,
    /// Where the next section at top level starts.
    next_start: usize,
}

/// Deepest nesting of components that is looked into: the walk keeps a little state per level.
const DEPTH_MAX: u32 = 64;

impl<'a> Walk<'a, ()> {
    fn over(module: &'a [u8]) -> impl Iterator<Item = Result<Step<'a>, ClaimsError>> {
        let payloads = Parser::new(0).parse_all(module);
        let mut walk = Walk { payloads, module, depth: 0, next_start: HEADER_BYTES };
        let mut failed = false;
        std::iter::from_fn(move || {
            let step = if failed { None } else { walk.next_step() };
            failed = matches!(step, Some(Err(_)));
            step
        })
    }
}

impl<'a, I: Iterator<Item = wasmparser::Result<Payload<'a>>>> Walk<'a, I> {
    fn next_step(&mut self) -> Option<Result<Step<'a>, ClaimsError>> {
        loop {
            let payload = match self.payloads.next()? {
                Ok(payload) => payload,
                Err(source) => return Some(Err(malformed(source))),
            };
            let depth = self.depth;
            match payload {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => self.depth += 1,
                Payload::End(_) => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if self.depth > DEPTH_MAX {
                let message = format!("components are nested deeper than {DEPTH_MAX}");
                return Some(Err(ClaimsError::new(Code::ModuleInvalid, message)));
            }
            let claims = claims_in(&payload);
            if depth > 0 && claims.is_none() {
                continue;
            }
            if let Some((id, range)) = payload.as_section() {
                return Some(self.step(id, range, depth > 0, claims));
            }
        }
    }

    fn step(
        &mut self,
        id: u8,
        range: Range<usize>,
        nested: bool,
        claims: Option<(&'static str, &'a [u8])>,
    ) -> Result<Step<'a>, ClaimsError> {
        let contents = in_bounds(range, self.module.len())?;
        let start = self.next_start;
        if !nested {
            self.next_start = contents.end;
        }
        Ok(match claims {
            Some((name, token)) => Step::Claims { nested, start, contents, name, token },
            None => Step::Other(Section { id, contents, is_claims: false }),
        })
    }
}

fn claims_in<'a>(payload: &Payload<'a>) -> Option<(&'static str, &'a [u8])> {
    match payload {
        Payload::CustomSection(section) => match section.name() {
            NAME => Some((NAME, section.data())),
            OLD_NAME => Some((OLD_NAME, section.data())),
            _ => None,
        },
        _ => None,
    }
}

/// The parser reports some ranges before it has seen the bytes.
fn in_bounds(range: Range<usize>, length: usize) -> Result<Range<usize>, ClaimsError> {
    if range.start <= range.end && range.end <= length {
        return Ok(range);
    }
    let message = format!("the section at byte {} reaches past the end", range.start);
    Err(ClaimsError::new(Code::ModuleInvalid, message))
}

fn leb128(length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(5);
    let mut rest = length;
    while rest >= 0x80 {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

fn malformed(source: wasmparser::BinaryReaderError) -> ClaimsError {
    let message = format!("not a well-formed WebAssembly module at byte {}", source.offset());
    ClaimsError::new(Code::ModuleInvalid, message).caused_by(source)
}

fn not_last() -> ClaimsError {
    refused("something follows the claims section, which must be the last")
}

fn nested() -> ClaimsError {
    refused("a claims section lies inside a nested module")
}

fn refused(message: &'static str) -> ClaimsError {
    ClaimsError::new(Code::Section, message)
}
