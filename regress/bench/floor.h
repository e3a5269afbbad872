/*
 * What the floor programs differ in: how a broadcast reaches its clients.
 */
#ifndef FLOOR_H
#define FLOOR_H

#include <stddef.h>

/* Before the first client; argv[0] names the program in errors. */
void	floor_start(void);

/* A broadcast came in: one encoded frame for each of n sockets. */
void	floor_broadcast(const int *, int, const char *, size_t);

/* All that the loop had to read in this turn has been read. */
void	floor_turn_end(const int *, int);

/* One send(2) that never blocks; what the socket doesn't take is lost. */
void	floor_send(int, const char *, size_t);

/* Frames that were lost so; told on standard error. */
void	floor_short(unsigned long);

#endif
