#!/bin/sh
# "make deb": the package, from a copy of the tree, into build/deb.  The version
# is that of lib/version.sh.
set -eu

cd "$(dirname "$0")/.."
top=$PWD

missing=
for p in debhelper dpkg-dev fakeroot; do
	dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null |
	    grep -q '^installed' || missing="$missing $p"
done
if [ -n "$missing" ]; then
	if [ "$(id -u)" -ne 0 ]; then
		echo "first: sudo apt-get install$missing" >&2
		exit 1
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q
	# shellcheck disable=SC2086 # a list of words
	apt-get install -y -q --no-install-recommends $missing
fi

version=$(lib/version.sh)
date=$(git log -1 --format=%cD 2>/dev/null || date -R)
dir=$top/build/deb
rm -rf "$dir"
mkdir -p "$dir/src"
if git rev-parse HEAD >/dev/null 2>&1; then
	# What is not committed yet, too.
	git ls-files -z -co --exclude-standard |
	    xargs -0 ls -d 2>/dev/null | tar -cf - -T - | tar -xf - -C "$dir/src"
else
	tar -cf - --exclude=./build . | tar -xf - -C "$dir/src"
fi

cd "$dir/src"
echo "$version" >VERSION
cat >debian/changelog <<EOF
ws-gatewayd ($version) unstable; urgency=medium

  * Built from the tree; CHANGELOG.md says what has changed.

 -- ws-gatewayd maintainers <maintainers@ws-gatewayd.invalid>  $date
EOF
dpkg-buildpackage -us -uc -b >"$dir/build.log" 2>&1 || {
	tail -50 "$dir/build.log" >&2
	exit 1
}
ls "$dir"/ws-gatewayd_*.deb
