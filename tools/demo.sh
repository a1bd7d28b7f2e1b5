#!/usr/bin/env bash
# `make demo`: builds host, trellis and the kvcounter actor, signs it with your own key, runs it and
# calls it three times. On a terminal it then goes on serving until Ctrl-C; DEMO_ONCE=1 stops it.
set -euo pipefail
cd "$(dirname "$0")/.."

manifest=manifests/kvcounter.yaml
binaries=${CARGO_TARGET_DIR:-target}/debug

say() { printf '\n\033[1m%s\033[0m\n' "$*" | { [[ -t 1 && -z ${NO_COLOR:-} ]] && cat || sed 's/\x1b\[[0-9]*m//g'; }; }

# True when something listens there.
is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# GET / with curl, or with bash alone.
get() {
    if command -v curl >/dev/null; then
        curl --silent --show-error --fail --max-time 10 "http://127.0.0.1:$1/"
    else
        exec 3<>"/dev/tcp/127.0.0.1/$1"
        printf 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
        sed '1,/^\r$/d' <&3
        exec 3>&-
    fi
}

free_port() {
    local port
    for port in "${PORT:-8081}" {8082..8181}; do
        is_open "$port" || { echo "$port"; return; }
    done
    echo "error: no free port between 8081 and 8181" >&2
    exit 1
}

tools/setup.sh build
say "Building the host, the trellis command and the actor (the first time takes some minutes)"
cargo build --locked --bins
cargo xtask guests --sign --only kvcounter

PORT=$(free_port)
export PORT
say "Starting: $binaries/host --manifest $manifest   (port $PORT)"
"$binaries/host" --manifest "$manifest" &
host=$!
trap 'kill -TERM $host 2>/dev/null || true; wait $host 2>/dev/null || true' EXIT
trap 'exit 0' INT TERM

for ((tries = 0; tries < 200; tries++)); do
    is_open "$PORT" && break
    kill -0 $host 2>/dev/null || { echo "error: the host ended; its log is above" >&2; exit 1; }
    sleep 0.1
done

say "Three calls:  curl http://127.0.0.1:$PORT/"
for _ in 1 2 3; do
    get "$PORT"
    echo
done

if [[ -t 1 && -z ${DEMO_ONCE:-} ]]; then
    say "It goes on serving http://127.0.0.1:$PORT/ until you press Ctrl-C."
    wait $host
fi
