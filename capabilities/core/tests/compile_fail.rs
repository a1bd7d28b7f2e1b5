//! The compile errors for mistakes in a WIT file or in a handler.

#[test]
fn mistakes_are_named_with_their_place() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/compile-fail/*.rs");
}
