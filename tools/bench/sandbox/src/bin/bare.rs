//! Measures the ceilings of the sandbox rows. `bench_side` describes its input and output.
//! It starts itself as `bare SOCKET` for the other end of a Unix socket.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    if let Some(socket) = std::env::args_os().nth(1) {
        return bench_sandbox::bare::socket::answer(socket.as_ref());
    }
    bench_side::serve(async |row, longest| bench_sandbox::bare::measure(row, longest).await)
}
