#!/bin/sh
# What others wait while the server is attacked: the attacks of tests/serve against an optimised server with a core of its own, all
# clients on another one. Prints the control client's p50 and p99, the memory at most, and what is left of it afterwards.
#   attacks.sh [NAME...]   only tests whose name holds one of these
set -eu
cd "$(dirname "$0")/.."
[ "$(nproc)" -ge 2 ] || { echo "attacks.sh: this takes two cores" >&2; exit 1; }
[ $# -gt 0 ] || set -- attacks
# 10,000 connections on both sides.
ulimit -n "$(ulimit -Hn)"
cargo test --locked --profile "${BENCH_PROFILE:-quick}" --test serve --no-run
export DIFUSOR_SERVER_CORE="${DIFUSOR_SERVER_CORE:-0}"
exec taskset -c "${CLIENT_CORE:-1}" \
    cargo test --quiet --locked --profile "${BENCH_PROFILE:-quick}" --test serve -- --nocapture --test-threads 1 "$@"
