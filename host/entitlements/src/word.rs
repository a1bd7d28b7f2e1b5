//! A name that is compared in registers.

use std::cmp::Ordering;

/// A name in a map of this crate. Its ends stand beside it, and those of a short name are all of
/// it: most names are found without a look at their text, and never by a call of `memcmp`, three of
/// which were a quarter of a check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Word {
    ends: Ends,
    text: Box<str>,
}

/// A name that is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sought<'a> {
    ends: Ends,
    text: &'a str,
}

/// The first and the last eight bytes, and how many there are in all. Of two names of up to
/// [`Ends::WHOLE`] bytes, these are the same only when the names are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Ends {
    first: u64,
    last: u64,
    len: usize,
}

impl Ends {
    const WHOLE: usize = 16;

    #[inline]
    fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let (first, last) = match (bytes.first_chunk(), bytes.last_chunk()) {
            (Some(first), Some(last)) => (u64::from_be_bytes(*first), u64::from_be_bytes(*last)),
            _ => short(bytes),
        };
        Self { first, last, len: bytes.len() }
    }
}

/// The ends of fewer than eight bytes.
#[inline]
fn short(bytes: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return (u32::from_be_bytes(*first).into(), u32::from_be_bytes(*last).into());
    }
    let at = |index: usize| bytes.get(index).copied().unwrap_or_default();
    (at(0).into(), u16::from_be_bytes([at(1), at(2)]).into())
}

impl Word {
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    #[inline]
    pub(crate) fn is(&self, sought: Sought<'_>) -> bool {
        self.order(sought).is_eq()
    }

    /// Where it stands beside `sought`, in an order of this type's own.
    #[inline]
    pub(crate) fn order(&self, sought: Sought<'_>) -> Ordering {
        self.ends.cmp(&sought.ends).then_with(|| match sought.ends.len {
            0..=Ends::WHOLE => Ordering::Equal,
            _ => (*self.text).cmp(sought.text),
        })
    }
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        Self { ends: Ends::of(text), text: text.into() }
    }
}

impl<'a> From<&'a str> for Sought<'a> {
    #[inline]
    fn from(text: &'a str) -> Self {
        Self { ends: Ends::of(text), text }
    }
}

impl Sought<'_> {
    /// Where to look for it in a table. It needs nothing but the name, so the processor has it
    /// before it has found the table. Names with the same ends fall together: they are rare, and
    /// whoever puts names into a table is trusted.
    #[inline]
    pub(crate) const fn hash(self) -> u64 {
        // Numbers without a pattern: the digits of pi.
        const SEEDS: [u64; 2] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7345];
        let Ends { first, last, .. } = self.ends;
        let product = (first ^ SEEDS[0]) as u128 * (last ^ SEEDS[1]) as u128;
        product as u64 ^ (product >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every prefix of a long name, and each of these with one byte changed, at every place.
    fn texts() -> Vec<String> {
        let long = "a:quite-long-namespace";
        let prefixes: Vec<_> = (0..=long.len()).map(|end| long[..end].to_owned()).collect();
        let changed = prefixes.iter().flat_map(|text| {
            (0..text.len()).map(|place| {
                let mut changed = text.clone();
                changed.replace_range(place..=place, "#");
                changed
            })
        });
        let zeros = ["\0", "\0\0", "a\0", "\0a", "abc\0", "\0\0\0\0\0"].map(str::to_owned);
        changed.chain(zeros).chain(prefixes.clone()).collect()
    }

    #[test]
    fn a_word_is_its_text_and_no_other() {
        let texts = texts();
        for known in &texts {
            for wanted in &texts {
                let (word, sought) = (Word::from(known.as_str()), Sought::from(wanted.as_str()));
                assert_eq!(word.is(sought), known == wanted, "{known:?} and {wanted:?}");
                let back = Word::from(wanted.as_str()).order(Sought::from(known.as_str()));
                assert_eq!(word.order(sought), back.reverse(), "{known:?} and {wanted:?}");
            }
        }
    }

    #[test]
    fn names_fall_apart() {
        let hashes = texts().iter().map(|text| Sought::from(text.as_str()).hash() >> 57).collect();
        let tags: std::collections::BTreeSet<u64> = hashes;
        assert!(tags.len() > 100, "{} of 128 tags", tags.len());
    }
}
