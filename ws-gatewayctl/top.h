/*
 * What happens now: figures of the daemon and of its players, and how fast they
 * change between two looks.
 */
#ifndef TOP_H
#define TOP_H

#include "parser.h"
#include "record.h"

/* Take the terminal if there is one; before the program is confined. */
void	top_open(const struct command *);

/* Whether players are shown at all: asking for them is no small thing. */
int	top_wants_players(void);

/* A record of the look in progress, and its end. */
void	top_record(const struct record *);
void	top_show(const struct command *);

/* Until the next look.  Returns -1 when the user has had enough. */
int	top_wait(const struct command *);

#endif /* TOP_H */
