#!/bin/sh
# nchan, an nginx module, is a peer of the bench.  It isn't installed, which
# could start a service: Debian's packages are unpacked into the build folder.
# A peer that can't be had is left out of the table.
set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
tools=$top/build/tools
module=usr/lib/nginx/modules/ngx_nchan_module.so
PATH=$PATH:/usr/sbin:/sbin

[ -e "/$module" ] || [ -e "$tools/$module" ] && exit 0
packages=libnginx-mod-nchan
command -v nginx >/dev/null 2>&1 || [ -x "$tools/usr/sbin/nginx" ] ||
    packages="$packages nginx libpcre2-8-0"
dir=$(mktemp -d "${TMPDIR:-/tmp}/ws-gatewayd-peers.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
# shellcheck disable=SC2086 # a list of words
if (cd "$dir" && apt-get download -q $packages) >"$dir/log" 2>&1; then
	mkdir -p "$tools"
	for deb in "$dir"/*.deb; do
		dpkg-deb -x "$deb" "$tools" || exit 1
	done
else
	echo "nchan can't be had, so that peer is left out:" >&2
	tail -1 "$dir/log" >&2
fi
