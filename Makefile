# The commands of this project. CI runs `make test` and nothing else, so do you.
#
# Everything is built in one profile (dev, with optimized dependencies), so that `make demo` and
# `make test` share their work. `make help` lists the commands.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

CARGO ?= cargo
XTASK := $(CARGO) xtask

.PHONY: help
help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: demo
demo: ## run the counting actor and call it; Ctrl-C ends it (DEMO_ONCE=1: ends by itself)
	@tools/demo.sh

.PHONY: setup
setup: ## install what the tests need and this machine lacks
	@tools/setup.sh

.PHONY: fmt
fmt: ## format everything
	$(CARGO) fmt --all
	cd actors && $(CARGO) fmt --all
	cd tools/bench && $(CARGO) fmt --all
	$(XTASK) generate

.PHONY: lint
lint: ## everything that reads the code without running it
	$(CARGO) fmt --all --check
	cd actors && $(CARGO) fmt --all --check
	cd tools/bench && $(CARGO) fmt --all --check
	$(XTASK) layers
	$(XTASK) tidy
	$(XTASK) generate --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	cd actors && $(CARGO) clippy --workspace --locked --target wasm32-unknown-unknown -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --document-private-items

.PHONY: docs
docs: ## API pages of the Rust SDK, the contracts and the provider SDK, in target/api/doc
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --locked --target-dir target/api \
	    --package trellis-core --package 'trellis-capabilities*' --package trellis-providers-sdk
	cd actors && RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --locked \
	    --target-dir ../target/api --package trellis-actor
	@echo "open target/api/doc/trellis_actor/index.html"

.PHONY: guests
guests: ## build the actors and check their sizes
	$(XTASK) guests

.PHONY: test
test: setup lint docs guests ## what CI runs: lints, every test, every command in the docs
	$(CARGO) test --workspace --locked
	cd actors && $(CARGO) test --workspace --locked
	cd providers/sdk/python && .venv/bin/python -m unittest discover --top-level-directory . tests
	cd providers/sdk/node && npm test
	$(XTASK) new-contract rehearsal --try
	$(CARGO) build --locked --bins
	$(XTASK) doc-commands

.PHONY: bench
bench: ## measure against peers and ceilings; a table, and target/bench.json
	@tools/bench/run.sh

.PHONY: fuzz
fuzz: ## throw changed inputs at every parser, a minute each (FUZZ_SECONDS=60)
	@tools/fuzz/run.sh

.PHONY: deny
deny: ## licenses, advisories, bans and sources of all dependencies (installs cargo-deny once)
	command -v cargo-deny >/dev/null || $(CARGO) install cargo-deny --locked
	$(CARGO) deny check
