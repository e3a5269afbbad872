#!/bin/sh
# "make deb-test": the package of "make deb" under lintian, then in a system of its
# own (debootstrap): installed, tried by its autopkgtest, removed, purged; what
# is different then from before it was installed is an error.  As root.
set -eu

cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "$0: only for root" >&2; exit 2; }
# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=${MIRROR:-http://deb.debian.org/debian}
deb=$(ls build/deb/ws-gatewayd_*.deb)
needs=$(dpkg-deb -f "$deb" Depends | sed 's/([^)]*)//g; s/|[^,]*//g; s/[, ]\+/,/g')
needs=$needs,curl,python3,systemd,logrotate
base=$PWD/build/deb-base.$suite.$(echo "$needs" | cksum | cut -d' ' -f1).tar
root=$(mktemp -d "${TMPDIR:-/tmp}/wsg-deb.XXXXXX")
trap 'umount "$root/proc" 2>/dev/null || true; rm -rf "$root"' EXIT
trap 'exit 1' HUP INT TERM
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

for p in debootstrap lintian; do
	dpkg-query -W -f='${db:Status-Status}' $p 2>/dev/null |
	    grep -q '^installed' ||
	    apt-get install -y -q --no-install-recommends $p
done

echo "== lintian"
lintian --fail-on error,warning --info --allow-root "$deb"

# What the package needs is there before, so that only it makes a difference.
if [ ! -e "$base" ]; then
	echo "== debootstrap"
	debootstrap --variant=minbase --include="$needs" "$suite" "$root" \
	    "$mirror" >build/deb-base.log 2>&1 || {
		tail -20 build/deb-base.log >&2
		exit 1
	}
	rm -rf "$root"/var/cache/apt/archives/*.deb
	tar -cf "$base.new" -C "$root" .
	mv "$base.new" "$base"
	rm -rf "$root"
	mkdir "$root"
fi

# A system without the package, which lies ready in it.
fresh() {
	tar -xf "$base" -C "$root"
	chmod 755 "$root"
	mount -t proc proc "$root/proc"
	# Services are not started by a chroot.
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	cp "$deb" "$root/root/ws-gatewayd.deb"
	cp debian/tests/publish "$root/root/publish"
}

fresh

# Files, with owner and mode; not what every use of dpkg changes, nor the user.
state() {
	chroot "$root" find / -xdev \( -path /proc -o -path /tmp -o \
	    -path /root -o -path /var/lib/dpkg -o -path /var/cache -o \
	    -path /var/log/dpkg.log \) -prune -o \
	    -printf '%p %M %u %g %l\n' | grep -v -e '^/etc/\.pwd\.lock ' \
	    -e '^/etc/\(passwd\|group\|g\?shadow\)-\? ' | sort
}

state >"$root/root/before"
echo "== install"
chroot "$root" dpkg -i /root/ws-gatewayd.deb
echo "== units"
chroot "$root" systemd-analyze verify --man=no ws-gatewayd.service \
    ws-gatewayd.socket ws-gatewayd-local.socket
# Tenths: 2.0 at the most.
chroot "$root" systemd-analyze security --offline=true --threshold=20 \
    /lib/systemd/system/ws-gatewayd.service >"$root/root/security" || {
	cat "$root/root/security"
	exit 1
}
tail -1 "$root/root/security"
rm -f "$root/run/systemd/systemd-units-load"
echo "== use"
chroot "$root" /root/publish
echo "== logrotate"
# shellcheck disable=SC2016 # for the shell in there
chroot "$root" sh -c 'install -d -o _wsgateway -g _wsgateway -m 750 \
    /var/log/ws-gatewayd && echo x >/var/log/ws-gatewayd/x.log &&
    chown _wsgateway:_wsgateway /var/log/ws-gatewayd/x.log &&
    logrotate -f -s /tmp/logrotate.state /etc/logrotate.d/ws-gatewayd &&
    test -s /var/log/ws-gatewayd/x.log.1 &&
    test "$(stat -c "%a %U" /var/log/ws-gatewayd/x.log)" = "640 _wsgateway"'
echo "== install again, remove"
chroot "$root" dpkg -i /root/ws-gatewayd.deb
chroot "$root" dpkg -r ws-gatewayd
# Tokens and configuration are kept by a removal.
test -e "$root/var/lib/ws-gatewayd/tokens.db"
test -e "$root/etc/ws-gatewayd.conf"
echo "== purge"
chroot "$root" dpkg -P ws-gatewayd
rm -rf "$root/run/ws-gatewayd"	# systemd's RuntimeDirectory=
state >"$root/root/after"
diff -u "$root/root/before" "$root/root/after"
chroot "$root" getent passwd _wsgateway >/dev/null
echo "the package leaves nothing but its user"

echo "== under systemd"
umount "$root/proc"
rm -rf "$root"
mkdir "$root"
fresh
chroot "$root" dpkg -i /root/ws-gatewayd.deb >/dev/null
umount "$root/proc"
status=0
regress/deb_boot.sh "$root" || status=$?
[ $status -eq 77 ] || exit $status
