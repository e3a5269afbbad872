#!/bin/sh
# The linters; silent and 0 when there is nothing to say.
set -u

cd "$(dirname "$0")/.." || exit 1
status=0
flags="-std=gnu11 -D_GNU_SOURCE -Ilib -Ilib/Linux -Iws-gatewayd -Iws-gatewayctl \
-Ibuild/clang $(pkg-config --cflags libbsd-overlay libcjson libmariadb)"
sources=$(git ls-files '*.c' | grep -v -e openbsd -e '^regress/')

echo "== clang"
mkdir -p build/clang
(cd build/clang && make -s -j2 -f ../../build.mk CC=clang all) || status=1

echo "== mandoc"
# shellcheck disable=SC2046 # a list of files
mandoc -Tlint -Wwarning $(git ls-files '*.[1-9]') || status=1

echo "== shellcheck"
# shellcheck disable=SC2046
shellcheck $(git ls-files '*.sh' '*.bash' 'debian/*.post*') .ci/run \
    debian/tests/publish || status=1

echo "== cppcheck"
# shellcheck disable=SC2086
cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 \
    --enable=warning,portability,performance \
    --suppress=missingIncludeSystem -j 2 \
    --suppress='*:/usr/include/*' -I/usr/include/bsd -DLIBBSD_OVERLAY \
    -D_GNU_SOURCE -Ilib -Ilib/Linux -Iws-gatewayd -Iws-gatewayctl \
    $sources || status=1

echo "== clang-tidy"
# shellcheck disable=SC2086
printf '%s\n' $sources | xargs -P 2 -n 8 sh -c \
    'clang-tidy --quiet "$@" -- '"$flags"' 2>/dev/null' clang-tidy ||
    status=1

[ $status -eq 0 ] && echo "linters: nothing to say"
exit $status
