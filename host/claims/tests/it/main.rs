//! The claims crate from outside: what is accepted, and every way to be refused.

mod bearers;
mod golden;
mod inspection;
mod keys;
mod layouts;
mod providers;
mod support;
mod tamper;
mod time;
mod tokens;
mod trusted;
