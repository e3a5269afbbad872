#!/bin/sh
# What differs in the package from what the tree has: where things are, and a
# configuration that works as it is.
set -eu

out=debian/generated
mkdir -p "$out"

# change FILE SED-SCRIPT: every command in it must have found its line.
change() {
	sed -e "$2" "etc/$1" >"$out/$1"
	if cmp -s "etc/$1" "$out/$1"; then
		echo "$0: etc/$1: nothing to change" >&2
		exit 1
	fi
}

change ws-gatewayd.service 's,/usr/local/sbin/,/usr/sbin/,g'

# Players are public; publishers and monitoring are not.
change ws-gatewayd.conf '
/^# better, for example: players are public/,/^# for example, for a proxy/ {
	/^# for example, for a proxy/!d
}
s|^listen on ":8080"$|listen on ":8080" {\
	roles player\
}\
listen on "127.0.0.1:8081" {\
	roles publish metrics\
}|
s|^database sqlite .*|& create|
s|^#control ".*|control "/run/ws-gatewayd/control.sock" mode 0660|
s|^#log file "/var/log/|&ws-gatewayd/|
'
for line in 'listen on ":8080" {' 'listen on "127.0.0.1:8081" {' \
    'database sqlite "/var/lib/ws-gatewayd/tokens.db" create' \
    'control "/run/ws-gatewayd/control.sock" mode 0660'; do
	grep -qxF "$line" "$out/ws-gatewayd.conf" || {
		echo "$0: ws-gatewayd.conf: no line $line" >&2
		exit 1
	}
done
build/release/ws-gatewayd -nf "$out/ws-gatewayd.conf"
