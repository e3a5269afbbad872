#!/bin/sh
# What building, running and testing need, by the names of Debian's packages.
set -eu

packages="build-essential pkg-config byacc libevent-dev libbsd-dev libmd-dev
libseccomp-dev libsqlite3-dev libmariadb-dev libcjson-dev libcmocka-dev zlib1g-dev libtls-dev libssl-dev openssl sqlite3 curl
python3-pytest python3-pytest-xdist python3-websockets nodejs node-ws bmake"

case $(uname -s) in
Linux)	;;
*)	exit 0 ;;
esac
command -v dpkg-query >/dev/null 2>&1 || exit 0

missing=
for p in $packages; do
	state=$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null) ||
	    state=absent
	[ "$state" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "Packages are missing. Run this, then make again:" >&2
	echo "    sudo apt-get update && sudo apt-get install -y$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# shellcheck disable=SC2086 # a list of words
apt-get install -y -q --no-install-recommends $missing
