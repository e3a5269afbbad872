#!/bin/sh
# "make run": the gateway on a fresh SQLite database with demo tokens, and what
# to paste into a second terminal.  Everything lives in a folder of its own that
# goes away at the end.
set -eu

build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
port=${PORT:-8080}
user=_wsgateway
dir=$(mktemp -d "${TMPDIR:-/tmp}/ws-gatewayd-demo.XXXXXX")
ctl="$build/ws-gatewayctl -s $dir/control.sock"
pid=

finish() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || true
	[ -z "$pid" ] || wait "$pid" || true
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 0' INT TERM

if [ "$(id -u)" -eq 0 ]; then
	id "$user" >/dev/null 2>&1 ||
	    useradd --system --shell /usr/sbin/nologin \
	    --home-dir /nonexistent "$user"
	chown "$user" "$dir"
	chmod 755 "$dir"
fi

cat >"$dir/ws-gatewayd.conf" <<EOF
listen on "127.0.0.1:$port"
database sqlite "$dir/tokens.db" create
control "$dir/control.sock"
EOF

"$build/ws-gatewayd" -d -f "$dir/ws-gatewayd.conf" &
pid=$!
# The control socket answers once everything is open.
until $ctl show stats >/dev/null 2>&1; do
	kill -0 "$pid" 2>/dev/null || { wait "$pid" || exit 1; }
	sleep 0.1
done
player=$($ctl token add -p 21 -e 1d)
server=$($ctl token add -s demo -e 1d)

cat <<EOF

The gateway runs on port $port.  Paste these two lines into a second terminal:

/usr/bin/python3 $here/listen.py 'ws://127.0.0.1:$port/ws?token=$player' &
curl -H 'Authorization: Bearer $server' -d '{"player_id":"21","event":"hello","payload":{"from":"HTTP"}}' http://127.0.0.1:$port/publish

$ctl show players     says who is here; Ctrl-C stops the gateway.

EOF
wait "$pid"
