#!/usr/bin/env bash
# `make fuzz`: throws changed inputs at every parser, for SECONDS each (default 60), beginning with
# what is known to be interesting (seeds/, and for messages the golden vectors) and with what earlier
# runs found (target/corpus/). What breaks a parser is left in target/artifacts/.
#
#   tools/fuzz/run.sh              all targets
#   tools/fuzz/run.sh wire_decode  one
set -euo pipefail
cd "$(dirname "$0")"

seconds=${FUZZ_SECONDS:-60}
# Coverage needs a nightly compiler; the project itself is built with the pinned one.
cargo +nightly --version >/dev/null 2>&1 || rustup toolchain install nightly --profile minimal
command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked

targets=("$@")
if ((${#targets[@]} == 0)); then
    mapfile -t targets < <(basename -s .rs fuzz_targets/*.rs)
fi
(cd ../.. && cargo xtask seeds tools/fuzz/target/seeds/wire_decode)
for target in "${targets[@]}"; do
    mkdir -p "target/corpus/$target" "target/artifacts/$target"
    seeds="seeds/$target"
    [[ -d $seeds ]] || seeds="target/seeds/$target"
    cargo +nightly fuzz run --fuzz-dir . "$target" "target/corpus/$target" "$seeds" -- \
        -artifact_prefix="target/artifacts/$target/" -max_total_time="$seconds" -timeout=10
done
