/*
 * The command line after the options: words in a tree, each of which may be
 * cut as long as it stays the only one.  No I/O but the usage text.
 */
#ifndef PARSER_H
#define PARSER_H

#include <stdint.h>
#include <stdio.h>

#include "control.h"

enum action {
	ACTION_NONE,
	ACTION_SHOW_STATS,
	ACTION_SHOW_STORE,
	ACTION_SHOW_PLAYERS,
	ACTION_SHOW_PLAYER,
	ACTION_SHOW_QUEUE,
	ACTION_SHOW_CONFIG,
	ACTION_KICK_PLAYER,
	ACTION_KICK_CONN,
	ACTION_PUBLISH,
	ACTION_BROADCAST,
	ACTION_MONITOR,
	ACTION_RELOAD,
	ACTION_LOG,
	ACTION_DRAIN,
	ACTION_STOP,
	ACTION_TOP,
	ACTION_TOKEN_ADD,
	ACTION_TOKEN_LIST,
	ACTION_TOKEN_REVOKE
};

struct command {
	enum action	 action;
	int		 json;		/* -j */
	int		 raw;		/* -n: figures as they are */
	struct ctl_id	 player;
	uint64_t	 conn;
	char		 reason[CTL_MAXREASON];
	const char	*event;
	const char	*payload;	/* NULL or "-": standard input */
	uint32_t	 kinds;		/* of the monitor */
	uint64_t	 number;	/* log level; drain, top: ms */
	struct ctl_token token;
	int		 has_identity;	/* token: one of -p, -s, TOKEN */
};

/*
 * Returns 0, or -1 after having written to ERR what is wrong and what was
 * possible at that place.
 */
int	 command_parse(struct command *, int argc, char *const *argv,
	    FILE *err);

/* Every command, a line each. */
void	 command_usage(FILE *);

/*
 * For a shell that completes: what may follow these words, a line each with a
 * tab and its explanation.  Returns 0, or -1 when the words make no sense.
 */
int	 command_complete(int argc, char *const *argv, FILE *);

/* The word for a kind of event: "connect"; "?" when there is none. */
const char *command_kind_name(uint32_t kind);
const char *command_level_name(uint64_t level);

#endif /* PARSER_H */
