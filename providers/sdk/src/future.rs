//! The future type of the object-safe traits here.

/// A boxed future that may cross threads.
pub type BoxFuture<'a, T> = futures_util::future::BoxFuture<'a, T>;
