# Builds the programs of the bench in the current folder, which is build/bench;
# called by the Makefile.  Linux only: epoll, /proc, io_uring.  Works in GNU make
# and in bmake.
BENCH =		../../regress/bench
ALL_CFLAGS =	-std=gnu11 -O2 -g -D_GNU_SOURCE -Wall -Wextra -Wshadow \
		-Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
		-Wcast-qual -Wwrite-strings -Werror -I${BENCH} ${CFLAGS}

LOAD =		${BENCH}/wsload.c ${BENCH}/load_client.c ${BENCH}/load_clock.c \
		${BENCH}/load_message.c ${BENCH}/load_publish.c \
		${BENCH}/load_report.c ${BENCH}/load_socket.c \
		${BENCH}/load_usage.c
FLOORS =	floor_plain floor_merged floor_uring

all: wsload ${FLOORS}

wsload: ${LOAD} ${BENCH}/wsload.h
	@echo "cc $@"
	@${CC} ${ALL_CFLAGS} -o $@ ${LOAD} -lz

${FLOORS}: ${BENCH}/floor.c ${BENCH}/floor.h ${BENCH}/floor_plain.c \
	${BENCH}/floor_merged.c ${BENCH}/floor_uring.c
	@echo "cc $@"
	@${CC} ${ALL_CFLAGS} -o $@ ${BENCH}/floor.c ${BENCH}/$@.c

.PHONY: all
