#!/bin/bash
# All tests, none passed over: a test whose tool is missing fails. By cargo-nextest where it is, else by cargo.
set -euo pipefail
cd "$(dirname "$0")/.."
export DIFUSOR_TESTS_ALL=1
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run "$@"
    # nextest leaves the examples in the documentation out.
    exec cargo test --quiet --doc
fi
exec cargo test "$@"
