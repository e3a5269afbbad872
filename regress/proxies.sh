#!/bin/sh
# nginx and haproxy stand before the gateway in the tests.  Their packages would
# also start services, so what isn't installed is unpacked into the build folder.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
tools=$top/build/tools
PATH=$PATH:/usr/sbin:/sbin

unpack() {
	program=$1
	shift
	command -v "$program" >/dev/null 2>&1 && return
	[ -x "$tools/usr/sbin/$program" ] && return
	mkdir -p "$tools/deb"
	(cd "$tools/deb" && apt-get download -q "$@")
	for deb in "$tools"/deb/*.deb; do
		dpkg-deb -x "$deb" "$tools"
	done
	rm -rf "$tools/deb"
}

# With the libraries that a small system may not have.
unpack nginx nginx libpcre2-8-0
unpack haproxy haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1
