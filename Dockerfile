# An image with one file in it: the static binary.
#
#   docker build -t difusor .
#   docker run -d --name difusor --restart always -p 80:80 -p 443:443 --ulimit nofile=65536 \
#       --ulimit nice=20:20 --read-only --cap-drop ALL --security-opt no-new-privileges --stop-timeout 40 \
#       -v /etc/difusor:/etc/difusor:ro -v /var/lib/difusor:/var/lib/difusor difusor
#
# Tried without any engine by `make image` (scripts/try-image.sh).

# Any image with this Rust, gcc and a static C library does; Debian's is what the tests run on.
ARG BUILDER=docker.io/library/rust:1.95-bookworm

FROM ${BUILDER} AS builder
# `quick` builds in a fraction of the time and is a little slower.
ARG PROFILE=release
WORKDIR /src
COPY . .
RUN cargo build --locked --bin difusor --profile "${PROFILE}" \
    && install -D "target/x86_64-unknown-linux-gnu/${PROFILE}/difusor" /out/difusor \
    && install -d /out/etc/difusor /out/var/lib/difusor/incoming

FROM scratch
# No shell, no libraries, no certificates of others: what is not there cannot have holes.
COPY --from=builder /out/ /
# Settings, signers, certificates: read only. Keys have to be readable by this user (chgrp 65532, chmod 640).
WORKDIR /etc/difusor
# Packages arrive in /var/lib/difusor/incoming and are only read; the vault lies beside it (`state = "/var/lib/difusor"`).
VOLUME ["/var/lib/difusor"]
# A number, for there is no /etc/passwd here. Ports below 1024 need no capability: since 20.10 Docker sets
# net.ipv4.ip_unprivileged_port_start=0 in each container's own network. With `--network host`, which has none, set that
# sysctl on the machine or take ports from 1024 on.
USER 65532:65532
EXPOSE 80 443
# Finishes what is under way within `stop.grace` (30s): stop it with `--stop-timeout 40` at least; Docker's own is 10 s.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/difusor"]
CMD ["serve", "--config", "/etc/difusor/difusor.toml"]
