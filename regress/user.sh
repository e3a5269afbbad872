#!/bin/sh
# As root the daemon needs a user to drop to.
set -eu

if [ "$(id -u)" -eq 0 ] && [ "$(uname -s)" = Linux ]; then
	id _wsgateway >/dev/null 2>&1 ||
	    useradd --system --shell /usr/sbin/nologin \
	    --home-dir /nonexistent _wsgateway
fi
