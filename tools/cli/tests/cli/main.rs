//! The real binary over real files: every command, its output, its exit code.

mod call;
mod guest;
mod keys;
mod rim;
mod sandbox;
mod script;
mod sign;
mod verify;
