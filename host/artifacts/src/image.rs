//! References to images in registries: `REGISTRY/NAME:TAG` and `REGISTRY/NAME@sha256:DIGEST`.
//!
//! The grammar is that of the OCI distribution specification, with the registry always written
//! out: a host decides nothing about where an actor comes from.

use std::fmt;
use std::net::Ipv6Addr;

use trellis_core::{CallError, Code};

use crate::digest::{Digest, parse_digest, written_digest};

/// Longest reference, in bytes: a host name, a repository and a digest fit.
const BYTES_MAX: usize = 768;
/// Longest name of a repository, in bytes, as registries bound it with the host.
const NAME_BYTES_MAX: usize = 255;
/// Longest tag, in bytes.
const TAG_BYTES_MAX: usize = 128;

/// How a reference is written, for messages.
const FORM: &str = "REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST";
/// A reference that is right, for messages.
const EXAMPLE: &str = "registry.example.com/team/counter:1.2";

/// A reference to an image in a registry, by a tag, a digest or both; the digest decides then.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Image {
    registry: String,
    name: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Image {
    /// Reads a reference.
    ///
    /// # Errors
    /// [`Code::Image`] with everything that is wrong with it, what was expected, and an example.
    pub fn parse(text: &str) -> Result<Self, CallError> {
        if text.len() > BYTES_MAX {
            let found = format!("it has {} bytes, and the most is {BYTES_MAX}", text.len());
            return Err(refused("the text", &[found]));
        }
        let mut wrong = Vec::new();
        let plain = without_scheme(text, &mut wrong);
        let (before, digest) = match plain.split_once('@') {
            Some((before, digest)) => (before, checked_digest(digest, &mut wrong)),
            None => (plain, None),
        };
        let (registry, path) = match before.split_once('/') {
            Some((registry, path)) => (registry, path),
            None => {
                wrong.push("it names no registry".to_owned());
                ("", before)
            }
        };
        let (name, tag) = match path.split_once(':') {
            Some((name, tag)) => (name, Some(tag)),
            None => (path, None),
        };
        if before.contains('/') && !is_registry(registry) {
            wrong.push(format!(
                "the registry {} is no host name with or without a port",
                quoted(registry)
            ));
        }
        wrong.extend(wrong_name(name));
        wrong.extend(tag.and_then(wrong_tag));
        if tag.is_none() && !plain.contains('@') {
            wrong.push("it has neither a tag nor a digest".to_owned());
        }
        if !wrong.is_empty() {
            return Err(refused(&quoted(text), &wrong));
        }
        let (registry, name) = (registry.to_owned(), name.to_owned());
        Ok(Self { registry, name, tag: tag.map(str::to_owned), digest })
    }

    /// The registry as it is written: a host, with its port if that is written.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository in the registry.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tag, if it is written.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of its manifest, if it is written.
    #[must_use]
    pub const fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What it is called in short: the last part of the repository's name.
    #[must_use]
    pub fn short_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// What a registry is asked for: the digest, or else the tag.
    pub(crate) fn version(&self) -> String {
        match &self.digest {
            Some(digest) => written_digest(digest),
            None => self.tag.clone().unwrap_or_default(),
        }
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.name)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{}", written_digest(digest)),
            None => Ok(()),
        }
    }
}

/// True for a registry as references have it: a host name or an address, with or without a port.
#[must_use]
pub fn is_registry(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if address.parse::<Ipv6Addr>().is_ok() => ("v6", port),
            _ => return false,
        },
        None => text.find(':').map_or((text, ""), |colon| text.split_at(colon)),
    };
    let label = |label: &str| {
        let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    let port = port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| {
            port.bytes().all(|byte| byte.is_ascii_digit())
                && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
    port && host.len() <= NAME_BYTES_MAX && host.split('.').all(label)
}

/// The text without a scheme: the protocol is no part of a reference.
fn without_scheme<'t>(text: &'t str, wrong: &mut Vec<String>) -> &'t str {
    let Some((scheme, rest)) = text.split_once("://") else { return text };
    wrong.push(format!(
        "it begins with {}, which has to be left out",
        quoted(&format!("{scheme}://"))
    ));
    rest
}

fn checked_digest(text: &str, wrong: &mut Vec<String>) -> Option<Digest> {
    let digest = parse_digest(text);
    if digest.is_none() {
        wrong.push(format!(
            "the digest {} is not `sha256:` with 64 digits of 0-9 and a-f",
            quoted(text)
        ));
    }
    digest
}

/// What is wrong with the name of a repository.
fn wrong_name(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("it names no repository".to_owned());
    }
    let is_right = name.len() <= NAME_BYTES_MAX && name.split('/').all(is_component);
    (!is_right).then(|| {
        format!(
            "the name {} is not lower-case letters and digits with single `.`, `_`, `-` or `/` \
             between them",
            quoted(name)
        )
    })
}

/// True for a part of a repository's name: letters and digits, which `.`, `_`, `__` or any number
/// of `-` part.
fn is_component(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = |byte: Option<u8>| byte.is_some_and(is_letter);
    let is_separator =
        |text: &str| matches!(text, "" | "." | "_" | "__") || text.bytes().all(|it| it == b'-');
    ends(text.bytes().next())
        && ends(text.bytes().last())
        && text.split(|letter: char| u8::try_from(letter).is_ok_and(is_letter)).all(is_separator)
}

/// What is wrong with a tag.
fn wrong_tag(tag: &str) -> Option<String> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_right = (1..=TAG_BYTES_MAX).contains(&tag.len())
        && tag.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
        && tag.bytes().next().is_some_and(is_word);
    (!is_right).then(|| {
        format!(
            "the tag {} is not 1 to {TAG_BYTES_MAX} letters, digits, `_`, `.` and `-`, a letter, \
             digit or `_` first",
            quoted(tag)
        )
    })
}

fn refused(what: &str, wrong: &[String]) -> CallError {
    let wrong = wrong.join("; ");
    let message =
        format!("{what} is no reference to an image: {wrong}; write {FORM}, such as {EXAMPLE}");
    CallError::new(Code::Image, message)
}

fn quoted(text: &str) -> String {
    format!("`{}`", text.escape_debug())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIGEST: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_reference_is_a_registry_a_name_and_a_version() {
        for text in [
            "localhost:5000/counter:1",
            "registry.example.com/team/a-b__c.d/counter:v1.2_3-x",
            "127.0.0.1:5000/a/b:latest",
            "[::1]:5000/a:b",
            "localhost/counter:1",
        ] {
            let image = Image::parse(text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(image.to_string(), text);
            assert_eq!(image.digest(), None);
        }
        let both = format!("ghcr.io/team/counter:1@{DIGEST}");
        let image = Image::parse(&both).expect("a tag and a digest");
        assert_eq!((image.registry(), image.name()), ("ghcr.io", "team/counter"));
        assert_eq!((image.tag(), image.short_name()), (Some("1"), "counter"));
        assert_eq!((image.version(), image.to_string()), (DIGEST.to_owned(), both));
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once_with_what_was_expected() {
        for (text, told) in [
            (
                "oci://Bad_Host:0/Team/App:a b@md5:1",
                &["`oci://`", "`Bad_Host:0`", "`Team/App`", "`a b`", "`md5:1`"][..],
            ),
            ("localhost:5000/counter", &["neither a tag nor a digest"]),
            ("counter:1", &["names no registry"]),
            ("localhost:5000/:1", &["names no repository"]),
            ("localhost:5000/a//b:1", &["`a//b`"]),
            ("localhost:5000/a:", &["the tag ``"]),
            ("localhost:5000/a@", &["the digest ``"]),
            ("localhost:99999/a:1", &["`localhost:99999`"]),
            ("[::1/a:1", &["`[::1`"]),
            ("a.b/c\n:1", &["`c\\n`"]),
        ] {
            let error = Image::parse(text).expect_err(text);
            assert_eq!(error.code(), Code::Image);
            for told in told.iter().chain(&[FORM, EXAMPLE]) {
                assert!(error.message().contains(told), "{told} not in {}", error.message());
            }
        }
        let long = format!("localhost/{}:1", "a".repeat(BYTES_MAX));
        let error = Image::parse(&long).expect_err("too long");
        assert!(error.message().len() < 300, "{}", error.message());
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in ".{0,80}") {
            let _ = Image::parse(&text);
        }

        #[test]
        fn what_is_read_is_written_as_it_was(
            registry in "[a-z]{1,8}(\\.[a-z]{2,3})?(:[1-9][0-9]{0,3})?",
            name in "[a-z0-9]{1,6}([._-][a-z0-9]{1,4}){0,2}(/[a-z0-9]{1,5}){0,2}",
            tag in "[A-Za-z0-9_][A-Za-z0-9._-]{0,20}",
        ) {
            let text = format!("{registry}/{name}:{tag}");
            let read = Image::parse(&text).map(|image| image.to_string());
            prop_assert_eq!(read.ok(), Some(text));
        }
    }
}
