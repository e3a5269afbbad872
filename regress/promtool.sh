#!/bin/sh
# promtool checks our metrics.  Its package would also start a server, so it is
# unpacked into the build folder instead of being installed.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
command -v promtool >/dev/null 2>&1 && exit 0
[ -x "$top/build/tools/usr/bin/promtool" ] && exit 0
mkdir -p "$top/build/tools"
cd "$top/build/tools"
apt-get download -q prometheus
dpkg-deb -x prometheus_*.deb .
rm -f prometheus_*.deb
