#!/bin/sh
# "make demo": the gateway as "make run" has it, and a page of the players'
# client beside it.  PORT and PAGE_PORT choose the ports.
set -eu

build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
page=${PAGE_PORT:-8090}
# Only that page's scripts may connect.
# shellcheck disable=SC2034 # for start.sh
settings="origins {
	\"http://127.0.0.1:$page\"
	\"http://localhost:$page\"
}"
# shellcheck source=regress/start.sh
. "$here/start.sh"

# In the background, so that a signal to this shell is not kept waiting.
SERVER_TOKEN=$server /usr/bin/python3 -B "$here/../clients/js/demo/serve.py" \
    --port "$page" --gateway "127.0.0.1:$port" \
    --ctl "$build/ws-gatewayctl" --control "$control" &
pages=$!
trap 'kill "$pages" 2>/dev/null || true; finish' EXIT

echo "$ctl show players     says who is here; Ctrl-C stops all of it."
wait "$pages"
