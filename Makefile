# Two commands for people: `make demo` and `make test`. Everything is built with the one profile, release.

BIN := $(or $(CARGO_TARGET_DIR),target)/release/arus

.PHONY: help build console demo test test-rust test-console test-browser tidy lint conformance bench clean

help:
	@echo "make demo         build all and start the demo: a live picture of this machine"
	@echo "make test         everything; installs the servers and the browser that it needs"
	@echo "make conformance  run every conformance script on a real Flink and on Arus (SAMPLE=10: check stored answers)"
	@echo "make bench SUITE=first"

build: console
	cargo build --release

console: console/dist/index.html

console/dist/index.html: $(shell find console/src console/index.html console/package-lock.json console/vite.config.ts -type f 2>/dev/null)
	cd console && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build
	@touch $@

demo: build
	$(BIN) demo

test: needs test-rust test-console test-browser
	@echo "all tests passed"

.PHONY: needs
needs:
	scripts/needs

test-rust: console
	cargo test --release --workspace
	$(MAKE) --no-print-directory tidy

test-console: console
	cd console && npm run --silent check && npm test --silent

test-browser: build
	cd console && node e2e/run.mjs --arus $(abspath $(BIN))

tidy:
	cargo xtask tidy

lint:
	cargo fmt --all --check
	RUSTC_WORKSPACE_WRAPPER=clippy-driver cargo rustc --release -p arus -- -D warnings

conformance: build
	conformance/run

SUITE ?= first
bench: build
	bench/run $(SUITE)

clean:
	cargo clean
	rm -rf console/dist console/node_modules
