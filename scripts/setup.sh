#!/bin/bash
# Sees to it that the Debian packages of the groups named are here: build, fuzz, test, bench, image, unit.
# Installs what is missing with apt-get and says so; says nothing when nothing is missing.
set -euo pipefail

# What to look for (a command, or the path of a file) and the package that has it.
wanted() {
    case $1 in
    build)
        echo "cc gcc"
        # The binary is static: it links the libc.a of this package.
        echo "/usr/lib/$(uname -m)-linux-gnu/libc.a libc6-dev"
        ;;
    fuzz) echo "c++ g++" ;;
    test)
        echo "rsync rsync"
        echo "/usr/sbin/nginx nginx-light"
        echo "ssh-keygen openssh-client"
        echo "openssl openssl"
        echo "curl curl"
        echo "tar tar"
        echo "xz xz-utils"
        echo "zstd zstd"
        echo "zip zip"
        echo "unzip unzip"
        echo "systemd-analyze systemd"
        echo "strace strace"
        echo "haproxy haproxy"
        echo "slowhttptest slowhttptest"
        echo "chromedriver chromium-driver"
        echo "$(first_of chromium google-chrome google-chrome-stable chromium-browser) chromium"
        ;;
    bench)
        echo "/usr/sbin/nginx nginx-light"
        echo "/usr/lib/nginx/modules/ngx_http_brotli_static_module.so libnginx-mod-http-brotli-static"
        echo "/usr/bin/h2o h2o"
        echo "/usr/sbin/haproxy haproxy"
        echo "wrk wrk"
        echo "h2load nghttp2-client"
        echo "curl curl"
        echo "ssh-keygen openssh-client"
        ;;
    image)
        echo "buildah buildah"
        echo "debootstrap debootstrap"
        echo "pgrep procps"
        echo "ssh-keygen openssh-client"
        echo "curl curl"
        ;;
    unit)
        echo "/lib/systemd/systemd systemd"
        echo "ip iproute2"
        echo "pgrep procps"
        echo "unshare util-linux"
        echo "rsync rsync"
        echo "openssl openssl"
        echo "ssh-keygen openssh-client"
        echo "curl curl"
        ;;
    *)
        echo "setup: unknown group $1 (build, fuzz, test, bench, image, unit)" >&2
        return 2
        ;;
    esac
}

# The first of several commands that is here, else the first of all.
first_of() {
    local tool
    for tool in "$@"; do
        if here "$tool"; then
            echo "$tool"
            return
        fi
    done
    echo "$1"
}

here() {
    case $1 in
    /*) [ -e "$1" ] ;;
    *) command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] ;;
    esac
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

# A package brings its service along and starts it: while we install, nothing is started.
POLICY=/usr/sbin/policy-rc.d
hold_services() {
    [ -e "$POLICY" ] && return
    trap 'as_root rm -f "$POLICY"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
    as_root chmod 755 "$POLICY"
}

if ! command -v cargo >/dev/null; then
    echo "setup: cargo is not here; install Rust first: https://rustup.rs" >&2
    exit 1
fi

list=$(for group in "$@"; do wanted "$group"; done)
missing=()
while read -r what package; do
    if [ -n "$what" ] && ! here "$what"; then
        missing+=("$package")
    fi
done <<<"$list"
[ ${#missing[@]} = 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
    echo "setup: this is no Debian or Ubuntu; please install what these packages have there: ${missing[*]}" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    echo "setup: not root and no sudo; please have this run by root: apt-get install ${missing[*]}" >&2
    exit 1
fi

echo "setup: installing Debian packages: ${missing[*]}"
hold_services
as_root apt-get update -qq </dev/null || echo "setup: apt-get update failed; going on with the lists that are here" >&2
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null
for service in nginx:nginx-light h2o:h2o haproxy:haproxy; do
    case " ${missing[*]} " in
    *" ${service#*:} "*)
        # Nor at the next start of the machine: tests and bench run their own.
        as_root systemctl --quiet disable "${service%:*}" 2>/dev/null || true
        echo "setup: the ${service%:*} service was neither started nor enabled"
        ;;
    esac
done
