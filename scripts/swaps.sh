#!/bin/bash
# What a corte every second costs those who are being served: readers at a steady rate, in turns with and without new cortes, each
# request due at its time whether answers come or not. The server has one core, the readers the other. Prints p50, p99 and the
# longest of each turn, and the ratio of the medians of p99 (the aim of the project: 1.3 at most).
#   swaps.sh [ROUNDS [SECONDS [READERS]]]   3 rounds of 12 s, 15000 readers who ask once a second
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3} seconds=${2:-12} readers=${3:-15000}
[ "$(nproc)" -ge 2 ] || { echo "swaps.sh: this takes two cores" >&2; exit 1; }
cargo build --locked --quiet --profile "${BENCH_PROFILE:-quick}"
case ${BENCH_PROFILE:-quick} in dev) dir=debug ;; *) dir=${BENCH_PROFILE:-quick} ;; esac
difusor=$PWD/target/x86_64-unknown-linux-gnu/$dir/difusor
work=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait || true
    rm -rf "$work"
}
trap finish EXIT
cd "$work"
mkdir incoming packages
ssh-keygen -q -t ed25519 -N '' -f key -C iec
echo "iec namespaces=\"prep-corte\" $(cat key.pub)" >allowed_signers
port=18090
while ss -Hltn "sport = :$port" | grep -q .; do port=$((port + 1)); done
stamp() { TZ=America/Monterrey date -d "@$1" "+$2"; }
now=$(date +%s)
cat >difusor.toml <<X
election = "cortes-por-segundo"
signers = "allowed_signers"
incoming = "incoming"
threads = 1
[listen]
http = ["127.0.0.1:$port"]
[[window]]
kind = "simulacro"
opens = "$(stamp $((now - 36000)) %Y-%m-%dT%H:%M:%S%:z)"
closes = "$(stamp $((now + 36000)) %Y-%m-%dT%H:%M:%S%:z)"
periods = 100
X

# A small site of which everything changes: each corte 20 files of 300 rows, a minute after the one before.
count=$((1 + rounds * seconds))
for n in $(seq 0 $((count - 1))); do
    at=$((now - 21600 + n * 60))
    rm -rf package
    mkdir -p package/sitio/datos
    printf '{"formato":1,"eleccion":"cortes-por-segundo","corte":"%s","fecha_hora":"%s","tipo":"simulacro"}' \
        "$(stamp $at %Y%m%d_%H%M)" "$(stamp $at %Y-%m-%dT%H:%M:00%:z)" >package/corte.json
    echo "<!doctype html><title>PREP</title><h1>Corte $n</h1>" >package/sitio/index.html
    for district in $(seq 20); do
        awk -v n="$n" -v d="$district" 'BEGIN { for (i = 0; i < 300; i++)
            printf "%d|%d|%d\n", i, (i * 7919 + d * 104729) % 733, i % 7 == n % 7 ? n : (i * d) % 97 }' >"package/sitio/datos/$district.csv"
    done
    "$difusor" pack package --key key --out "packages/$(printf %04d "$n").tar" >/dev/null
done

taskset -c 0 "$difusor" serve --config difusor.toml 2>log &
server=$!
# What delivers would be elsewhere: here it stands back for server and readers.
deliver() {
    mv "packages/$(printf %04d "$1").tar" incoming/
    nice -n 19 "$difusor" notify --config difusor.toml >/dev/null
}
# told WORDS: waits until the log says so, a minute at most.
told() {
    local last=$((SECONDS + 60))
    until grep -q "$1" log; do
        if ! kill -0 "$server" 2>/dev/null || [ "$SECONDS" -ge "$last" ]; then
            cat log >&2
            echo "swaps.sh: the server does not say: $1" >&2
            exit 1
        fi
        sleep 0.1
    done
}
told ready
deliver 0
next=1
told 'compressed best'

# turn NAME: what the readers see, as JSON.
turn() {
    taskset -c 1 "$difusor" readers "http://127.0.0.1:$port/" --readers "$readers" --poll 1s --comers 0% \
        --for "${seconds}s" --json "$1.json" >/dev/null
}
# Milliseconds that a request waited since it was due: p50, p99, the longest.
waited() {
    awk '/"waited_ms"/ { on = 1 } on && /"p50"/ { a = $2 + 0 } on && /"p99"/ { b = $2 + 0 } on && /"max"/ { print a, b, $2 + 0; exit }' "$1.json"
}
median() { sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

echo "| round | cortes | answers a second | p50 ms | p99 ms | longest ms |"
echo "| ---: | --- | ---: | ---: | ---: | ---: |"
for round in $(seq "$rounds"); do
    for name in still swaps; do
        delivering=
        if [ $name = swaps ]; then
            (for n in $(seq $next $((next + seconds - 1))); do deliver "$n" && sleep 1; done) &
            delivering=$!
            next=$((next + seconds))
        fi
        turn $name-"$round"
        [ -z "$delivering" ] || wait "$delivering"
        read -r p50 p99 longest < <(waited $name-"$round")
        echo "$p99" >>$name.p99
        [ $name = still ] && what="the same" || what="one a second"
        rate=$(awk '/"answers_per_second"/ { printf "%d", $2 }' $name-"$round.json")
        echo "| $round | $what | $rate | $p50 | $p99 | $longest |"
    done
done
seen=$(grep -c ' live corte=' log)
[ "$seen" -ge $((rounds * seconds / 2)) ] || { tail log >&2; echo "swaps.sh: only $seen cortes went live" >&2; exit 1; }
awk -v a="$(median <swaps.p99)" -v b="$(median <still.p99)" -v n="$seen" 'BEGIN {
    printf "\n%d cortes went live. p99 with a corte every second is %.2f of p99 without.\n", n, a / b }'
