#!/usr/bin/env bash
# Installs what is needed and this machine lacks. Does nothing when all is there.
#
#   tools/setup.sh build      what building needs: the toolchain and its wasm targets
#   tools/setup.sh            what `make test` needs besides
#   tools/setup.sh bench      what `make bench` needs besides
set -euo pipefail
cd "$(dirname "$0")/.."

# The toolchain and its wasm targets are named in rust-toolchain.toml. Asking for the toolchain
# installs it; the targets are only installed along with it, not when it is there already.
command -v cargo >/dev/null || {
    echo "error: Rust is missing: install rustup from https://rustup.rs" >&2
    exit 1
}
if command -v rustup >/dev/null; then
    rustup show active-toolchain >/dev/null 2>&1 || rustup toolchain install >/dev/null
    targets=$(sed -n 's/^targets = \[\(.*\)\]$/\1/p' rust-toolchain.toml | tr -d '",')
    installed=$(rustup target list --installed)
    for target in $targets; do
        grep -qx "$target" <<<"$installed" || rustup target add "$target"
    done
fi

[[ ${1:-} == build ]] && exit 0

# Programs, each with the Debian package that brings it.
needed=(redis-server:redis-server docker-registry:docker-registry curl:curl promtool:prometheus perl:perl-base openssl:openssl python3:python3 node:nodejs npm:npm)
if [[ ${1:-} == bench ]]; then
    needed+=(wrk:wrk)
fi

packages=()
for pair in "${needed[@]}"; do
    command -v "${pair%%:*}" >/dev/null || packages+=("${pair##*:}")
done
# Debian's Python comes without what makes environments.
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)

install() {
    local as_root=()
    if ((EUID != 0)); then
        as_root=(sudo)
    fi
    if ! command -v apt-get >/dev/null || { ((EUID != 0)) && ! command -v sudo >/dev/null; }; then
        echo "error: missing programs: $*; install them with your package manager" >&2
        exit 1
    fi
    echo "installing $*" >&2
    export DEBIAN_FRONTEND=noninteractive
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" apt-get install -y -qq --no-install-recommends "$@" >&2
}
((${#packages[@]} == 0)) || install "${packages[@]}"

# What the provider SDKs of other languages need, beside them.
python=providers/sdk/python/.venv
if ! "$python/bin/python" -c 'import msgpack, trellis_provider' 2>/dev/null; then
    echo "installing msgpack for Python" >&2
    python3 -m venv "$python"
    "$python/bin/pip" install --quiet --disable-pip-version-check 'msgpack>=1.0.3'
    # The SDK as it is here, and not as it was when this ran.
    packages=$("$python/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    echo "$PWD/providers/sdk/python" >"$packages/trellis.pth"
fi
if [[ ! -d providers/sdk/node/node_modules/@msgpack ]]; then
    echo "installing @msgpack/msgpack for Node.js" >&2
    npm ci --prefix providers/sdk/node --no-audit --no-fund --silent
fi
