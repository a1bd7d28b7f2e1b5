trellis_macros::contract! { "no-world.wit" }

fn main() {}
