# Two commands for people: `make demo` and `make test`. Everything is built with the one profile, release.

BIN := $(or $(CARGO_TARGET_DIR),target)/release/arus
STEP := scripts/step

.PHONY: help
help:
	@echo "make demo         build all and start the demo: a live picture of this machine"
	@echo "make test         everything; installs the clients and the browser that it needs"
	@echo "make planted      plants one bug after the other; the test that claims it has to fail"
	@echo "make soak         the long reliability tests (SOAK_MINUTES=60)"
	@echo "make dist         an archive and a Debian package, in dist/, and the test of both"
	@echo "make lint         format, and clippy with warnings as errors"
	@echo "make conformance  every conformance script on a real Flink and on Arus (SAMPLE=10: check stored answers)"
	@echo "make bench SUITE=first  (or one of bench/README.md)"
	@echo "make picture      the README's picture, after ten minutes of the demo"

# ---- building

.PHONY: build console
build: console
	cargo build --release

console: console/dist/index.html

CONSOLE := $(shell find console/src console/public console/index.html console/package.json console/package-lock.json \
	console/vite.config.ts console/svelte.config.js console/tsconfig.json console/guides docs/*.md docs/guides -type f)

console/node_modules/.package-lock.json: console/package-lock.json
	$(STEP) "console: dependencies" npm --prefix console ci --no-audit --no-fund --loglevel=error
	@touch $@

console/dist/index.html: console/node_modules/.package-lock.json $(CONSOLE)
	$(STEP) "console: build" npm --prefix console run --silent build
	@touch $@

.PHONY: demo
demo: build
	$(BIN) demo

# ---- testing

.PHONY: test needs test-model test-console test-rust test-browser test-clients tidy lint
test: needs test-model test-console test-rust test-browser test-clients
	@echo "all tests passed"

needs:
	@$(STEP) "what tests need" scripts/needs

test-model:
	$(STEP) "model of epochs and checkpoints" python3 model/model.py

test-console: console
	$(STEP) "console: types" npm --prefix console run --silent check
	$(STEP) "console: tests" npm --prefix console test --silent

test-rust: console
	$(STEP) "rust: build of the tests" cargo test --release --workspace --no-run --quiet
	$(STEP) "rust: tests" cargo test --release --workspace --quiet
	$(STEP) "tidy" cargo xtask tidy

test-browser: console
	$(STEP) "rust: build of the binary" cargo build --release
	$(STEP) "browser: tests" node console/e2e/run.mjs --arus $(abspath $(BIN)) --picture $(abspath $(dir $(BIN))/console.png)

# Drivers and tools of Postgres against a server (clients/run; docs/clients.md).
test-clients: console
	$(STEP) "rust: build of the binary" cargo build --release
	$(STEP) "clients: reports" clients/run $(BIN)

.PHONY: planted soak
planted:
	$(STEP) "planted bugs" scripts/planted

soak: needs
	scripts/soak

tidy:
	cargo xtask tidy

lint:
	cargo fmt --all --check
	scripts/with-clippy cargo build --release --workspace --all-targets

# ---- to take away

.PHONY: dist
dist: build
	$(STEP) "dist: archive and package" scripts/dist $(BIN)
	$(STEP) "dist: test" scripts/dist-test

# ---- more

.PHONY: conformance bench picture clean
conformance: build
	ARUS_BIN=$(abspath $(BIN)) conformance/run

SUITE ?= first
bench: build
ifeq ($(SUITE),decode)
	cargo build --release -p arus-connect -p arus-deps --example decode
endif
	ARUS_BIN=$(abspath $(BIN)) bench/run $(SUITE)

picture: build needs
	node console/e2e/run.mjs --arus $(abspath $(BIN)) --only takePicture --picture-after 600 --picture $(abspath docs/images/demo.png)

clean:
	cargo clean
	rm -rf console/dist console/node_modules
