#!/bin/sh
# "make test": unit tests and the fuzzers' corpora under the sanitizers, the
# configurations, the running daemon twice (release build, sanitizer build), what
# has to do with output once more through io_uring, and all that goes over sockets
# once more by TLS.  Ends with the runners' own
# summary lines; the exit code is 0 only when everything passed.
set -u

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top" || exit 1
log=build/test
mkdir -p "$log"
status=0
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE

regress/user.sh || exit 1
regress/promtool.sh || status=1
regress/proxies.sh || status=1
regress/mariadb.sh || status=1

echo "== unit tests"
passed=0 failed=0
for t in build/san/test_*; do
	case $t in *.*) continue ;; esac
	name=${t##*/}
	if "$t" >"$log/$name.log" 2>&1; then
		n=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test(s)\.*$/\1/p' \
		    "$log/$name.log" | tail -1)
		passed=$((passed + ${n:-0}))
		# A runner that ran nothing has not passed.
		[ "${n:-0}" -gt 0 ] || { failed=$((failed + 1)); }
		echo "$name: ${n:-no} tests"
	else
		failed=$((failed + 1))
		echo "$name: FAILED"
		tail -40 "$log/$name.log"
	fi
done
[ $failed -eq 0 ] || status=1
unit="$passed passed, $failed failed"

echo "== fuzzers' corpora"
replayed=0 failed=0
for t in regress/fuzz/fuzz_*.c; do
	name=$(basename "$t" .c)
	corpus=regress/fuzz/corpus/${name#fuzz_}
	if "build/san/$name" "$corpus"/* >"$log/$name.log" 2>&1; then
		n=$(sed -n 's/^\([0-9]*\) inputs$/\1/p' "$log/$name.log")
		replayed=$((replayed + ${n:-0}))
		[ "${n:-0}" -gt 0 ] || failed=$((failed + 1))
		echo "$name: ${n:-no} inputs"
	else
		failed=$((failed + 1))
		echo "$name: FAILED"
		tail -40 "$log/$name.log"
	fi
done
[ $failed -eq 0 ] && [ $replayed -gt 0 ] || status=1
fuzz="$replayed inputs passed, $failed targets failed"

echo "== configurations"
regress/conf/run.sh build/release/ws-gatewayd >"$log/conf.log" 2>&1 ||
    { status=1; cat "$log/conf.log"; }
conf=$(tail -1 "$log/conf.log")

for variant in release san; do
	echo "== running daemon, $variant build"
	BUILD=$top/build/$variant SANDBOX=require \
	    ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1} \
	    /usr/bin/python3 -m pytest -q -p no:cacheprovider \
	    regress/integration >"$log/$variant.log" 2>&1 ||
	    { status=1; tail -150 "$log/$variant.log"; }
	tail -1 "$log/$variant.log" >"$log/$variant.sum"
done

echo "== running daemon, sanitizer build, output uring"
(cd regress/integration &&
    BUILD=$top/build/san SANDBOX=require OUTPUT=uring \
    ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1} \
    /usr/bin/python3 -m pytest -q -p no:cacheprovider -k 'not mysql' \
    test_deflate.py test_limits.py test_players.py test_publish.py \
    test_queue.py test_slow.py test_stress.py >"$top/$log/uring.log" 2>&1) ||
    { status=1; tail -150 "$log/uring.log"; }

echo "== running daemon, release build, by TLS"
TLS=1 BUILD=$top/build/release SANDBOX=require \
    /usr/bin/python3 -m pytest -q -p no:cacheprovider -k 'not mysql' \
    regress/integration >"$log/tls.log" 2>&1 ||
    { status=1; tail -150 "$log/tls.log"; }

echo "== summary"
echo "unit tests: $unit"
echo "fuzzers' corpora: $fuzz"
echo "configurations: $conf"
echo "release build: $(cat "$log/release.sum")"
echo "by TLS: $(tail -1 "$log/tls.log")"
echo "output uring: $(tail -1 "$log/uring.log")"
echo "sanitizer build:"
cat "$log/san.sum"
exit $status
