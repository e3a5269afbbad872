# ws-gatewayd: GNU make and BSD make both read this.
PREFIX ?=	/usr/local
SYSCONFDIR ?=	/etc
MANDIR ?=	${PREFIX}/share/man
SBINDIR ?=	${PREFIX}/sbin
INSTALL ?=	install
# OpenBSD knows it by the second name.
JOBS !=		getconf _NPROCESSORS_ONLN 2>/dev/null || \
		getconf NPROCESSORS_ONLN 2>/dev/null || echo 1

SAN_CFLAGS =	-fsanitize=address,undefined -fno-sanitize-recover=all \
		-fno-omit-frame-pointer
UNIT_TESTS !=	cd regress/unit && ls *.c | sed 's/\.c$$//'
FUZZ_TARGETS !=	cd regress/fuzz && ls fuzz_*.c | sed 's/\.c$$//'

all: release

release:
	@mkdir -p build/release
	@cd build/release && ${MAKE} -j${JOBS} -f ../../build.mk all

# The sanitizers bring checks of their own instead of _FORTIFY_SOURCE.
san:
	@mkdir -p build/san
	@cd build/san && ${MAKE} -j${JOBS} -f ../../build.mk \
	    OPT_CFLAGS="-O1 -g ${SAN_CFLAGS}" \
	    HARDEN_CFLAGS="-fstack-protector-strong -fPIE" \
	    SANDBOX_EXTRA=sandbox_linux_sanitizer.o \
	    UNIT_TESTS="`echo ${UNIT_TESTS}`" \
	    FUZZ_TARGETS="`echo ${FUZZ_TARGETS}`" \
	    all unit fuzz ws-gatewayd-echo ws-gatewayd-fault ws-gatewayd-leak

# Packages by name; without root it says what to run.
deps:
	@regress/deps.sh

run: deps release
	@regress/run.sh build/release

# The same with a page for a browser: PORT and PAGE_PORT.
demo: deps release
	@regress/demo.sh build/release

# Only the tests have a use for a daemon that echoes, or runs out of memory.
echo: release
	@cd build/release && ${MAKE} -f ../../build.mk ws-gatewayd-echo \
	    ws-gatewayd-fault

# Without shared libraries: see etc/container/README.md.  Linux alone.
static: release
	@cd build/release && ${MAKE} -f ../../build.mk ws-gatewayd-static

test: deps release echo static san
	@regress/test.sh

lint: deps
	@regress/lint.sh

fuzz: deps
	@MAKE="${MAKE}" regress/fuzz.sh

# A table in under ten minutes; all of it takes some forty, and writes
# regress/bench/RESULTS.md.
bench: release
	@regress/bench/peers.sh
	@/usr/bin/python3 -B regress/bench/bench.py \
	    --json build/bench/quick.json

bench-full: release
	@regress/bench/peers.sh
	@/usr/bin/python3 -B regress/bench/bench.py --full \
	    --variant "ours, uring=http { output uring }" \
	    --json build/bench/full.json
	@/usr/bin/python3 -B regress/bench/results.py build/bench/full.json

# For SOAK_TIME seconds, on SOAK_BUILD; the budget only makes sense without
# what a sanitizer needs for itself.
SOAK_BUILD ?=	san
SOAK_TIME ?=	600

soak: deps ${SOAK_BUILD}
	@BUILD=build/${SOAK_BUILD} regress/soak.sh soak ${SOAK_TIME}

budget: deps release
	@BUILD=build/release regress/soak.sh budget

install: release
	${INSTALL} -d ${DESTDIR}${SBINDIR} ${DESTDIR}${SYSCONFDIR} \
	    ${DESTDIR}${MANDIR}/man8 ${DESTDIR}${MANDIR}/man7 \
	    ${DESTDIR}${MANDIR}/man5
	${INSTALL} -m 755 build/release/ws-gatewayd \
	    build/release/ws-gatewayctl ${DESTDIR}${SBINDIR}
	${INSTALL} -m 644 ws-gatewayd/ws-gatewayd.8 \
	    ws-gatewayctl/ws-gatewayctl.8 ${DESTDIR}${MANDIR}/man8
	${INSTALL} -m 644 ws-gatewayd/ws-gatewayd.conf.5 \
	    ${DESTDIR}${MANDIR}/man5
	${INSTALL} -m 644 ws-gatewayd/ws-gatewayd-protocol.7 \
	    ${DESTDIR}${MANDIR}/man7
	test -e ${DESTDIR}${SYSCONFDIR}/ws-gatewayd.conf || \
	    ${INSTALL} -m 600 etc/ws-gatewayd.conf \
	    ${DESTDIR}${SYSCONFDIR}/ws-gatewayd.conf

# The Debian package, into build/deb; and whether it installs, works and leaves
# nothing, in a system of its own.
deb:
	@debian/build.sh

deb-test: deb
	@regress/deb.sh

clean:
	rm -rf build

.PHONY: all release san echo static deps run demo test lint fuzz bench \
	bench-full install clean soak budget deb deb-test
