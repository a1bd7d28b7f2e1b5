//! What a provider and its host say to each other.

trellis_macros::contract! { "provider.wit", aliases: [] }
