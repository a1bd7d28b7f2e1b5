trellis_macros::contract! { "nowhere.wit" }

fn main() {}
