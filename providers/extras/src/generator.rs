//! The operations of the contract.

use std::sync::atomic::{AtomicU64, Ordering};

use trellis_capabilities_extras as contract;
use trellis_capabilities_extras::{GeneratorRequest, GeneratorResult};
use trellis_core::{CallError, Code};

/// The operations; all that lasts is in the caller's [`Sequence`].
pub(crate) struct Generator;

/// The last number one binding was given.
#[derive(Default, Debug)]
pub(crate) struct Sequence(AtomicU64);

impl Sequence {
    fn next(&self) -> u64 {
        // Relaxed: a number is given once, and nothing else is read on the strength of it.
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl contract::Provider for Generator {
    type Caller = Sequence;

    async fn request_guid(
        &self,
        _: &Sequence,
        _: GeneratorRequest,
    ) -> Result<GeneratorResult, CallError> {
        let guid = uuid::Builder::from_random_bytes(random_bytes()?).into_uuid();
        Ok(GeneratorResult { guid: Some(guid.to_string()), ..GeneratorResult::default() })
    }

    async fn request_sequence(
        &self,
        sequence: &Sequence,
        _: GeneratorRequest,
    ) -> Result<GeneratorResult, CallError> {
        Ok(GeneratorResult { sequence_number: sequence.next(), ..GeneratorResult::default() })
    }

    async fn request_random(
        &self,
        _: &Sequence,
        request: GeneratorRequest,
    ) -> Result<GeneratorResult, CallError> {
        let width = request.max.checked_sub(request.min).filter(|width| *width > 0);
        let width = width.ok_or_else(|| {
            let GeneratorRequest { min, max, .. } = request;
            let sentence = format!("`min` must be below `max`, but {min} is not below {max}");
            CallError::new(Code::Message, sentence)
        })?;
        let random_number = request.min + below(width, || random_bytes().map(u32::from_le_bytes))?;
        Ok(GeneratorResult { random_number, ..GeneratorResult::default() })
    }
}

/// A number below `width`, each equally likely: the high half of a product, drawn again where some
/// numbers would be favored. Source: Lemire, "Fast Random Integer Generation in an Interval", 2019.
fn below(width: u32, mut draw: impl FnMut() -> Result<u32, CallError>) -> Result<u32, CallError> {
    let favored = width.wrapping_neg() % width;
    loop {
        let product = u64::from(draw()?) * u64::from(width);
        let [low @ .., _, _, _, _] = product.to_le_bytes();
        let [_, _, _, _, high @ ..] = product.to_le_bytes();
        if u32::from_le_bytes(low) >= favored {
            return Ok(u32::from_le_bytes(high));
        }
    }
}

fn random_bytes<const N: usize>() -> Result<[u8; N], CallError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| {
        CallError::new(Code::Provider, "the operating system gives no random numbers")
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_below_the_width_and_reach_its_ends() {
        let ends = |width, draw| below(width, || Ok(draw)).expect("this draw needs no other");
        assert_eq!(ends(1, 0), 0);
        assert_eq!(ends(1, u32::MAX), 0);
        assert_eq!(ends(10, u32::MAX), 9);
        assert_eq!(ends(u32::MAX, u32::MAX), u32::MAX - 1);
        assert_eq!(ends(1 << 31, 0), 0);
    }

    #[test]
    fn draws_that_would_favor_a_number_are_drawn_again() {
        // 2^32 mod 3 is 1: of all draws exactly one, 0, is too many for the first third.
        let mut draws = [0, 1].into_iter();
        let number = below(3, || Ok(draws.next().expect("two draws are enough")));
        assert_eq!((number, draws.next()), (Ok(0), None));
    }
}
