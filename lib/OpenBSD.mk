# What OpenBSD has in its base (imsg in libutil, SHA-1, sys/queue.h, zlib) and in
# packages below /usr/local (libevent2, sqlite3, mariadb-client, cJSON, cmocka).
PLATFORM_OBJS =	platform_openbsd.o procstat_openbsd.o sandbox_openbsd.o \
		control_path_openbsd.o uring_openbsd.o watch_openbsd.o
SANDBOX_EXTRA =

KEY_MEMORY_OBJS = key_memory_openbsd.o
PLATFORM_CFLAGS = -I/usr/local/include -I/usr/local/include/cjson \
		-I/usr/local/include/mysql
PLATFORM_LIBS =	-L/usr/local/lib -levent_core -lutil
SQLITE_LIBS =	-lsqlite3
MYSQL_LIBS =	-lmariadb
ZLIB_LIBS =	-lz
TLS_LIBS =	-ltls -lssl -lcrypto
CJSON_LIBS =	-lcjson
CMOCKA_LIBS =	-lcmocka
YACC =		yacc
HARDEN_LDFLAGS = -Wl,-z,relro,-z,now
