//! One value a provider understands.

use std::borrow::Cow;
use std::path::Path;

use serde::{Deserialize, Serialize};
use trellis_core::parse_switch;
use trellis_core::units::{parse_duration, parse_size};

/// One value a provider understands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Setting {
    /// The key, upper case by custom (`PORT`).
    pub key: Cow<'static, str>,
    /// Where it may stand.
    pub scope: Scope,
    /// What it must look like.
    pub kind: SettingKind,
    /// The default, as it would be written; `None` when the value is needed or has none.
    pub default: Option<Cow<'static, str>>,
    /// One sentence for people, with the unit.
    pub doc: Cow<'static, str>,
    /// True when the value names something that only one instance may hold at a time: a file, a
    /// port.
    #[serde(default)]
    pub exclusive: bool,
    /// True when its value is no secret although it is any text: whoever looks at the host may see
    /// it.
    #[serde(default)]
    pub plain: bool,
}

/// Where a value may stand in a manifest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Under the provider.
    Provider,
    /// Under a binding.
    Binding,
    /// Under either; the binding's wins.
    Both,
}

/// The form of a value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingKind {
    /// Any text.
    Text,
    /// A whole number from 0, within these bounds.
    Integer {
        /// Smallest allowed.
        min: u64,
        /// Largest allowed.
        max: u64,
    },
    /// `true` or `false`.
    Boolean,
    /// A span of time: `500ms`, `5s`, `1m`.
    Duration,
    /// A size: `512`, `16KiB`, `64MiB`.
    Size,
    /// One of these words.
    Choice(Cow<'static, [Cow<'static, str>]>),
    /// A path of a file, or one of these words, which are no paths (`:memory:`). A relative path
    /// starts at the manifest's folder; the provider is given it resolved.
    Path(Cow<'static, [Cow<'static, str>]>),
}

impl Setting {
    /// A setting as a provider's table writes it.
    #[must_use]
    pub const fn new(
        key: &'static str,
        scope: Scope,
        kind: SettingKind,
        default: Option<&'static str>,
        doc: &'static str,
    ) -> Self {
        let default = match default {
            Some(text) => Some(Cow::Borrowed(text)),
            None => None,
        };
        let (key, doc) = (Cow::Borrowed(key), Cow::Borrowed(doc));
        Self { key, scope, kind, default, doc, exclusive: false, plain: false }
    }

    /// The same setting, whose value only one instance may hold at a time.
    #[must_use]
    pub const fn exclusive(mut self) -> Self {
        self.exclusive = true;
        self
    }

    /// The same setting, whose value is no secret although it is any text.
    #[must_use]
    pub const fn plain(mut self) -> Self {
        self.plain = true;
        self
    }

    /// True when its value may be a secret, which is shown to nobody.
    #[must_use]
    pub const fn may_be_secret(&self) -> bool {
        matches!(self.kind, SettingKind::Text) && !self.plain
    }

    /// True when it may stand at `scope`.
    #[must_use]
    pub fn stands_at(&self, scope: Scope) -> bool {
        self.scope == Scope::Both || self.scope == scope
    }

    /// True when two instances with this value are in each other's way: it is exclusive, and it
    /// names something (`:memory:` and port 0 name nothing).
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        let names_nothing = match &self.kind {
            SettingKind::Path(words) => words.iter().any(|word| word == text),
            SettingKind::Integer { .. } => text.parse() == Ok(0_u64),
            _ => false,
        };
        self.exclusive && !names_nothing
    }
}

impl SettingKind {
    /// True when two values of this form surely mean the same.
    #[must_use]
    pub fn is_same(&self, one: &str, other: &str) -> bool {
        match self {
            // `a//b` and `a/./b` are one path; what `..` leads to is for the machine to say.
            Self::Path(_) => Path::new(one) == Path::new(other),
            Self::Integer { .. } => one.parse::<u64>().ok() == other.parse().ok(),
            _ => one == other,
        }
    }

    /// What `text` should have been, when it does not have this form.
    #[must_use]
    pub fn misfit(&self, text: &str) -> Option<String> {
        let unless = |fits: bool, form: &str| (!fits).then(|| form.to_owned());
        match self {
            Self::Text => None,
            Self::Integer { min, max } => {
                let fits = text.parse::<u64>().is_ok_and(|number| (min..=max).contains(&&number));
                (!fits).then(|| format!("a whole number from {min} to {max}"))
            }
            Self::Boolean => unless(text.parse::<bool>().is_ok(), "`true` or `false`"),
            Self::Duration => unless(parse_duration(text).is_some(), "a time such as `5s`"),
            Self::Size => unless(parse_size(text).is_some(), "a size such as `16MiB`"),
            Self::Choice(words) => (!words.iter().any(|word| word == text))
                .then(|| format!("one of {}", words.join(", "))),
            Self::Path(words) => {
                let or = words.iter().map(|word| format!(", or `{word}`")).collect::<String>();
                let fits = !text.is_empty() && !text.contains('\0');
                let is_word = is_word(text, words);
                let beware = if is_word { "; `./NAME` is a file of that name" } else { "" };
                (!fits || is_word).then(|| format!("the path of a file{or}{beware}"))
            }
        }
    }
}

/// True for what is written as a path and was meant to switch something, or to be one of `words`:
/// it would make a file of that name.
fn is_word(text: &str, words: &[Cow<'_, str>]) -> bool {
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_lowercase();
    let is_like = |word: &str| text != word && bare(word) == bare(text) && !text.contains('/');
    let is_switch = parse_switch(text).is_some() && !words.iter().any(|word| word == text);
    is_switch || words.iter().any(|word| is_like(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &[Cow<'static, str>] = &[Cow::Borrowed(":memory:")];

    #[test]
    fn only_a_value_that_names_something_is_held() {
        let path = SettingKind::Path(Cow::Borrowed(WORDS));
        let path = Setting::new("PATH", Scope::Provider, path, None, "").exclusive();
        assert!(path.holds("a.redb") && !path.holds(":memory:"));
        let port = SettingKind::Integer { min: 0, max: 65_535 };
        let port = Setting::new("PORT", Scope::Both, port, None, "").exclusive();
        assert!(port.holds("80") && !port.holds("0"));
        let text = Setting::new("TEXT", Scope::Both, SettingKind::Text, None, "");
        assert!(!text.holds("a"));
    }

    #[test]
    fn only_text_may_be_a_secret_unless_it_is_said_to_be_none() {
        let setting = |kind| Setting::new("KEY", Scope::Both, kind, None, "");
        assert!(setting(SettingKind::Text).may_be_secret());
        assert!(!setting(SettingKind::Text).plain().may_be_secret());
        assert!(!setting(SettingKind::Boolean).may_be_secret());
        assert!(!setting(SettingKind::Path(Cow::Borrowed(WORDS))).may_be_secret());
    }

    #[test]
    fn a_word_is_no_path() {
        let path = SettingKind::Path(Cow::Borrowed(WORDS));
        for word in ["off", "False", "no", "true", "on", "memory", ":memory", "Memory"] {
            let misfit = path.misfit(word).expect(word);
            assert!(misfit.contains("`:memory:`; `./NAME`"), "{word}: {misfit}");
        }
        for fits in [":memory:", "./off", "memory.redb", "/memory", "data/on"] {
            assert_eq!(path.misfit(fits), None, "{fits}");
        }
    }

    #[test]
    fn a_misfit_says_what_was_wanted() {
        for (kind, fits, misfits) in [
            (SettingKind::Integer { min: 1, max: 9 }, "9", "10"),
            (SettingKind::Boolean, "true", "yes"),
            (SettingKind::Duration, "5s", "soon"),
            (SettingKind::Size, "16MiB", "much"),
            (SettingKind::Choice(Cow::Borrowed(WORDS)), ":memory:", "x"),
            (SettingKind::Path(Cow::Borrowed(WORDS)), "x", ""),
        ] {
            assert_eq!(kind.misfit(fits), None, "{kind:?}");
            assert!(kind.misfit(misfits).is_some(), "{kind:?}");
        }
    }
}
