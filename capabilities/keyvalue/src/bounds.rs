//! How much one operation may look at and answer: counted before anything is set aside for it.

use trellis_core::wire::reader::Reader;
use trellis_core::{CallError, Code};

/// The bounds of one operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Most keys of one `SetUnion` or `SetIntersection`.
    pub operands_max: usize,
    /// Most elements of a list or a set, and most elements one operation looks at.
    pub elements_max: usize,
    /// Largest answer, in bytes of its elements.
    pub answer_bytes_max: u64,
}

/// What one operation has used so far.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    bounds: Bounds,
    elements: usize,
    bytes: u64,
}

/// What an element costs in an answer beside its text: the longest header a text has on the wire.
const ELEMENT_BYTES: u64 = 5;

impl Bounds {
    /// The default of [`Bounds::operands_max`].
    pub const OPERANDS_MAX: usize = 1_024;
    /// The default of [`Bounds::elements_max`].
    pub const ELEMENTS_MAX: usize = 1_000_000;
    /// The default of [`Bounds::answer_bytes_max`].
    pub const ANSWER_BYTES_MAX: u64 = 16 << 20;

    /// Refuses a request over too many keys, looking at the length of its list alone: reading a
    /// list takes many times the memory of its bytes. A request that is malformed passes: whoever
    /// reads it will say so.
    ///
    /// # Errors
    /// [`Code::TooLarge`].
    pub fn check_request(&self, operation: &str, payload: &[u8]) -> Result<(), CallError> {
        if !matches!(operation, "SetUnion" | "SetIntersection") {
            return Ok(());
        }
        match operands(payload) {
            Some(operands) if operands > self.operands_max => Err(self.too_many_operands(operands)),
            _ => Ok(()),
        }
    }

    /// Refuses an element more for a list or set of this size.
    ///
    /// # Errors
    /// [`Code::TooLarge`].
    pub fn room_for_one(&self, elements: usize) -> Result<(), CallError> {
        if elements < self.elements_max { Ok(()) } else { Err(self.too_many_elements()) }
    }

    /// Begins to count for one operation.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        Tally { bounds: *self, elements: 0, bytes: 0 }
    }

    /// The refusal of a list or a set, or of an operation, with too many elements.
    #[must_use]
    pub fn too_many_elements(&self) -> CallError {
        let sentence = format!(
            "the lists and sets of this operation have more elements than ELEMENTS_MAX ({}); use \
             smaller ones, or raise it",
            self.elements_max
        );
        CallError::new(Code::TooLarge, sentence)
    }

    /// The refusal of an answer that is too large.
    #[must_use]
    pub fn answer_too_large(&self) -> CallError {
        let sentence = format!(
            "the answer is larger than ANSWER_MAX ({} bytes); ask for less at once, or raise it",
            self.answer_bytes_max
        );
        CallError::new(Code::TooLarge, sentence)
    }

    fn too_many_operands(&self, operands: usize) -> CallError {
        let sentence = format!(
            "the operation is over {operands} keys, more than OPERANDS_MAX ({}); use several, or \
             raise it",
            self.operands_max
        );
        CallError::new(Code::TooLarge, sentence)
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            operands_max: Self::OPERANDS_MAX,
            elements_max: Self::ELEMENTS_MAX,
            answer_bytes_max: Self::ANSWER_BYTES_MAX,
        }
    }
}

impl Tally {
    /// Counts elements that are looked at.
    ///
    /// # Errors
    /// [`Code::TooLarge`] when they are too many.
    pub fn look_at(&mut self, elements: usize) -> Result<(), CallError> {
        self.elements = self.elements.saturating_add(elements);
        if self.elements <= self.bounds.elements_max {
            Ok(())
        } else {
            Err(self.bounds.too_many_elements())
        }
    }

    /// Counts an element of the answer, before it is copied.
    ///
    /// # Errors
    /// [`Code::TooLarge`] when the answer would be too large.
    pub fn answer(&mut self, element: &str) -> Result<(), CallError> {
        self.bytes = self.bytes.saturating_add(ELEMENT_BYTES + element.len() as u64);
        if self.bytes <= self.bounds.answer_bytes_max {
            Ok(())
        } else {
            Err(self.bounds.answer_too_large())
        }
    }
}

/// How many keys a request of `SetUnion` or `SetIntersection` lists.
fn operands(payload: &[u8]) -> Option<usize> {
    let mut input = Reader::new(payload);
    let mut fields = input.record().ok()?;
    let is_keys = |key: &[u8]| usize::from(key != b"keys");
    while let Some(position) = fields.next(&mut input, is_keys).ok()? {
        if position == 0 {
            return input.list_len().ok()?;
        }
        input.skip().ok()?;
    }
    None
}

#[cfg(test)]
mod tests {
    use trellis_core::OperationSpec;

    use super::*;
    use crate::{SetUnion, SetUnionRequest};

    const BOUNDS: Bounds = Bounds { operands_max: 2, elements_max: 3, answer_bytes_max: 20 };

    #[test]
    fn operands_are_counted_before_they_are_read() {
        let request = |keys: usize| {
            let keys = (0..keys).map(|key| key.to_string()).collect();
            SetUnion::encode_input(&SetUnionRequest { keys })
        };
        for keys in [0, 1, 2, 15, 16, 70_000] {
            assert_eq!(operands(&request(keys)), Some(keys));
        }
        assert_eq!(BOUNDS.check_request("SetUnion", &request(2)), Ok(()));
        let error = BOUNDS.check_request("SetIntersection", &request(3)).expect_err("one too many");
        assert_eq!(error.code(), Code::TooLarge);
        assert!(error.message().contains("OPERANDS_MAX (2)"), "{error}");
        assert_eq!(BOUNDS.check_request("Get", &request(3)), Ok(()));
        // A length that lies is refused by what it says, not by what is there.
        let liar = [0x81, 0xa4, b'k', b'e', b'y', b's', 0xdd, 0xff, 0xff, 0xff, 0xff];
        assert!(BOUNDS.check_request("SetUnion", &liar).is_err());
        let in_order = [0x91, 0x93, 0xa0, 0xa0, 0xa0];
        assert_eq!(operands(&in_order), Some(3), "a record may be an array");
        for malformed in [&[][..], &[0xc0], &[0x81, 0xa1, b'k'], &[0x81, 0xa4, b'k']] {
            assert_eq!(operands(malformed), None);
        }
    }

    #[test]
    fn elements_and_bytes_are_counted() {
        let mut tally = BOUNDS.tally();
        assert_eq!(tally.look_at(3), Ok(()));
        assert!(tally.look_at(1).is_err_and(|error| error.message().contains("ELEMENTS_MAX (3)")));
        assert_eq!(tally.answer("12345"), Ok(()));
        assert_eq!(tally.answer("12345"), Ok(()));
        assert!(tally.answer("").is_err_and(|error| error.message().contains("ANSWER_MAX")));
        assert_eq!(BOUNDS.room_for_one(2), Ok(()));
        assert!(BOUNDS.room_for_one(3).is_err());
    }
}
