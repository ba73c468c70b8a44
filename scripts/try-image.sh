#!/bin/bash
# Builds the image of the Dockerfile and runs it, on a machine without any engine or registry: buildah with chroot
# isolation, and a builder made from Debian's packages and the Rust of this machine. Takes some minutes and 2 GB in
# build/image; needs root. `scripts/try-image.sh clean` removes what it leaves there for the next time.
#   BUILDER=docker.io/library/rust:1.95-bookworm  takes that image instead of making one
#   PROFILE=release                               builds what is shipped instead of `quick`
set -euo pipefail
cd "$(dirname "$0")/.."

PROFILE=${PROFILE:-quick}
BUILDER=${BUILDER:-}
SUITE=bookworm
MADE=localhost/difusor-builder
IMAGE=localhost/difusor
PORT=${PORT:-18080}
WORK=$PWD/build/image
ROOTFS=$WORK/rootfs
# Its own store, so that nothing of this machine's is touched; vfs needs nothing of the kernel.
export BUILDAH_ISOLATION=chroot
store() { buildah --root "$WORK/store" --runroot "$WORK/run" --storage-driver vfs "$@"; }

say() { echo "try-image: $*" >&2; }
fail() {
    say "$*"
    exit 1
}

[ "$(id -u)" = 0 ] || fail "chroot isolation needs root"
if [ "${1:-}" = clean ]; then
    rm -rf "$WORK"
    exit
fi
scripts/setup.sh build image
mkdir -p "$WORK"

# Debian with gcc, and the toolchain of this machine where rust images have theirs.
make_builder() {
    if [ ! -e "$ROOTFS/.complete" ]; then
        say "making a Debian ($SUITE) in $ROOTFS"
        rm -rf "$ROOTFS"
        debootstrap --variant=minbase --include=ca-certificates,gcc,libc6-dev "$SUITE" "$ROOTFS" >"$WORK/debootstrap.log"
        rm -rf "$ROOTFS"/var/cache/apt/* "$ROOTFS"/var/lib/apt/lists/*
        touch "$ROOTFS/.complete"
    fi
    local sysroot container
    sysroot=$(rustc --print sysroot)
    say "adding $(rustc --version) from $sysroot"
    container=$(store from scratch)
    store add --quiet "$container" "$ROOTFS" / >/dev/null
    store copy --quiet "$container" "$sysroot/bin" /usr/local/rust/bin >/dev/null
    store copy --quiet "$container" "$sysroot/lib" /usr/local/rust/lib >/dev/null
    store config --env PATH=/usr/local/rust/bin:/usr/bin:/bin --env CARGO_HOME=/usr/local/cargo "$container"
    store commit --quiet --rm "$container" "$MADE" >/dev/null
}

if [ -z "$BUILDER" ]; then
    BUILDER=$MADE
    store inspect --type image "$MADE" >/dev/null 2>&1 || make_builder
fi

# Crates that are here already need not be fetched again; and whom this machine trusts, the build trusts.
registry=${CARGO_HOME:-$HOME/.cargo}/registry
mkdir -p "$registry"
say "building (profile $PROFILE)"
store bud --quiet --pull=false --layers=false --build-arg "BUILDER=$BUILDER" --build-arg "PROFILE=$PROFILE" \
    --volume "$registry:/usr/local/cargo/registry" --volume /etc/ssl/certs:/etc/ssl/certs:ro --tag "$IMAGE" .
# The image of the last time has lost its name now.
store rmi --prune >/dev/null 2>&1 || true

container=$(store from --pull=false "$IMAGE")
# An engine puts what is mounted in the place of the image's volume; buildah mounts the volume over it.
store config --volume /var/lib/difusor- "$container"
trial=$(mktemp -d)
pid=
ended() {
    [ -n "$pid" ] && kill -KILL "$pid" 2>/dev/null
    store rm "$container" >/dev/null 2>&1 || true
    rm -rf "$trial"
}
trap ended EXIT

say "one file and no more"
root=$(store mount "$container")
[ "$(find "$root" -type f -printf '%P\n')" = difusor ] || fail "other files: $(find "$root" -type f | head)"
ls -l "$root/difusor"
user=$(store inspect --format '{{.OCIv1.Config.User}}' "$container")
store inspect --format 'user {{.OCIv1.Config.User}}, ports {{.OCIv1.Config.ExposedPorts}}, {{.OCIv1.Config.StopSignal}},
{{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.Cmd}}{{println}}' "$container"
case $user in '' | 0* | *[!0-9:]*) fail "the user is \"$user\", expected a number other than 0" ;; esac

# A package, made with stock tools alone.
mkdir -p "$trial"/etc "$trial"/state/incoming "$trial"/incoming "$trial"/package/sitio
ssh-keygen -q -t ed25519 -N '' -C iec -f "$trial/key"
echo "iec $(cut -d' ' -f1,2 "$trial/key.pub")" >"$trial/etc/allowed_signers"
cat >"$trial/etc/difusor.toml" <<TOML
election = "prueba"
signers = "allowed_signers"
incoming = "/var/lib/difusor/incoming"
state = "/var/lib/difusor"
[listen]
http = ["127.0.0.1:$PORT"]
[[window]]
kind = "simulacro"
opens = "2024-06-07T18:30"
closes = "2100-01-01T00:00"
TOML
id=20240607_2010
cat >"$trial/package/corte.json" <<JSON
{"formato": 1, "eleccion": "prueba", "corte": "$id", "fecha_hora": "2024-06-07T20:10:00-06:00", "tipo": "simulacro"}
JSON
echo '<p>Resultados</p>' >"$trial/package/sitio/index.html"
(cd "$trial/package" && { echo corte.json; find sitio -type f; } | LC_ALL=C sort | xargs -d '\n' sha256sum >SHA256SUMS)
ssh-keygen -q -Y sign -f "$trial/key" -n prep-corte "$trial/package/SHA256SUMS" 2>/dev/null
# As docs/es/manual.md has it: the group of the container's user reads packages, and writes to what is kept.
group=${user##*:}
chmod 711 "$trial"
chgrp -R "$group" "$trial/etc" "$trial/state" "$trial/incoming"
chmod 2770 "$trial/state" "$trial/incoming"
chmod 640 "$trial"/etc/*

say "running"
mapfile -t argv < <(store inspect --format '{{range .OCIv1.Config.Entrypoint}}{{println .}}{{end}}{{range .OCIv1.Config.Cmd}}{{println .}}{{end}}' "$container" | sed '/^$/d')
# The shell becomes buildah, and the program in the container is its child.
store run --isolation chroot --volume "$trial/etc:/etc/difusor:ro" --volume "$trial/state:/var/lib/difusor" \
    --volume "$trial/incoming:/var/lib/difusor/incoming:ro" "$container" -- "${argv[@]}" 2>"$trial/log" &
pid=$!
answer() { curl -sS --max-time 5 --output "$trial/body" --write-out '%{http_code} %header{corte}' "http://127.0.0.1:$PORT$1"; }
within() {
    local tries=0 found=
    while [ $((tries += 1)) -le 100 ]; do
        found=$(answer / 2>/dev/null || true)
        [ "$found" = "$1" ] && return
        sleep 0.1
    done
    cat "$trial/log" >&2
    fail "expected \"$1\", found \"$found\""
}
within "503 "
(umask 027 && cp -r "$trial/package" "$trial/incoming/$id")
within "200 $id"
cmp "$trial/body" "$trial/package/sitio/index.html"
[ "$(answer /.prep/SHA256SUMS)" = "200 $id" ] && cmp "$trial/body" "$trial/package/SHA256SUMS"

# The signal goes to the program itself, as an engine sends it.
program=$(pgrep -f -u "${user%%:*}" '^/difusor serve') || fail "no process of user $user"
kill -TERM "$program"
wait "$pid" || fail "it ended with $?: $(cat "$trial/log")"
pid=
cat "$trial/log"
say "works: $IMAGE serves as user $user and ends with 0"
