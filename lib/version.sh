#!/bin/sh
# The version: that of the git tag (v1.2.3), with how far we are from it; without
# a tag 0 and the day and commit; without git what the file VERSION has, which a
# copy of the tree is given, or else 0.
set -eu

cd "$(dirname "$0")/.."
if [ -f VERSION ]; then
	cat VERSION
elif ! git rev-parse HEAD >/dev/null 2>&1; then
	echo 0
elif v=$(git describe --tags --match 'v[0-9]*' 2>/dev/null); then
	# v1.2.3-4-gabcdef is after 1.2.3 and before 1.2.3.1.
	echo "$v" | sed 's/^v//; s/-\([0-9]*\)-g/+\1./; s/-/~/g'
else
	echo "0+$(git log -1 --date=format:%Y%m%d --format=%cd).$(git rev-parse \
	    --short HEAD)"
fi
