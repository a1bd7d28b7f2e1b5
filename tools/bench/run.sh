#!/usr/bin/env bash
# `make bench`: builds every side in release mode and measures it. Options are for the runner, such as
#   tools/bench/run.sh --only http --rounds 9
# The first run also builds the peer `wasmtime serve` from source, which takes a few minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."

tools/setup.sh bench
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
bench=$target/bench
wasmtime_version=48.0.8

# One package at a time: the features of one build are shared, and the peer needs other ones.
build() { (cd tools/bench && CARGO_TARGET_DIR=$bench cargo build --release --locked "$@"); }

echo "building" >&2
cargo build --release --locked --package trellis-app
cargo build --release --locked --package bench-runner
cargo xtask guests
build --package bench-wapc
build --package bench-sandbox

command -v rustup >/dev/null && rustup target add wasm32-wasip2 2>/dev/null
(cd tools/bench/hello && CARGO_TARGET_DIR=$bench cargo build --release --locked --target wasm32-wasip2)

wasmtime=$bench/tools/bin/wasmtime
if [[ ! -x $wasmtime ]]; then
    CARGO_TARGET_DIR=$bench/tools/build cargo install wasmtime-cli --version "$wasmtime_version" \
        --locked --root "$bench/tools" --no-default-features --features \
        serve,run,cranelift,component-model,component-model-async,pooling-allocator,parallel-compilation,backtrace
    rm -rf "$bench/tools/build"
fi

actors=$(cd actors && cargo metadata --format-version 1 --no-deps |
    sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
"$target/release/bench" \
    --sides "$bench/release" \
    --host "$target/release/host" \
    --actors "$actors/wasm32-unknown-unknown/release" \
    --wasmtime "$wasmtime" \
    --hello "$bench/wasm32-wasip2/release/bench_hello.wasm" \
    --json "$target/bench.json" "$@"
