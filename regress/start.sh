# The gateway on a fresh SQLite database with demo tokens, for "make run" and
# "make demo", which read this file.  They set $build, and $settings for the
# configuration.  Everything lives in a folder of its own that goes away at the
# end.
# shellcheck shell=sh disable=SC2034,SC2154

port=${PORT:-8080}
user=_wsgateway
dir=$(mktemp -d "${TMPDIR:-/tmp}/ws-gatewayd-demo.XXXXXX")
control=$dir/control.sock
ctl="$build/ws-gatewayctl -s $control"
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

cat >"$dir/ws-gatewayd.conf" <<CONF
listen on "127.0.0.1:$port"
database sqlite "$dir/tokens.db" create
control "$control"
${settings:-}
CONF

"$build/ws-gatewayd" -d -f "$dir/ws-gatewayd.conf" &
pid=$!
# The control socket answers once everything is open.
until $ctl show stats >/dev/null 2>&1; do
	kill -0 "$pid" 2>/dev/null || { wait "$pid" || exit 1; }
	sleep 0.1
done
server=$($ctl token add -s demo -e 1d)
