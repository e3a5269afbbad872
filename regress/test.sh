#!/bin/sh
# "make test": unit tests and the fuzzers' corpora under the sanitizers, the
# configurations, the running daemon twice (release build, sanitizer build), what
# has to do with output once more through io_uring, and all that goes over sockets
# once more by TLS; TEST_JOBS tests at a time, which is twice the processors unless
# set.  Ends with the runners' own
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

# As many at a time: most of them wait more than they work.
jobs=${TEST_JOBS:-$((2 * $(getconf _NPROCESSORS_ONLN 2>/dev/null ||
    getconf NPROCESSORS_ONLN)))}

echo "== unit tests"
passed=0 failed=0
rm -f "$log"/*.exit
# shellcheck disable=SC2016 # for the shell that xargs starts
for t in build/san/test_*; do
	case $t in *.*) continue ;; esac
	echo "$t"
done | xargs -n 1 -P "$jobs" sh -c '
	"$1" >"$0/${1##*/}.log" 2>&1
	echo $? >"$0/${1##*/}.exit"' "$log"
for t in build/san/test_*; do
	case $t in *.*) continue ;; esac
	name=${t##*/}
	if [ "$(cat "$log/$name.exit")" = 0 ]; then
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

# Modules of tests go to the workers, each as a whole, longest first
# (integration/conftest.py).
workers=
/usr/bin/python3 -c 'import xdist' 2>/dev/null &&
    workers="-n $jobs --dist loadfile"

# leg NAME BUILD FILES AND OPTIONS: the tests of the running daemon.
leg() {
	name=$1 build=$2
	shift 2
	# shellcheck disable=SC2086 # a list of words
	BUILD=$top/build/$build SANDBOX=require \
	    ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1} \
	    /usr/bin/python3 -m pytest -q -p no:cacheprovider $workers "$@" \
	    >"$log/$name.log" 2>&1 ||
	    { status=1; tail -150 "$log/$name.log"; }
}

for variant in release san; do
	echo "== running daemon, $variant build"
	leg "$variant" "$variant" regress/integration
done

echo "== running daemon, sanitizer build, output uring"
OUTPUT=uring
export OUTPUT
set --
for name in deflate limits players publish queue slow stress; do
	set -- "$@" "regress/integration/test_$name.py"
done
leg uring san -k 'not mysql' "$@"
unset OUTPUT

echo "== running daemon, release build, by TLS"
TLS=1
export TLS
leg tls release -k 'not mysql' regress/integration

echo "== summary"
echo "unit tests: $unit"
echo "fuzzers' corpora: $fuzz"
echo "configurations: $conf"
echo "release build: $(tail -1 "$log/release.log")"
echo "by TLS: $(tail -1 "$log/tls.log")"
echo "output uring: $(tail -1 "$log/uring.log")"
echo "sanitizer build:"
tail -1 "$log/san.log"
exit $status
