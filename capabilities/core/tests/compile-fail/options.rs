trellis_macros::contract! {
    "../wit/everything.wit",
    with: { "no-such-type": u32 },
    reads_also: { "wide.no-such-field": "x" },
}

fn main() {}
