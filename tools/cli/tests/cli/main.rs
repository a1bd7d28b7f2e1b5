//! The real binary over real files: every command, its output, its exit code.

mod call;
mod destination;
mod guest;
mod identity;
mod keys;
mod names;
mod new;
mod par;
mod registry;
mod rim;
mod sandbox;
mod script;
mod sign;
mod verify;
