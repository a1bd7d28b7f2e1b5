//! Providers that are modules, good ones and bad ones, written by hand.

mod portable {
    pub(crate) mod bench;
    pub(crate) mod binds;
    pub(crate) mod describes;
    pub(crate) mod serves;
}
