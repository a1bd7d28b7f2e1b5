trellis_macros::contract! { "undocumented.wit" }

fn main() {}
