#!/bin/sh
#
# The configuration language, from outside: each of ok/*.conf must be printed
# by -nv as its .ok says, and what is printed must be read and printed to the
# same again; each of bad/*.conf must be refused with the lines of its .err.
# "@control@" in an .ok stands for the default path of the control socket.
#
# usage: run.sh BINARY

set -u

if [ $# -ne 1 ]; then
	echo "usage: $0 ws-gatewayd" >&2
	exit 2
fi
case $1 in
/*)	gatewayd=$1 ;;
*)	gatewayd=$PWD/$1 ;;
esac
cd "$(dirname "$0")" || exit 2
if [ ! -x "$gatewayd" ]; then
	echo "$0: $gatewayd: no such program" >&2
	exit 2
fi

tmp=$(mktemp -d "${TMPDIR:-/tmp}/conf.XXXXXXXXXX") || exit 2
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

npassed=0
nfailed=0

passed() {
	npassed=$((npassed + 1))
}

failed() {
	nfailed=$((nfailed + 1))
	echo "FAILED $1: $2"
}

# Error lines start with the name of the program.
strip() {
	sed "s|^$(basename "$gatewayd"): ||" "$1"
}

test_ok() {
	if ! "$gatewayd" -nvf "$1" >"$tmp/out" 2>"$tmp/err"; then
		failed "$1" "refused"
		cat "$tmp/err"
		return
	fi
	sed "s|@control@|$control|" "${1%.conf}.ok" >"$tmp/want"
	if ! diff -u "$tmp/want" "$tmp/out"; then
		failed "$1" "-nv prints something else"
		return
	fi
	if ! "$gatewayd" -nf "$1" >"$tmp/silent" 2>&1 ||
	    [ "$(strip "$tmp/silent")" != "configuration OK" ]; then
		failed "$1" "-n does not say that it is fine"
		return
	fi
	if ! "$gatewayd" -nvf "$tmp/out" >"$tmp/again" 2>"$tmp/err"; then
		failed "$1" "what -nv prints is refused"
		cat "$tmp/err"
		return
	fi
	if ! diff -u "$tmp/out" "$tmp/again"; then
		failed "$1" "what -nv prints is read as something else"
		return
	fi
	passed
}

test_bad() {
	"$gatewayd" -nf "$1" >"$tmp/out" 2>"$tmp/err"
	status=$?
	if [ "$status" -ne 1 ]; then
		failed "$1" "exit code $status instead of 1"
		return
	fi
	strip "$tmp/err" >"$tmp/lines"
	if ! diff -u "${1%.conf}.err" "$tmp/lines"; then
		failed "$1" "refused with other words"
		return
	fi
	if grep -q pa55word "$tmp/err"; then
		failed "$1" "a password is shown"
		return
	fi
	if [ -s "$tmp/out" ]; then
		failed "$1" "something on standard output"
		return
	fi
	passed
}

# Every setting that the sample has commented out must be right, and in a block
# be the default.  Certificates are only a name there.
test_sample() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc \
	    -subj /CN=sample -keyout "$tmp/key" -out "$tmp/cert" 2>/dev/null
	sed -e 's/^#\([^ ]\)/\1/' -e "s|certificate \"[^\"]*\"|certificate \"$tmp/cert\"|" \
	    -e "s|key \"[^\"]*\"|key \"$tmp/key\"|" "$1" >"$tmp/sample.conf"
	"$gatewayd" -nvf /dev/null 2>"$tmp/err" |
	    sed -n '/^players {/,$p' >"$tmp/want"
	if ! "$gatewayd" -nf "$1" 2>"$tmp/err"; then
		failed "$1" "refused"
		cat "$tmp/err"
		return
	fi
	if ! "$gatewayd" -nvf "$tmp/sample.conf" >"$tmp/out" 2>"$tmp/err"; then
		failed "$1" "refused without its comment signs"
		cat "$tmp/err"
		return
	fi
	sed -n '/^players {/,$p' "$tmp/out" >"$tmp/blocks"
	if ! diff -u "$tmp/want" "$tmp/blocks"; then
		failed "$1" "a commented setting is not the default"
		return
	fi
	passed
}

control=$("$gatewayd" -nvf /dev/null 2>/dev/null |
    sed -n 's/^control "\(.*\)" mode .*/\1/p')

for file in ok/*.conf; do
	test_ok "$file"
done
for file in bad/*.conf; do
	test_bad "$file"
done
test_sample ../../etc/ws-gatewayd.conf

echo "$npassed passed, $nfailed failed"
[ "$nfailed" -eq 0 ]
