# Builds everything in the current folder, which is build/VARIANT; called by the
# Makefile.  Works in GNU make and in bmake.
OS !=		uname -s
TOP =		../..
include ${TOP}/lib/${OS}.mk

VPATH =		${TOP}/lib:${TOP}/lib/${OS}:${TOP}/ws-gatewayd:${TOP}/ws-gatewayctl:${TOP}/regress/unit:${TOP}/regress/fuzz

WARN_CFLAGS =	-Wall -Wextra -Wshadow -Wstrict-prototypes \
		-Wmissing-prototypes -Wpointer-arith -Wcast-qual \
		-Wwrite-strings -Werror
HARDEN_CFLAGS =	-fstack-protector-strong -fPIE -D_FORTIFY_SOURCE=2
OPT_CFLAGS =	-O2 -g
ALL_CFLAGS =	-std=gnu11 ${OPT_CFLAGS} ${HARDEN_CFLAGS} ${WARN_CFLAGS} \
		-I${TOP}/lib -I${TOP}/lib/${OS} -I${TOP}/ws-gatewayd \
		-I${TOP}/ws-gatewayctl -I. ${PLATFORM_CFLAGS} ${CFLAGS}
ALL_LDFLAGS =	-pie ${HARDEN_LDFLAGS} ${LDFLAGS}

LIB_OBJS =	control_path.o duration.o log.o sandbox_drop.o sandbox_probe.o \
		utf8.o ${PLATFORM_OBJS}

# The parent; what all processes share; the engine; the store.
PARENT_OBJS =	address.o conf.o conf_database.o conf_listen.o conf_send.o conf_set.o \
		conf_where.o daemonize.o flags.o logfile.o notify.o \
		parent_children.o parent_listen.o parent_loop.o parent_tls.o \
		parent_passed.o parent_paths.o parent_reload.o parent_stop.o \
		parent_user.o parent_watch.o parse.o pidfile.o printconf.o reload_keep.o \
		selftest.o settings.o unixsock.o
PROC_OBJS =	clock.o event_want.o ipc.o network.o proc.o proc_exec.o starter.o
ENGINE_OBJS =	broadcast.o client.o conn.o control.o control_change.o \
		control_publish.o control_show.o control_token.o deflate.o \
		endpoint.o engine.o forwarded.o frame.o \
		handshake.o http.o http_body.o http_field.o http_lex.o \
		http_line.o http_query.o hub.o json.o json_string.o listener.o \
		lookup.o memory.o metrics.o monitor.o output.o peer.o \
		player_hash.o proxy_protocol.o publish.o publisher.o rate.o queue.o reply.o \
		request.o revalidate.o session.o session_data.o \
		key_method.o session_inflate.o signer.o siphash.o text.o timer.o \
		tls_context.o tls_selftest.o transport.o ws.o ws_accept.o \
		ws_extension.o
STORE_OBJS =	store.o store_latency.o store_lookup.o store_mysql.o \
		store_mysql_addr.o store_mysql_call.o store_mysql_dsn.o \
		store_mysql_error.o store_mysql_lookup.o \
		store_mysql_resolve.o store_mysql_token.o \
		store_sqlite.o store_sqlite_dsn.o store_sqlite_lookup.o \
		store_sqlite_token.o store_state.o store_token.o store_wait.o
CTL_OBJS =	ctl_request.o format.o parser.o payload.o print.o print_json.o \
		record.o screen.o table.o top.o values.o

DAEMON_LIBS =	${PLATFORM_LIBS} ${SQLITE_LIBS} ${MYSQL_LIBS} ${TLS_LIBS} \
		${ZLIB_LIBS}
KEYS_OBJS =	key_id.o keys.o ${KEY_MEMORY_OBJS}

DAEMON_OBJS =	${PARENT_OBJS} ${PROC_OBJS} ${ENGINE_OBJS} ${STORE_OBJS} \
		${KEYS_OBJS}

PROGRAMS =	ws-gatewayd ws-gatewayctl

all: ${PROGRAMS}

ws-gatewayd: gatewayd.o ${DAEMON_OBJS} ${LIB_OBJS}
	@echo "link $@"
	@${CC} ${ALL_CFLAGS} ${ALL_LDFLAGS} -o $@ gatewayd.o ${DAEMON_OBJS} \
	    ${LIB_OBJS} ${DAEMON_LIBS}

ws-gatewayctl: ctl.o ${CTL_OBJS} ${LIB_OBJS}
	@echo "link $@"
	@${CC} ${ALL_CFLAGS} ${ALL_LDFLAGS} -o $@ ctl.o ${CTL_OBJS} \
	    ${LIB_OBJS} ${PLATFORM_LIBS} ${CJSON_LIBS}

# The daemon with one object of another kind: players get their messages back.
ECHO_OBJS =	${PARENT_OBJS} ${PROC_OBJS} ${ENGINE_OBJS:session_data.o=} \
		echo_session_data.o ${STORE_OBJS} ${KEYS_OBJS}

ws-gatewayd-echo: gatewayd.o ${ECHO_OBJS} ${LIB_OBJS}
	@echo "link $@"
	@${CC} ${ALL_CFLAGS} ${ALL_LDFLAGS} -o $@ gatewayd.o ${ECHO_OBJS} \
	    ${LIB_OBJS} ${DAEMON_LIBS}

echo_session_data.o: ${TOP}/regress/echo/session_data.c
	@echo "cc $@"
	@${CC} ${ALL_CFLAGS} -c -o $@ ${TOP}/regress/echo/session_data.c

# The daemon without a shared library, for a container with nothing else in it.
STATIC_OBJS =	${DAEMON_OBJS:store_mysql_resolve.o=store_mysql_resolve_static.o}

ws-gatewayd-static: gatewayd.o ${STATIC_OBJS} ${LIB_OBJS}
	@echo "link $@"
	@${CC} ${ALL_CFLAGS} ${ALL_LDFLAGS} ${STATIC_LDFLAGS} -o $@ gatewayd.o \
	    ${STATIC_OBJS} ${LIB_OBJS} ${DAEMON_LIBS} ${STATIC_LIBS}

# The daemon with an allocator and a wall clock that a test can spoil.
FAULT_CFLAGS =	-fno-sanitize=all -fno-builtin
FAULT_LDFLAGS =	-Wl,--wrap=seccomp_init -Wl,--wrap=seccomp_release

ws-gatewayd-fault: gatewayd.o fault.o ${DAEMON_OBJS} ${LIB_OBJS}
	@echo "link $@"
	@${CC} ${ALL_CFLAGS} ${ALL_LDFLAGS} ${FAULT_LDFLAGS} -o $@ gatewayd.o fault.o \
	    ${DAEMON_OBJS} ${LIB_OBJS} ${DAEMON_LIBS}

fault.o: ${TOP}/regress/fault/fault.c
	@echo "cc $@"
	@${CC} ${ALL_CFLAGS} ${FAULT_CFLAGS} -c -o $@ \
	    ${TOP}/regress/fault/fault.c

# The daemon with a leak in each process, for the proof that it is noticed.
ws-gatewayd-leak: gatewayd.o leak.o ${DAEMON_OBJS} ${LIB_OBJS}
	@echo "link $@"
	@${CC} ${ALL_CFLAGS} ${ALL_LDFLAGS} -o $@ gatewayd.o leak.o \
	    ${DAEMON_OBJS} ${LIB_OBJS} ${DAEMON_LIBS}

leak.o: ${TOP}/regress/leak/leak.c
	@echo "cc $@"
	@${CC} ${ALL_CFLAGS} -c -o $@ ${TOP}/regress/leak/leak.c

# Everything but the main programs, for the tests.
libtest.a: ${DAEMON_OBJS} ${CTL_OBJS} ${LIB_OBJS}
	@rm -f $@
	@ar rc $@ ${DAEMON_OBJS} ${CTL_OBJS} ${LIB_OBJS}

unit: ${UNIT_TESTS}

${UNIT_TESTS}: libtest.a

# Fuzzers: with libFuzzer by clang (regress/fuzz.sh), otherwise with a main that
# runs the files that it is given.
FUZZ_MAIN =	replay.o
fuzz: ${FUZZ_TARGETS}

${FUZZ_TARGETS}: ${FUZZ_TARGETS:=.o} ${FUZZ_MAIN} libtest.a
	@echo "link $@"
	@${CC} ${ALL_CFLAGS} ${ALL_LDFLAGS} ${FUZZ_LDFLAGS} -o $@ $@.o \
	    ${FUZZ_MAIN} libtest.a ${DAEMON_LIBS} ${CJSON_LIBS}

parse.c: ${TOP}/ws-gatewayd/parse.y
	@${YACC} -o $@ ${TOP}/ws-gatewayd/parse.y

# Made anew when there is another version.
VERSION_OBJS =	control.o control_show.o ctl.o gatewayd.o metrics.o
VERSIONED !=	sh ${TOP}/lib/version.sh | \
		sed 's/.*/\#define WSG_VERSION "&"/' >version.new; \
		cmp -s version.new version.h || mv version.new version.h; \
		rm -f version.new
${VERSION_OBJS} ${UNIT_TESTS}: version.h

# Small enough to build anew when any header changes.
HEADERS !=	find ${TOP}/lib ${TOP}/ws-gatewayd ${TOP}/ws-gatewayctl -name '*.h'
gatewayd.o ctl.o echo_session_data.o ${DAEMON_OBJS} ${STATIC_OBJS} ${CTL_OBJS} ${LIB_OBJS} \
${UNIT_TESTS} ${FUZZ_TARGETS:=.o}: \
	${HEADERS}

.SUFFIXES:
.SUFFIXES: .c .o

.c.o:
	@echo "cc $<"
	@${CC} ${ALL_CFLAGS} -c -o $@ $<

.c:
	@echo "cc $<"
	@${CC} ${ALL_CFLAGS} ${ALL_LDFLAGS} -o $@ $< libtest.a \
	    ${DAEMON_LIBS} ${CJSON_LIBS} ${CMOCKA_LIBS}

.PHONY: all unit fuzz
