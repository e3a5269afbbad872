/*
 * What the service manager that started us is told, after sd_notify(3).  All
 * of it does nothing where none has asked.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdint.h>

/* Connect to it; before confinement.  What it set in the environment goes. */
void	notify_open(void);
int	notify_wanted(void);
/* Milliseconds in which it wants to hear of us; 0: it doesn't. */
uint64_t notify_watchdog(void);

void	notify_ready(void);		/* the start, or a reload, is over */
void	notify_reloading(void);
void	notify_stopping(void);
/* The last of these again, should it not have been taken. */
void	notify_again(void);

void	notify_alive(void);
/* A line for its user's eyes. */
void	notify_status(const char *, ...)
	    __attribute__((__format__(printf, 1, 2)));

#endif /* NOTIFY_H */
