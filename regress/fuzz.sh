#!/bin/sh
# "make fuzz": each libFuzzer target for FUZZ_TIME seconds (default 60), with
# its committed seeds; what is found stays in build/fuzz.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
seconds=${FUZZ_TIME:-60}
make=${MAKE:-make}
cd "$top/regress/fuzz"
targets=$(printf '%s ' fuzz_*.c | sed 's/\.c / /g')
mkdir -p "$top/build/fuzz"
cd "$top/build/fuzz"
"$make" -s -j2 -f ../../build.mk CC=clang FUZZ_TARGETS="$targets" \
    OPT_CFLAGS="-O1 -g -fsanitize=fuzzer-no-link,address,undefined" \
    HARDEN_CFLAGS="-fno-sanitize-recover=all -fPIE" \
    FUZZ_MAIN= FUZZ_LDFLAGS=-fsanitize=fuzzer fuzz
status=0
for name in $targets; do
	found=found/$name
	mkdir -p "$found"
	echo "== $name, $seconds s"
	if ! "./$name" -max_total_time="$seconds" -print_final_stats=1 \
	    -artifact_prefix="$found/" "$found" \
	    "$top/regress/fuzz/corpus/${name#fuzz_}" >"$name.log" 2>&1; then
		status=1
		tail -40 "$name.log"
		echo "$name: see build/fuzz/$name.log, build/fuzz/$found" >&2
	fi
	grep number_of_executed_units "$name.log" || status=1
done
exit $status
