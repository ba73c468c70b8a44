# Each of these does all its own set-up on a Debian or Ubuntu machine that has Rust.
#   make demo  DEMO_ARGS="..."   flags for `difusor demo`
#   make test  TEST_ARGS="..."   flags for cargo-nextest or cargo test
#   make bench BENCH_ARGS="..."  flags for the side-by-side run: --seconds 1 --rounds 3 --peers nginx,difusor
#              INNER_ARGS="..."  flags for criterion; BENCH_PROFILE=quick builds in a fraction of the time

DEMO_ARGS ?=
TEST_ARGS ?=
BENCH_ARGS ?=
INNER_ARGS ?=
BENCH_PROFILE ?= release

.PHONY: help demo test lint bench bench-inner bench-side fuzz-build image

help:
	@echo 'make demo         an election night on this machine, from signed packages to a page in your browser'
	@echo 'make test         all the tests'
	@echo 'make lint         rustfmt and clippy, as CI runs them'
	@echo 'make bench        the inner parts by criterion, then side by side with nginx and bare hyper'
	@echo 'make bench-inner  the former alone'
	@echo 'make bench-side   the latter alone'
	@echo 'make fuzz-build   builds the fuzz targets'
	@echo 'make image        builds the image of the Dockerfile and tries it, without any engine; needs root and some minutes'
	@sed -n 's/^#   /  /p; s/^#    /    /p' Makefile

demo:
	@scripts/setup.sh build
	@cargo run --profile quick -- demo $(DEMO_ARGS)

test:
	@scripts/setup.sh build test
	@scripts/test.sh $(TEST_ARGS)

lint:
	@scripts/setup.sh build
	cargo fmt --all --check
	cargo clippy --locked --all-targets -- -D warnings

bench: bench-inner bench-side

bench-inner:
	@scripts/setup.sh build
	cargo bench --profile $(BENCH_PROFILE) --bench inner -- $(INNER_ARGS)

bench-side:
	@scripts/setup.sh build bench
	cargo bench --profile $(BENCH_PROFILE) --bench side_by_side -- $(BENCH_ARGS)

# Without RUSTC_BOOTSTRAP: the targets compile without it, and it would have most dependencies built anew each time.
fuzz-build:
	@scripts/setup.sh build fuzz
	cargo build --locked -p difusor-fuzz

image:
	@scripts/try-image.sh
