//! Says hello to every request, with the bindings `wasmtime serve` is documented with.
//!
//! **Deliberately absent:** Trellis. It is the peer.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

struct Hello;

wasip2::http::proxy::export!(Hello);

impl Guest for Hello {
    fn handle(_: IncomingRequest, out: ResponseOutparam) {
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body().expect("the first body of a new response");
        ResponseOutparam::set(out, Ok(response));
        let stream = body.write().expect("the first stream of a new body");
        stream.blocking_write_and_flush(b"hello").expect("five bytes fit");
        drop(stream);
        OutgoingBody::finish(body, None).expect("a body without a promised length");
    }
}
