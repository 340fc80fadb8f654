#!/bin/sh
# Installs what is missing of the system: setup_system.sh dev|bench
# Works as root where there is apt-get; elsewhere it says what is missing and goes on, and the tests that need it are
# skipped with that reason. One line a need: when it is wanted, how to see that it is there, the Debian package.
needs() {
    cat <<'END'
dev     python3 -c 'import ensurepip'           python3-venv
dev     command -v curl                         curl
dev     command -v chromium                     chromium
dev     command -v pgrep                        procps
dev     ldconfig -p | grep -q libgomp.so.1      libgomp1
dev     command -v dockerd                      docker.io
dev     command -v ip                           iproute2
dev     command -v kubectl                      kubernetes-client
dev     command -v docker-registry              docker-registry
dev     command -v htpasswd                     apache2-utils
dev     command -v mmdebstrap                   mmdebstrap
dev     command -v nginx                        nginx-light
dev     command -v docker-compose               docker-compose
dev     command -v skopeo                       skopeo
dev     command -v umoci                        umoci
bench   command -v wrk                          wrk
END
}

missing=$(needs | while read -r when line; do
    package=${line##* }
    probe=${line% *}
    if [ "$when" = "$1" ] || [ "$when" = dev ]; then
        PATH="$PATH:/sbin:/usr/sbin" sh -c "$probe" >/dev/null 2>&1 || echo "$package"
    fi
done | tr '\n' ' ')
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing with apt-get: $missing" >&2
    patient="-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3"
    # shellcheck disable=SC2086 # one word an option, one word a package
    apt-get $patient update -qq >&2
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get $patient install -y -qq $missing >&2 && exit 0
fi
echo "Missing on this machine: $missing(Debian: sudo apt-get install $missing). Going on without." >&2
