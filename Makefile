# What people type; each target says what it runs. `make help` lists them.

.DEFAULT_GOAL := help
.PHONY: help tools build demo test check bench

help: ## This list.
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' Makefile | expand -t 8

tools: ## Look for what the build needs, and install it where that is possible.
	@sh .ci/tools

build: tools ## The program, in target/release/tidegate.
	cargo build --release --locked

demo: tools ## Build, then 30 seconds of payments on a Kafka and a registry inside the program.
	cargo run --release --locked -- run --for 30s

test: tools ## All tests; servers for them are downloaded first (see tests/brokers).
	@tests/brokers/fetch >/dev/null || echo "make: tests that need these servers will say what they did"
	cargo test --locked

check: tools ## Format, lints and documentation, without a warning.
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked

bench: tools ## The table of figures, beside the peers, on this machine; ROWS="encode …" chooses.
	@tests/brokers/fetch >/dev/null || echo "make: rows that need these servers will say what they lack"
	@tests/brokers/peers >/dev/null || echo "make: rows beside rdkafka_performance will say so"
	cargo bench --locked --bench table -- $(ROWS)
