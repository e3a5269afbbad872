#!/bin/sh
# "make fuzz": each libFuzzer target for FUZZ_TIME seconds (default 60), with
# its committed seeds; what is found stays in build/fuzz.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
seconds=${FUZZ_TIME:-60}
mkdir -p "$top/build/fuzz"
cd "$top/build/fuzz"
make -s -j2 -f ../../build.mk CC=clang \
    OPT_CFLAGS="-O1 -g -fsanitize=fuzzer-no-link,address,undefined" \
    HARDEN_CFLAGS="-fno-sanitize-recover=all -fPIE" libtest.a
for source in "$top"/regress/fuzz/fuzz_*.c; do
	name=$(basename "$source" .c)
	make -s -f ../../build.mk CC=clang \
	    OPT_CFLAGS="-O1 -g -fsanitize=fuzzer,address,undefined" \
	    HARDEN_CFLAGS="-fno-sanitize-recover=all -fPIE" "$name"
	mkdir -p "found/$name"
	echo "== $name, $seconds s"
	"./$name" -max_total_time="$seconds" -print_final_stats=1 \
	    -artifact_prefix="found/$name/" "found/$name" \
	    "$top/regress/fuzz/corpus/${name#fuzz_}" 2>&1 |
	    grep -E 'number_of_executed_units|ERROR|SUMMARY|artifact' || true
	# What libFuzzer writes for a crash, a leak or a timeout.
	if ls "found/$name"/crash-* "found/$name"/leak-* \
	    "found/$name"/timeout-* >/dev/null 2>&1; then
		echo "$name: found something in build/fuzz/found/$name" >&2
		exit 1
	fi
done
