#!/bin/bash
# Fuzzes what reads foreign bytes (fuzz/fuzz_targets), with libFuzzer on stable Rust: no cargo-fuzz, no nightly.
#   scripts/fuzz.sh smoke [TARGET...]  all of fuzz/corpus, then 20 s of new inputs; two targets at a time
#   scripts/fuzz.sh run [TARGET...]    600 s each, one after the other; what reaches new code is kept in fuzz/target/found
#   scripts/fuzz.sh tidy [TARGET...]   takes into fuzz/corpus the few of what was found that reach most beyond the seeds
# FUZZ_SECONDS sets other times. An input that fails is left in fuzz/artifacts: make a test of it, then mend.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=${1:-smoke}
shift || true
all=()
for file in fuzz/fuzz_targets/*.rs; do all+=("$(basename "$file" .rs)"); done
targets=("${@:-${all[@]}}")
found=$PWD/fuzz/target/found
mkdir -p fuzz/artifacts "$found"

# Which branches were taken, and what was compared with what: this makes libFuzzer look for more than chance would find.
# Set instead of the project's own flags, for libFuzzer crashes in a static binary; so everything is built anew once.
instrumented=(-Cpasses=sancov-module)
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    instrumented+=("-Cllvm-args=-sanitizer-coverage-$option")
done
flags=${instrumented[*]}
if ! echo 'fn main() {}' | rustc --crate-name probe --emit=obj -o fuzz/target/probe.o "${instrumented[@]}" - 2>/dev/null; then
    echo "fuzz: this Rust cannot instrument; going on without, by chance alone" >&2
    flags=-Ctarget-feature=-crt-static
fi
RUSTFLAGS=$flags cargo build --locked --quiet -p difusor-fuzz --profile fuzz --target-dir fuzz/target
export BIN=$PWD/fuzz/target/x86_64-unknown-linux-gnu/fuzz

# Memory in MiB and seconds for one input: far more than any honest one takes.
export LIMITS="-rss_limit_mb=2048 -timeout=20"

# fuzz TARGET SECONDS DIR: the output of a run that fails goes to standard error.
fuzz() {
    local target=$1 seconds=$2 into=$3 log
    log=$(mktemp)
    mkdir -p "$into" "fuzz/corpus/$target"
    # shellcheck disable=SC2086
    if "$BIN/$target" "$into" "fuzz/corpus/$target" -max_total_time="$seconds" $LIMITS \
        -artifact_prefix="fuzz/artifacts/$target-" >"$log" 2>&1; then
        echo "fuzz: $target: $(grep -c . < <(ls "fuzz/corpus/$target")) inputs, $(tail -1 "$log")"
        rm "$log"
    else
        cat "$log" >&2
        echo "fuzz: $target FAILED; the input is in fuzz/artifacts" >&2
        rm "$log"
        return 1
    fi
}
export -f fuzz

# tidy TARGET: by what each input reaches that none before it does, the smallest first. Few and small: every test run has
# them all.
MOST_FILES=30
MOST_BYTES=8192
tidy() {
    local target=$1 work file files=0 bytes=0
    work=$(mktemp -d)
    mkdir -p "$found/$target" "fuzz/corpus/$target" "$work/found" "$work/merged"
    find "fuzz/corpus/$target" -type f ! -name 'seed-*' -exec mv -t "$work/found" {} +
    find "$found/$target" -type f -size -9 -exec cp -t "$work/found" {} +
    "$BIN/$target" -merge=1 -merge_control_file="$work/control" "$work/merged" "fuzz/corpus/$target" "$work/found" \
        >"$work/log" 2>&1 || cat "$work/log" >&2
    # How many files, how many of them are in the corpus, their names; then what each reaches first.
    awk 'NR == 1 { n = $1 } NR > 2 && NR <= n + 2 { name[NR - 3] = $0 } $1 == "COV" && NF > 2 { print NF - 2, name[$2] }' \
        "$work/control" | sort -rn >"$work/best"
    while read -r _ file; do
        case $file in "$work/found/"*) ;; *) continue ;; esac
        files=$((files + 1)) bytes=$((bytes + $(stat -c %s "$file")))
        if [ "$files" -gt $MOST_FILES ] || [ "$bytes" -gt $MOST_BYTES ]; then break; fi
        cp "$file" "fuzz/corpus/$target/"
    done <"$work/best"
    rm -r "$work"
    echo "fuzz: $target: $(find "fuzz/corpus/$target" -type f | wc -l) inputs"
}

case $mode in
smoke)
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    export scratch SECONDS_EACH=${FUZZ_SECONDS:-20}
    # shellcheck disable=SC2016
    printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} bash -c 'fuzz {} "$SECONDS_EACH" "$scratch/{}"'
    ;;
run)
    failed=0
    for target in "${targets[@]}"; do fuzz "$target" "${FUZZ_SECONDS:-600}" "$found/$target" || failed=1; done
    exit $failed
    ;;
tidy)
    for target in "${targets[@]}"; do tidy "$target"; done
    du -bs fuzz/corpus
    ;;
*)
    echo "fuzz: unknown mode $mode (smoke, run, tidy)" >&2
    exit 2
    ;;
esac
