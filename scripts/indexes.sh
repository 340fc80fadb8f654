#!/bin/sh
# indexes.sh COMMAND…: runs it with the indexes, wheel folders and certificates that pip is told of, and that uv, which
# does not read pip's settings, then finds in its own variables.
cd "$(dirname "$0")/.." || exit 1
told=$(.venv/bin/python -m pip config list) # lines such as global.find-links='/wheels', the environment's as :env:.
says() { echo "$told" | sed -nE "s/^(:env:|install|global)\.$1='(.*)'\$/\2/p" | head -n 1 | sed 's/\\n/ /g; s/^ *//'; }

index=$(says index-url)
extra=$(says extra-index-url)
links=$(says find-links | tr -s ' ' ,)
certificates=$(says cert)
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}"
[ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
[ -z "$extra" ] || export UV_INDEX="${UV_INDEX:-$extra}"
[ -z "$extra" ] || export UV_INDEX_STRATEGY="${UV_INDEX_STRATEGY:-unsafe-best-match}" # as pip does: the newest of all
[ -z "$links" ] || export UV_FIND_LINKS="${UV_FIND_LINKS:-$links}"
[ -z "$certificates" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$certificates}"
exec "$@"
