//! The async runtime, for the commands that run guests.

use trellis_core::Code;

use crate::failure::Failure;

/// Runs a future to its end on a new runtime.
///
/// # Errors
/// The future's own, or that the operating system gives no threads.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime
        .map_err(|error| Failure::new(Code::Internal, "cannot start threads").cause(&error))?;
    runtime.block_on(future)
}
