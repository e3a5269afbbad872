#!/bin/sh
# A MariaDB server for the tests.  Installing the package would also start one
# as a service, so its programs are unpacked into the build folder.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
PATH=$PATH:/usr/sbin
command -v mariadbd >/dev/null 2>&1 && exit 0
[ -x "$top/build/tools/usr/sbin/mariadbd" ] && exit 0
mkdir -p "$top/build/tools/mariadb"
cd "$top/build/tools/mariadb"
# The server's own libraries, which no -dev package of ours brings along.
apt-get download -q mariadb-server-core mariadb-server mariadb-client-core \
    liburing2 libaio1 libnuma1 libpcre2-8-0 libsystemd0
for deb in *.deb; do
	dpkg-deb -x "$deb" ..
done
cd ..
rm -rf mariadb
