# Each of these does all its own set-up on a Debian or Ubuntu machine that has Rust.
#   make demo  DEMO_ARGS="..."   flags for `difusor demo`
#   make test  TEST_ARGS="..."   flags for cargo-nextest or cargo test; with them no fuzzing
#   make fuzz  FUZZ_SECONDS=600 FUZZ_TARGETS="zip tar"
#   make bench BENCH_ARGS="..."  flags for the side-by-side run: --seconds 1 --rounds 3 --peers nginx,difusor
#              INNER_ARGS="..."  flags for criterion; BENCH_PROFILE=quick builds in a fraction of the time

DEMO_ARGS ?=
TEST_ARGS ?=
FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?=
BENCH_ARGS ?=
INNER_ARGS ?=
BENCH_PROFILE ?= release

.PHONY: help demo test lint bench bench-inner bench-intake bench-proxy bench-bytes bench-side bench-attacks bench-swaps fuzz fuzz-smoke image unit

help:
	@echo 'make demo         an election night on this machine, from signed packages to a page in your browser'
	@echo 'make test         all the tests, and 20 s of fuzzing for each target'
	@echo 'make lint         rustfmt and clippy, as CI runs them'
	@echo 'make bench        all of the five that follow; three quarters of an hour'
	@echo 'make bench-inner  the inner parts by criterion'
	@echo 'make bench-intake what a corte costs, how soon a restart and a transfer are live; some minutes'
	@echo 'make bench-proxy  what a stored answer takes, and how long hits wait while others are thrown out; some minutes'
	@echo 'make bench-bytes  what a night costs in bytes, beside the files that nginx would send; what heads cost; some minutes'
	@echo 'make bench-side   side by side with nginx and bare hyper'
	@echo '                  BENCH_ARGS=growth or =connections: with many files, with many connections'
	@echo 'make bench-attacks what others wait while the server is attacked; two cores, some minutes'
	@echo 'make bench-swaps  what a corte every second costs those who are being served; two cores, some minutes'
	@echo 'make fuzz         fuzzes each target for 10 minutes; make fuzz-smoke for 20 s'
	@echo 'make image        builds the image of the Dockerfile and tries it, without any engine; needs root and some minutes'
	@echo 'make unit         runs the service under a systemd of its own, as the manual installs it; needs root and a minute'
	@sed -n 's/^#   /  /p; s/^#    /    /p' Makefile

demo:
	@scripts/setup.sh build
	@cargo run --profile quick -- demo $(DEMO_ARGS)

test:
	@scripts/setup.sh build fuzz test
	@scripts/test.sh $(TEST_ARGS)
	@$(if $(TEST_ARGS),:,scripts/fuzz.sh smoke)

lint:
	@scripts/setup.sh build
	cargo fmt --all --check
	cargo clippy --locked --all-targets -- -D warnings

bench: bench-inner bench-intake bench-proxy bench-bytes bench-side

bench-inner:
	@scripts/setup.sh build
	cargo bench --profile $(BENCH_PROFILE) --bench inner -- $(INNER_ARGS)

bench-intake:
	@scripts/setup.sh build test
	cargo bench --profile $(BENCH_PROFILE) --bench intake

bench-proxy:
	@scripts/setup.sh build
	cargo bench --profile $(BENCH_PROFILE) --bench proxy

bench-bytes:
	@scripts/setup.sh build
	cargo bench --profile $(BENCH_PROFILE) --bench bytes

bench-side:
	@scripts/setup.sh build bench
	cargo bench --profile $(BENCH_PROFILE) --bench side_by_side -- $(BENCH_ARGS)

bench-attacks:
	@scripts/setup.sh build test
	@BENCH_PROFILE=$(BENCH_PROFILE) scripts/attacks.sh

bench-swaps:
	@scripts/setup.sh build test
	@BENCH_PROFILE=$(BENCH_PROFILE) scripts/swaps.sh

fuzz:
	@scripts/setup.sh build fuzz
	@FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/fuzz.sh run $(FUZZ_TARGETS)

fuzz-smoke:
	@scripts/setup.sh build fuzz
	@scripts/fuzz.sh smoke $(FUZZ_TARGETS)

image:
	@scripts/try-image.sh

unit:
	@scripts/try-unit.sh
