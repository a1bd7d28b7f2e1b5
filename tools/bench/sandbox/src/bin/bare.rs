//! Measures the ceilings of the sandbox rows. `bench_side` describes its input and output.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    bench_side::serve(async |row, longest| bench_sandbox::bare::measure(row, longest).await)
}
