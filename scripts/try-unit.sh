#!/bin/bash
# Runs the units of systemd/ under a systemd of its own, in namespaces of its own over a copy of this machine's files that is gone
# afterwards: installed as docs/es/manual.md says, fed by rsync, killed, stopped in its tracks, given a new certificate and broken
# settings. Needs root; takes a minute. Its network is a loopback of its own.
#   PROFILE=release   tries what is shipped instead of `quick`
set -euo pipefail
cd "$(dirname "$0")/.."

PROFILE=${PROFILE:-quick}
TARGET=target/$(uname -m)-unknown-linux-gnu/$PROFILE
# What a package's way takes at most, and how soon the watchdog (15 s) has to have acted, in tenths of a second.
SOON=100
STUCK=300

say() { echo "try-unit: $*" >&2; }
fail() {
    say "$*"
    exit 1
}

# --- outside: makes the room, boots it, and has the rest done in it
outside() {
    [ "$(id -u)" = 0 ] || fail "namespaces need root"
    scripts/setup.sh build unit
    cargo build --locked --profile "$PROFILE"
    trial=$(mktemp -d)
    unshare --mount --pid --uts --ipc --net --cgroup --fork --propagation private "$0" boot "$trial" "$TARGET/difusor" \
        >"$trial.log" 2>&1 &
    booting=$!
    trap ended EXIT
    # The room's first process is the only child of unshare's.
    tries=0
    until first=$(pgrep -P "$booting" 2>/dev/null) && [ -e "/proc/$first/root/root/trial/booted" ] &&
        in_room systemctl is-system-running >/dev/null 2>&1; do
        [ $((tries += 1)) -le "$SOON" ] && kill -0 "$booting" 2>/dev/null || {
            tail -20 "$trial.log" >&2
            fail "no systemd came up in the room"
        }
        sleep 0.1
    done
    say "$(systemctl --version | head -1) in a room of its own"
    in_room /root/trial/try-unit.sh inside
}
in_room() { nsenter -t "$first" --mount --pid --uts --ipc --net --root --wd "$@"; }
ended() {
    # With its first process everything in the room ends, and its mounts with it.
    [ -z "${first:-}" ] || kill -KILL "$first" 2>/dev/null || true
    wait "$booting" 2>/dev/null || true
    rm -rf "$trial" "$trial.log"
}

# --- in the namespaces, before there is a systemd
boot() {
    local box=$1 binary=$2 root=$1/root unit
    mount -t tmpfs tmpfs "$box"
    mkdir "$box/changes" "$box/work" "$root"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$box/changes,workdir=$box/work" "$root"
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount -t tmpfs tmpfs "$root/run"
    mount -t tmpfs tmpfs "$root/tmp"
    mount --rbind /dev "$root/dev"
    if [ -d /sys/fs/cgroup/systemd ]; then
        mount -t tmpfs tmpfs "$root/sys/fs/cgroup"
        mkdir "$root/sys/fs/cgroup/systemd"
        mount --bind /sys/fs/cgroup/systemd "$root/sys/fs/cgroup/systemd"
    else
        mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    fi
    ip link set lo up
    # Nothing of what this machine itself starts, mounts or has installed of ours.
    rm -rf "$root"/etc/systemd/system/*.wants "$root/etc/fstab" "$root/etc/difusor" "$root/var/lib/difusor"
    for unit in systemd-udevd.service systemd-udev-trigger.service systemd-udevd-kernel.socket systemd-udevd-control.socket \
        systemd-modules-load.service systemd-sysctl.service systemd-remount-fs.service systemd-machine-id-commit.service \
        systemd-timesyncd.service systemd-random-seed.service systemd-binfmt.service proc-sys-fs-binfmt_misc.automount \
        dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
        sys-fs-fuse-connections.mount; do
        ln -sf /dev/null "$root/etc/systemd/system/$unit"
    done
    rm -rf "$root/root/trial"
    mkdir -p "$root/root/trial"
    cp -r systemd scripts/try-unit.sh "$binary" "$root/root/trial/"
    touch "$root/root/trial/booted"
    exec chroot "$root" env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=basic.target
}

# --- inside
process() { systemctl show -p MainPID --value difusor; }
# Whether it says so within so many tenths of a second: within TENTHS WHAT IT IS...
within() {
    local tenths=$1 what=$2 tries=0
    shift 2
    until "$@" 2>/dev/null; do
        if [ $((tries += 1)) -gt "$tenths" ]; then
            journalctl --no-pager -u difusor -u 'difusor-rsyncd@*' | tail -30 >&2
            fail "not within $tenths tenths of a second: $what"
        fi
        sleep 0.1
    done
    say "$what ($((tries / 10)).$((tries % 10)) s)"
}
shows() { [ "$(curl -sSk --max-time 2 -o /dev/null -w '%{http_code} %header{corte}' "https://localhost/")" = "$1" ]; }
is_another() { [ "$(process)" != 0 ] && [ "$(process)" != "$1" ]; }
shows_certificate() { openssl s_client -connect localhost:443 </dev/null 2>/dev/null | openssl x509 -noout -subject | grep -q "$1"; }
says() { journalctl --no-pager -u difusor | grep -q "$1"; }
certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout privkey.pem -out fullchain.pem \
        -days 2 -subj "/CN=$1" 2>/dev/null
    install -m 640 -g difusor fullchain.pem privkey.pem /etc/difusor/
}
package() {
    local now corte
    now=$(TZ=America/Monterrey date +%Y-%m-%dT%H:%M)
    corte=$(echo "$now" | tr -d ':-' | tr T _)
    mkdir -p corte/sitio
    echo "<h1>$corte</h1>" >corte/sitio/index.html
    cat >corte/corte.json <<JSON
{"formato": 1, "eleccion": "prueba", "corte": "$corte", "fecha_hora": "$now:00-06:00", "tipo": "simulacro"}
JSON
    difusor pack corte --key key --out "$corte.zip" >/dev/null
    echo "$corte"
}
inside() {
    cd /root/trial
    install -m 755 difusor /usr/local/bin/difusor
    install -D -m 644 systemd/difusor.service /etc/systemd/system/difusor.service
    install -D -m 644 systemd/difusor.sysusers /etc/sysusers.d/difusor.conf
    install -D -m 644 systemd/difusor.tmpfiles /etc/tmpfiles.d/difusor.conf
    systemd-sysusers 2>/dev/null
    systemd-tmpfiles --create difusor.conf
    ssh-keygen -q -t ed25519 -N '' -C iec -f key
    echo "iec namespaces=\"prep-corte\" $(cut -d' ' -f1,2 key.pub)" >allowed_signers
    cat >/etc/difusor/difusor.toml <<TOML
election = "prueba"
signers = "/etc/difusor/allowed_signers"
incoming = "/var/lib/difusor/incoming"
state = "/var/lib/difusor"
[listen]
http = ["0.0.0.0:80"]
https = ["0.0.0.0:443"]
[[certificate]]
chain = "/etc/difusor/fullchain.pem"
key = "/etc/difusor/privkey.pem"
[[window]]
kind = "simulacro"
opens = "2024-06-07T18:30"
closes = "2100-01-01T00:00"
[rsync]
trusted = ["127.0.0.1", "::1"]
TOML
    install -m 640 -g difusor allowed_signers /etc/difusor/
    certificate first
    chgrp difusor /etc/difusor/difusor.toml
    chmod 640 /etc/difusor/difusor.toml
    runuser -u difusor -- difusor serve --config /etc/difusor/difusor.toml --check

    systemctl daemon-reload
    systemctl start difusor
    within "$SOON" "started, and answers" shows "503 "
    # 20 where what a corte costs can stand back and come forward again; 0 where this machine grants nobody more than it has.
    say "$(awk '/nice/ { print "RLIMIT_NICE", $4 } /open files/ { print "open files", $4 }' "/proc/$(process)/limits" | paste -sd ' ')"

    difusor config rsyncd --config /etc/difusor/difusor.toml >/etc/difusor/rsyncd.conf
    difusor config rsyncd --config /etc/difusor/difusor.toml --unit >/etc/systemd/system/difusor-rsyncd@.service
    systemctl daemon-reload
    systemctl start difusor-rsyncd@873
    corte=$(package)
    within "$SOON" "rsyncd takes a package" rsync -rt --timeout=5 "$corte.zip" rsync://localhost/cortes/
    within "$SOON" "it is live" shows "200 $corte"

    before=$(process)
    kill -KILL "$before"
    within "$SOON" "killed: another one has started" is_another "$before"
    within "$SOON" "and shows it again" shows "200 $corte"

    certificate second
    systemctl reload difusor
    within "$SOON" "a new certificate after a reload" shows_certificate second

    before=$(process)
    kill -STOP "$before"
    within "$STUCK" "stuck: the watchdog has had it started again" is_another "$before"
    within "$SOON" "and shows it again" shows "200 $corte"

    cp -p /etc/difusor/difusor.toml whole.toml
    sed -i 's/^election/elecction/' /etc/difusor/difusor.toml
    ! systemctl restart difusor 2>/dev/null || fail "faulty settings were taken"
    within "$SOON" "faulty settings are told" says 'elecction'
    cp -p whole.toml /etc/difusor/difusor.toml
    within "$SOON" "and once they are mended it is there again by itself" shows "200 $corte"

    systemctl stop difusor
    [ "$(systemctl show -p Result --value difusor)" = success ] || fail "it did not end as it should"
    say "works: installed as the manual says, and ended with success"
}

case ${1:-outside} in
outside) outside ;;
boot) boot "$2" "$3" ;;
inside) inside ;;
*) fail "nothing else is to be said to it" ;;
esac
