//! Random bytes of any number, and a random number.

use trellis_capabilities::random::{BYTES_MAX, Client};
use trellis_core::{CallError, Code};

use crate::host::Host;

/// `count` random bytes, asked for in as many calls as the contract's bound needs.
///
/// # Errors
/// Why the host refused the call: the actor does not claim `trellis:random`, or asked too often.
pub fn bytes(count: usize) -> Result<Vec<u8>, CallError> {
    let mut bytes = vec![0; count];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// Fills `buffer` with random bytes.
///
/// # Errors
/// As [`bytes`]; the buffer may be filled in part.
pub fn fill(buffer: &mut [u8]) -> Result<(), CallError> {
    for part in buffer.chunks_mut(BYTES_MAX as usize) {
        let count = u32::try_from(part.len()).expect("a part is at most BYTES_MAX long");
        let drawn = host().draw(count)?;
        if drawn.len() != part.len() {
            let sentence = format!("asked for {count} random bytes, got {}", drawn.len());
            return Err(CallError::new(Code::Message, sentence));
        }
        part.copy_from_slice(&drawn);
    }
    Ok(())
}

/// A random number, every one equally likely.
///
/// # Errors
/// As [`bytes`].
pub fn u64() -> Result<u64, CallError> {
    let mut bytes = [0; size_of::<u64>()];
    fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

const fn host() -> Client<Host> {
    Client::new(Host)
}
