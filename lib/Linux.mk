# What Linux needs: libbsd for what OpenBSD's libc has, our own imsg, seccomp
# and Landlock.
PLATFORM_OBJS =	imsg.o platform_linux.o procstat_linux.o sandbox_linux.o \
		sandbox_linux_calls.o ${SANDBOX_EXTRA} control_path_linux.o \
		uring_linux.o watch_linux.o
KEY_MEMORY_OBJS = key_memory_linux.o
SANDBOX_EXTRA =	sandbox_linux_release.o

PLATFORM_CFLAGS != pkg-config --cflags libbsd-overlay libevent_core sqlite3 \
		libseccomp libcjson libmariadb libtls
PLATFORM_CFLAGS += -D_GNU_SOURCE
PLATFORM_LIBS != pkg-config --libs libbsd-overlay libbsd-ctor libevent_core
PLATFORM_LIBS +=	-lmd -lseccomp
SQLITE_LIBS =	-lsqlite3
MYSQL_LIBS =	-lmariadb
ZLIB_LIBS =	-lz
TLS_LIBS =	-ltls -lssl -lcrypto
CJSON_LIBS =	-lcjson
CMOCKA_LIBS =	-lcmocka
YACC =		byacc
HARDEN_LDFLAGS = -Wl,-z,relro,-z,now -Wl,-z,noexecstack
# One getaddrinfo(3) for all: store_mysql_resolve_static.c.
STATIC_LDFLAGS = -static-pie -Wl,--wrap=getaddrinfo
STATIC_LIBS =	-lm
