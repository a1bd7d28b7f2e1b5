trellis_macros::contract! { "types.wit" }

fn main() {}
