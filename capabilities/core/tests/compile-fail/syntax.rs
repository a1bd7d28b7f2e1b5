trellis_macros::contract! { "syntax.wit" }

fn main() {}
