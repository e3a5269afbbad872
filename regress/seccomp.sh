#!/bin/sh
# The seccomp lists against what the confined processes call: the tests of the
# running daemon under strace, all of them without the calls that a message
# costs, then a part of them with those as well.  Linux, as root.
set -u

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top" || exit 1
strace=$(command -v strace) || { echo "$0: there is no strace" >&2; exit 2; }
[ "$(id -u)" -eq 0 ] || { echo "$0: only for root" >&2; exit 2; }
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
busy=read,write,readv,writev,recvfrom,recvmsg,sendto,sendmsg,epoll_wait,epoll_ctl,accept4,close
tests=regress/integration
few="$tests/test_handshake.py $tests/test_players.py $tests/test_mysql.py
    $tests/test_ctl.py $tests/test_limits.py $tests/test_outage.py
    $tests/test_notify.py $tests/test_top.py"
dir=$top/build/seccomp
rm -rf "$dir"

# run NAME STRACE-ARGUMENT TEST...
run() {
	out=$dir/$1 bin=$dir/$1.bin
	mkdir -p "$out" "$bin"
	chmod 1777 "$out"
	for b in ws-gatewayd ws-gatewayctl ws-gatewayd-echo; do
		printf '#!/bin/sh\nexec %s -D -f -ff -qq -s 64 %s -o "%s/$$" "%s" "$@"\n' \
		    "$strace -e raw='!execve'" "$2" "$out" \
		    "$top/build/release/$b" >"$bin/$b"
		chmod 755 "$bin/$b"
	done
	shift 2
	# Lines of several processes come late in here, so not in their order;
	# and what a build with another allocator calls says nothing.
	BUILD=$bin SANDBOX=require /usr/bin/python3 -m pytest -q \
	    -p no:cacheprovider --ignore "$tests/test_faults.py" --deselect \
	    "$tests/test_log.py::test_one_json_object_a_line_with_time_level_msg" \
	    "$@" || status=1
}

status=0
run all "--seccomp-bpf -e trace='!$busy'" "$tests"
# shellcheck disable=SC2086
run few "" $few
/usr/bin/python3 regress/seccomp.py build/release/ws-gatewayd \
    "$dir/all" "$dir/few" || status=1
exit $status
