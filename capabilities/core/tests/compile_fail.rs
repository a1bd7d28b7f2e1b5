//! What a mistake in a WIT file, or above a handler, looks like to whoever made it.

#[test]
fn mistakes_are_named_with_their_place() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/compile-fail/*.rs");
}
