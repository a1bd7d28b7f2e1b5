//! Pointers from a guest: nothing is believed.

use trellis_core::{CallError, Code};

/// `memory[pointer..pointer + length]`.
///
/// # Errors
/// `E_GUEST_POINTER` when any of it lies outside.
#[inline]
pub(super) fn slice(memory: &[u8], pointer: u32, length: u32) -> Result<&[u8], CallError> {
    pointer
        .checked_add(length)
        .and_then(|end| memory.get(pointer as usize..end as usize))
        .ok_or_else(|| outside(pointer, length as usize, memory.len()))
}

/// Copies `bytes` to `pointer`.
///
/// # Errors
/// `E_GUEST_POINTER` when any of it would lie outside; then nothing is written.
#[inline]
pub(super) fn write(memory: &mut [u8], pointer: u32, bytes: &[u8]) -> Result<(), CallError> {
    let size = memory.len();
    let target = (pointer as usize)
        .checked_add(bytes.len())
        .and_then(|end| memory.get_mut(pointer as usize..end))
        .ok_or_else(|| outside(pointer, bytes.len(), size))?;
    target.copy_from_slice(bytes);
    Ok(())
}

#[cold]
fn outside(pointer: u32, length: usize, size: usize) -> CallError {
    CallError::new(
        Code::GuestPointer,
        format!("{length} bytes at {pointer} lie outside the guest's memory of {size} bytes"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c7_no_pointer_escapes() {
        let memory = [7_u8; 16];
        assert_eq!(slice(&memory, 4, 2).expect("inside"), [7, 7]);
        assert_eq!(slice(&memory, 16, 0).expect("empty at the end"), [0_u8; 0]);
        for (pointer, length) in [(16, 1), (17, 0), (u32::MAX, 1), (u32::MAX, u32::MAX), (8, 9)] {
            let error = slice(&memory, pointer, length).expect_err("outside");
            assert_eq!(error.code(), Code::GuestPointer);
        }
        let mut memory = memory;
        assert!(write(&mut memory, 15, &[1, 2]).is_err());
        assert_eq!(memory, [7; 16], "nothing half-written");
        write(&mut memory, 14, &[1, 2]).expect("inside");
        assert_eq!(memory[14..], [1, 2]);
    }
}
