//! Protobuf, as far as it is written here.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

/// A message that is being written. What has its default value is left out, as in proto3.
#[derive(Default, Debug)]
pub(super) struct Writer(Vec<u8>);

/// How a value stands on the wire.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
    Fixed32 = 5,
}

impl Writer {
    /// A message with what `fill` writes.
    pub(super) fn of(fill: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut message = Self::default();
        fill(&mut message);
        message.0
    }

    pub(super) fn varint(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.key(field, Wire::Varint);
            self.number(value);
        }
    }

    pub(super) fn fixed64(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.key(field, Wire::Fixed64);
            self.0.extend_from_slice(&value.to_le_bytes());
        }
    }

    pub(super) fn fixed32(&mut self, field: u32, value: u32) {
        if value != 0 {
            self.key(field, Wire::Fixed32);
            self.0.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// As [`double`](Self::double), without a fraction.
    pub(super) fn integer(&mut self, field: u32, value: i64) {
        self.key(field, Wire::Varint);
        self.number(value.cast_unsigned());
    }

    /// A number that is there even when it is 0: one of several things that a field may be.
    pub(super) fn double(&mut self, field: u32, value: f64) {
        self.key(field, Wire::Fixed64);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn text(&mut self, field: u32, value: &str) {
        if !value.is_empty() {
            self.bytes(field, value.as_bytes());
        }
    }

    pub(super) fn bytes(&mut self, field: u32, value: &[u8]) {
        self.key(field, Wire::Length);
        self.number(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    pub(super) fn message(&mut self, field: u32, fill: impl FnOnce(&mut Self)) {
        self.bytes(field, &Self::of(fill));
    }

    /// Numbers of eight bytes, one after the other.
    pub(super) fn packed<const N: usize>(
        &mut self,
        field: u32,
        values: impl Iterator<Item = [u8; N]>,
    ) {
        let values: Vec<u8> = values.flatten().collect();
        if !values.is_empty() {
            self.bytes(field, &values);
        }
    }

    fn key(&mut self, field: u32, wire: Wire) {
        self.number(u64::from(field) << 3 | wire as u64);
    }

    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}
