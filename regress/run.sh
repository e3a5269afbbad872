#!/bin/sh
# "make run": the gateway on a fresh SQLite database with demo tokens, and what
# to paste into a second terminal.
set -eu

build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=regress/start.sh
. "$here/start.sh"
player=$($ctl token add -p 21 -e 1d)

cat <<END

The gateway runs on port $port.  Paste these two lines into a second terminal:

/usr/bin/python3 $here/listen.py 'ws://127.0.0.1:$port/ws?token=$player' &
curl -H 'Authorization: Bearer $server' -d '{"player_id":"21","event":"hello","payload":{"from":"HTTP"}}' http://127.0.0.1:$port/publish

$ctl show players     says who is here; Ctrl-C stops the gateway.

END
wait "$pid"
