//! Measures the ceilings of the sandbox rows: see `bench_side` for how it is asked.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    bench_side::serve(async |row, longest| bench_sandbox::bare::measure(row, longest).await)
}
