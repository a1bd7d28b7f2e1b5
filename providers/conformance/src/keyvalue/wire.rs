//! Requests that are not what they should be.

use trellis_core::Code;

use super::bench::{Bench, Case};
use crate::suite::assert_refused;

pub(super) const CASES: &[Case] = &[
    Case { name: "an unknown operation is refused", check: |b| Box::pin(unknown(b)) },
    Case { name: "a malformed request is refused", check: |b| Box::pin(malformed(b)) },
];

async fn unknown(bench: Bench) {
    let store = bench.store().await;
    for operation in ["", "add", "Increment", "Add ", "wascc:keyvalue!Add"] {
        assert_refused(store.raw(operation, &b"\x80"[..]).await, Code::NotFound);
    }
}

async fn malformed(bench: Bench) {
    let store = bench.store().await;
    let requests: [&[u8]; 6] = [
        b"",
        b"\xc1",
        b"\x81\xa3key",
        b"\x82\xa3key\xa1k\xa5value\xa1x",
        b"\xdf\xff\xff\xff\xff\xa3key\xa1k",
        b"\x93\x93\x93\x93",
    ];
    for request in requests {
        assert_refused(store.raw("Add", request).await, Code::Message);
    }
    assert_eq!(store.key_exists("k").await, Ok(false), "nothing was changed");
}
