//! MessagePack, written byte by byte. Every integer gets its shortest form, as in rmp.

/// Writes nil.
pub fn nil(out: &mut Vec<u8>) {
    out.push(0xc0);
}

/// Writes a Boolean.
pub fn boolean(out: &mut Vec<u8>, value: bool) {
    out.push(if value { 0xc3 } else { 0xc2 });
}

/// Writes an integer that is not negative.
pub fn unsigned(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=0x7f => out.push(value as u8),
        0x80..=0xff => out.extend_from_slice(&[0xcc, value as u8]),
        0x100..=0xffff => sized(out, 0xcd, &(value as u16).to_be_bytes()),
        0x1_0000..=0xffff_ffff => sized(out, 0xce, &(value as u32).to_be_bytes()),
        _ => sized(out, 0xcf, &value.to_be_bytes()),
    }
}

/// Writes an integer of either sign.
pub fn signed(out: &mut Vec<u8>, value: i64) {
    match value {
        0.. => unsigned(out, value as u64),
        -32..=-1 => out.push(value as u8),
        -0x80..=-33 => out.extend_from_slice(&[0xd0, value as u8]),
        -0x8000..=-0x81 => sized(out, 0xd1, &(value as i16).to_be_bytes()),
        -0x8000_0000..=-0x8001 => sized(out, 0xd2, &(value as i32).to_be_bytes()),
        _ => sized(out, 0xd3, &value.to_be_bytes()),
    }
}

/// Writes a 32-bit float.
pub fn float32(out: &mut Vec<u8>, value: f32) {
    sized(out, 0xca, &value.to_be_bytes());
}

/// Writes a 64-bit float.
pub fn float64(out: &mut Vec<u8>, value: f64) {
    sized(out, 0xcb, &value.to_be_bytes());
}

/// Writes text.
#[inline]
pub fn text(out: &mut Vec<u8>, text: &str) {
    match text.len() {
        len @ 0..=31 => out.push(0xa0 | len as u8),
        len @ 32..=0xff => out.extend_from_slice(&[0xd9, len as u8]),
        len => long(out, [0xda, 0xdb], len),
    }
    out.extend_from_slice(text.as_bytes());
}

/// Writes bytes.
pub fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    match bytes.len() {
        len @ 0..=0xff => out.extend_from_slice(&[0xc4, len as u8]),
        len => long(out, [0xc5, 0xc6], len),
    }
    out.extend_from_slice(bytes);
}

/// Begins a list of `len` elements.
pub fn list(out: &mut Vec<u8>, len: usize) {
    match len {
        0..=15 => out.push(0x90 | len as u8),
        len => long(out, [0xdc, 0xdd], len),
    }
}

/// Begins a map of `len` entries.
#[inline]
pub fn map(out: &mut Vec<u8>, len: usize) {
    match len {
        0..=15 => out.push(0x80 | len as u8),
        len => long(out, [0xde, 0xdf], len),
    }
}

/// A length in 16 or 32 bits. A longer one cannot be sent: `payload_bytes_max` is far below.
fn long(out: &mut Vec<u8>, [short, long]: [u8; 2], len: usize) {
    match u16::try_from(len) {
        Ok(len) => sized(out, short, &len.to_be_bytes()),
        Err(_) => sized(out, long, &(len as u32).to_be_bytes()),
    }
}

fn sized(out: &mut Vec<u8>, marker: u8, bytes: &[u8]) {
    out.push(marker);
    out.extend_from_slice(bytes);
}
