#!/bin/bash
# All tests, none passed over: a test whose tool is missing fails. By cargo-nextest where it is, else by cargo.
set -euo pipefail
cd "$(dirname "$0")/.."
export DIFUSOR_TESTS_ALL=1
# axe-core judges our pages; it comes by npm, where there is one.
if [ ! -e target/tools/axe.min.js ] && command -v npm >/dev/null; then
    mkdir -p target/tools
    (cd target/tools && npm pack --silent axe-core@4.14.1 >/dev/null &&
        tar -xzf axe-core-4.14.1.tgz --strip-components=1 package/axe.min.js) ||
        echo "test: axe-core cannot be fetched; the pages are not judged by it" >&2
fi
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run "$@"
    # nextest leaves the examples in the documentation out.
    exec cargo test --quiet --doc
fi
exec cargo test "$@"
