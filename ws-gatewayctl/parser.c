/*
 * The tree of commands.  A node is a word, an option, a value or the end; an
 * array of nodes is what is possible at one place, and is what a usage error
 * shows.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "parser.h"
#include "values.h"

#define DRAIN_DEFAULT	30000			/* ms */
#define TOP_DEFAULT	2000			/* ms */
#define TOP_MIN		100
/* The daemon sends away who says nothing for 10 seconds. */
#define TOP_MAX		9000
#define TOKEN_DEFAULT	(30 * 86400000ULL)	/* ms */

enum node_type {
	NODE_STOP,		/* ends an array */
	NODE_END,		/* the command may end here */
	NODE_WORD,
	NODE_OPTION,
	NODE_VALUE
};

struct node {
	enum node_type		 type;
	const char		*word;	/* or the name of the value */
	const struct node	*next;	/* what may follow */
	enum action		 action;
	/*
	 * Take the argument (NULL at the end).  Returns NULL, or what is
	 * wrong with it.
	 */
	const char		*(*take)(struct command *, const char *arg,
				    const struct node *);
	uint64_t		 value;	/* for take() */
	const char		*help;
};

static const char *
take_player(struct command *cmd, const char *arg, const struct node *n)
{
	(void)n;
	return (value_id(arg, cmd->player.id, sizeof(cmd->player.id),
	    &cmd->player.len));
}

static const char *
take_conn(struct command *cmd, const char *arg, const struct node *n)
{
	(void)n;
	return (value_number(arg, &cmd->conn));
}

/* All the words that are left make one reason. */
static const char *
take_reason(struct command *cmd, const char *arg, const struct node *n)
{
	(void)n;
	if ((cmd->reason[0] != '\0' && strlcat(cmd->reason, " ",
	    sizeof(cmd->reason)) >= sizeof(cmd->reason)) ||
	    strlcat(cmd->reason, arg, sizeof(cmd->reason)) >=
	    sizeof(cmd->reason))
		return ("a reason has 123 bytes at the most");
	return (NULL);
}

static const char *
take_event(struct command *cmd, const char *arg, const struct node *n)
{
	(void)n;
	if (arg[0] == '\0')
		return ("an event has a name");
	cmd->event = arg;
	return (NULL);
}

static const char *
take_payload(struct command *cmd, const char *arg, const struct node *n)
{
	(void)n;
	if (arg[0] == '\0')
		return ("empty is no JSON; leave it out for null");
	cmd->payload = arg;
	return (NULL);
}

static const char *
take_kind(struct command *cmd, const char *arg, const struct node *n)
{
	(void)arg;
	cmd->kinds |= (uint32_t)n->value;
	return (NULL);
}

static const char *
take_number(struct command *cmd, const char *arg, const struct node *n)
{
	(void)arg;
	cmd->number = n->value;
	return (NULL);
}

static const char *
take_drain(struct command *cmd, const char *arg, const struct node *n)
{
	(void)n;
	return (value_duration(arg, CTL_MAXDRAIN, &cmd->number));
}

static const char *
take_interval(struct command *cmd, const char *arg, const struct node *n)
{
	const char	*error;

	(void)n;
	error = value_duration(arg, UINT32_MAX, &cmd->number);
	if (error == NULL && (cmd->number < TOP_MIN || cmd->number > TOP_MAX))
		error = "from 100ms to 9s";
	return (error);
}

static const char *
take_raw(struct command *cmd, const char *arg, const struct node *n)
{
	(void)arg;
	(void)n;
	cmd->raw = 1;
	return (NULL);
}

static const char *
take_json(struct command *cmd, const char *arg, const struct node *n)
{
	(void)arg;
	(void)n;
	cmd->json = 1;
	return (NULL);
}

/* An option that says whose token: once only. */
static const char *
take_whose(struct command *cmd, const char *arg, const struct node *n)
{
	(void)arg;
	(void)n;
	return (cmd->has_identity ? "one of -p, -s and TOKEN is enough" : NULL);
}

/* The value after it; node.value is enum token_by, and kind for -p and -s. */
static const char *
take_identity(struct command *cmd, const char *arg, const struct node *n)
{
	if (cmd->has_identity)
		return ("one of -p, -s and TOKEN is enough");
	cmd->has_identity = 1;
	cmd->token.by = (uint32_t)n->value;
	cmd->token.kind = n->value == CTL_BY_SERVER;
	return (value_id(arg, cmd->token.value, n->value == CTL_BY_TOKEN ?
	    CTL_MAXTOKEN : CTL_MAXSUBJECT, &cmd->token.len));
}

static const char *
take_ttl(struct command *cmd, const char *arg, const struct node *n)
{
	const char	*error;

	(void)n;
	error = value_duration(arg, INT64_MAX / 1000000, &cmd->token.ttl);
	if (error == NULL && cmd->token.ttl == 0)
		error = "a token has to live for some time";
	return (error);
}

static const char *
take_token_end(struct command *cmd, const char *arg, const struct node *n)
{
	(void)arg;
	(void)n;
	return (cmd->has_identity ? NULL : "whose?");
}

#define STOP		{ NODE_STOP, NULL, NULL, 0, NULL, 0, NULL }
#define END		{ NODE_END, NULL, NULL, 0, NULL, 0, NULL }
#define WORD(w, next, action, help)					\
	{ NODE_WORD, w, next, action, NULL, 0, help }
#define SET(w, next, take, value, help)					\
	{ NODE_WORD, w, next, 0, take, value, help }
#define OPTION(w, next, take, help)					\
	{ NODE_OPTION, w, next, 0, take, 0, help }
#define VALUE(w, next, take, value, help)				\
	{ NODE_VALUE, w, next, 0, take, value, help }

static const struct node at_end[] = { END, STOP };

static const struct node at_format[] = {
	OPTION("-j", at_format, take_json, "as JSON"),
	END, STOP
};

static const struct node at_figures[] = {
	OPTION("-n", at_figures, take_raw, "plain numbers: bytes, seconds"),
	OPTION("-j", at_figures, take_json, "as JSON"),
	END, STOP
};

static const struct node at_show_player[] = {
	VALUE("ID", at_figures, take_player, 0, "identity of the player"),
	STOP
};

static const struct node at_show[] = {
	WORD("stats", at_figures, ACTION_SHOW_STATS,
	    "totals of connections, messages, queues, processes"),
	WORD("store", at_figures, ACTION_SHOW_STORE,
	    "the token database: state, queries, errors"),
	WORD("players", at_figures, ACTION_SHOW_PLAYERS,
	    "who is connected [-n]"),
	WORD("player", at_show_player, ACTION_SHOW_PLAYER,
	    "connections and queue of one player"),
	WORD("queue", at_figures, ACTION_SHOW_QUEUE,
	    "messages that wait for players who are away"),
	WORD("config", at_format, ACTION_SHOW_CONFIG,
	    "the configuration in force"),
	STOP
};

static const struct node at_reason[] = {
	VALUE("REASON", at_reason, take_reason, 0,
	    "text for the close frame"),
	END, STOP
};

static const struct node at_kick_player[] = {
	VALUE("ID", at_reason, take_player, 0, "identity of the player"),
	STOP
};

static const struct node at_kick_conn[] = {
	VALUE("N", at_reason, take_conn, 0,
	    "number of the connection, as \"show player\" tells it"),
	STOP
};

static const struct node at_kick[] = {
	WORD("player", at_kick_player, ACTION_KICK_PLAYER,
	    "ID [REASON]: close every connection of a player"),
	WORD("connection", at_kick_conn, ACTION_KICK_CONN,
	    "N [REASON]: close one connection"),
	STOP
};

static const struct node at_payload[] = {
	VALUE("PAYLOAD", at_end, take_payload, 0,
	    "JSON, or - for standard input"),
	END, STOP
};

static const struct node at_event[] = {
	VALUE("EVENT", at_payload, take_event, 0, "name of the event"),
	STOP
};

static const struct node at_publish[] = {
	VALUE("ID", at_event, take_player, 0, "identity of the player"),
	STOP
};

static const struct node at_monitor[13];	/* it leads back to itself */

static const struct node at_monitor_player[] = {
	VALUE("ID", at_monitor, take_player, 0, "identity of the player"),
	STOP
};

static const struct node at_monitor[13] = {
	WORD("player", at_monitor_player, ACTION_NONE,
	    "ID: only what concerns this player"),
	SET("connect", at_monitor, take_kind, CTL_EV_CONNECT,
	    "a player has connected"),
	SET("disconnect", at_monitor, take_kind, CTL_EV_DISCONNECT,
	    "a connection has ended"),
	SET("publish", at_monitor, take_kind, CTL_EV_PUBLISH,
	    "a message for one player"),
	SET("broadcast", at_monitor, take_kind, CTL_EV_BROADCAST,
	    "a message for everybody"),
	SET("queue", at_monitor, take_kind, CTL_EV_QUEUE,
	    "a message was queued for a player who is away"),
	SET("flush", at_monitor, take_kind, CTL_EV_FLUSH,
	    "a queued message was given to its player"),
	SET("drop", at_monitor, take_kind, CTL_EV_DROP,
	    "a message was lost"),
	SET("kick", at_monitor, take_kind, CTL_EV_KICK,
	    "a connection was kicked"),
	SET("refuse", at_monitor, take_kind, CTL_EV_REFUSE,
	    "a connection was refused"),
	OPTION("-j", at_monitor, take_json, "one JSON object a line"),
	END, STOP
};

/* The values are those of enum log_level. */
static const struct node at_log[] = {
	SET("verbose", at_end, take_number, 1, "the same as debug"),
	SET("brief", at_end, take_number, 2, "the same as info"),
	SET("trace", at_end, take_number, 0, "everything"),
	SET("debug", at_end, take_number, 1, "each message"),
	SET("info", at_end, take_number, 2, "connects, disconnects, changes"),
	SET("warn", at_end, take_number, 3, "what should be looked at"),
	SET("error", at_end, take_number, 4, "what has failed"),
	SET("fatal", at_end, take_number, 5, "what ends the daemon"),
	STOP
};

static const struct node at_drain[] = {
	VALUE("DURATION", at_end, take_drain, 0,
	    "over which connections are closed: 30s, 5m"),
	END, STOP
};

static const struct node at_top[4];

static const struct node at_top[4] = {
	VALUE("DURATION", at_format, take_interval, 0,
	    "between two looks: 2s"),
	OPTION("-j", at_top, take_json, "one JSON object a line"),
	END, STOP
};

static const struct node at_token_add[6];

static const struct node at_token_player[] = {
	VALUE("PLAYER", at_token_add, take_identity, CTL_BY_PLAYER,
	    "identity of the player"),
	STOP
};

static const struct node at_token_server[] = {
	VALUE("SERVER", at_token_add, take_identity, CTL_BY_SERVER,
	    "name of the server"),
	STOP
};

static const struct node at_token_ttl[] = {
	VALUE("DURATION", at_token_add, take_ttl, 0,
	    "how long it is good: 30d, 2w, 12h"),
	STOP
};

static const struct node at_token_add[6] = {
	OPTION("-p", at_token_player, take_whose, "PLAYER: a player's token"),
	OPTION("-s", at_token_server, take_whose, "SERVER: a server's token"),
	OPTION("-e", at_token_ttl, NULL, "DURATION: how long, 30d if not said"),
	OPTION("-j", at_token_add, take_json, "as JSON"),
	{ NODE_END, NULL, NULL, 0, take_token_end, 0, NULL },
	STOP
};

static const struct node at_revoke_player[] = {
	VALUE("PLAYER", at_end, take_identity, CTL_BY_PLAYER,
	    "identity of the player"),
	STOP
};

static const struct node at_revoke_server[] = {
	VALUE("SERVER", at_end, take_identity, CTL_BY_SERVER,
	    "name of the server"),
	STOP
};

static const struct node at_revoke_token[] = {
	VALUE("TOKEN", at_end, take_identity, CTL_BY_TOKEN,
	    "the whole token"),
	STOP
};

static const struct node at_revoke[] = {
	OPTION("-p", at_revoke_player, NULL, "PLAYER: all of a player"),
	OPTION("-s", at_revoke_server, NULL, "SERVER: all of a server"),
	OPTION("--", at_revoke_token, NULL, "TOKEN: one that begins with -"),
	VALUE("TOKEN", at_end, take_identity, CTL_BY_TOKEN,
	    "the whole token"),
	STOP
};

static const struct node at_token[] = {
	WORD("add", at_token_add, ACTION_TOKEN_ADD,
	    "-p PLAYER | -s SERVER [-e 30d]: make one and print it"),
	WORD("list", at_format, ACTION_TOKEN_LIST,
	    "all of them, the first 4 characters of each"),
	WORD("revoke", at_revoke, ACTION_TOKEN_REVOKE,
	    "TOKEN | -p PLAYER | -s SERVER"),
	STOP
};

static const struct node at_start[] = {
	WORD("show", at_show, ACTION_NONE,
	    "stats | store | players | player ID | queue | config"),
	WORD("kick", at_kick, ACTION_NONE,
	    "player ID [REASON] | connection N [REASON]"),
	WORD("publish", at_publish, ACTION_PUBLISH,
	    "ID EVENT [PAYLOAD]: send a message to a player"),
	WORD("broadcast", at_event, ACTION_BROADCAST,
	    "EVENT [PAYLOAD]: send a message to everybody"),
	WORD("monitor", at_monitor, ACTION_MONITOR,
	    "[player ID] [KIND ...]: show what happens, as it happens"),
	WORD("reload", at_end, ACTION_RELOAD, "read the configuration again"),
	WORD("log", at_log, ACTION_LOG, "verbose | brief | LEVEL"),
	WORD("drain", at_drain, ACTION_DRAIN,
	    "[30s]: refuse new connections, close the present ones"),
	WORD("stop", at_end, ACTION_STOP, "end the daemon"),
	{ NODE_WORD, "top", at_top, ACTION_TOP, take_number, TOP_DEFAULT,
	    "[2s]: what happens, by players and rates, again and again" },
	WORD("token", at_token, ACTION_NONE,
	    "add | list | revoke: tokens in the database"),
	STOP
};

static void
show_node(const struct node *n, FILE *err)
{
	/* An end that makes a condition is none as long as that is not met. */
	if (n->type == NODE_END && n->take == NULL)
		fprintf(err, "  %-12s nothing more\n", "");
	else if (n->type != NODE_END)
		fprintf(err, "  %-12s %s\n", n->word, n->help);
}

/* PREFIX: only the words that begin so. */
static void
show_possible(const struct node *nodes, const char *prefix, FILE *err)
{
	const struct node	*n;

	fprintf(err, "possible here:\n");
	for (n = nodes; n->type != NODE_STOP; n++) {
		if (prefix == NULL || (n->type == NODE_WORD &&
		    strncmp(n->word, prefix, strlen(prefix)) == 0))
			show_node(n, err);
	}
}

/* The node that ARG fits; *AMBIGUOUS when it is a part of several words. */
static const struct node *
find_node(const struct node *nodes, const char *arg, int *ambiguous)
{
	const struct node	*n, *part = NULL, *value = NULL;
	int			 parts = 0;

	*ambiguous = 0;
	for (n = nodes; n->type != NODE_STOP; n++) {
		if (n->type == NODE_VALUE)
			value = n;
		if (n->type != NODE_WORD && n->type != NODE_OPTION)
			continue;
		if (strcmp(n->word, arg) == 0)
			return (n);
		if (n->type == NODE_WORD && arg[0] != '\0' &&
		    strncmp(n->word, arg, strlen(arg)) == 0) {
			part = n;
			parts++;
		}
	}
	*ambiguous = parts > 1;
	if (parts > 0)
		return (parts == 1 ? part : NULL);
	return (value);
}

static const struct node *
find_end(const struct node *nodes)
{
	const struct node	*n;

	for (n = nodes; n->type != NODE_STOP; n++) {
		if (n->type == NODE_END)
			return (n);
	}
	return (NULL);
}

/* "ws-gatewayctl: show player: " */
static void
show_place(int argc, char *const *argv, FILE *err)
{
	int	i;

	fprintf(err, "ws-gatewayctl: ");
	for (i = 0; i < argc; i++)
		fprintf(err, "%s%s", i > 0 ? " " : "", argv[i]);
	if (argc > 0)
		fprintf(err, ": ");
}

static int
parse_end(struct command *cmd, const struct node *nodes, int argc,
    char *const *argv, FILE *err)
{
	const struct node	*end;
	const char		*error;

	if ((end = find_end(nodes)) == NULL)
		error = argc == 0 ? "no command" : "something is missing";
	else if (end->take != NULL)
		error = end->take(cmd, NULL, end);
	else
		error = NULL;
	if (error == NULL)
		return (0);
	show_place(argc, argv, err);
	fprintf(err, "%s\n", error);
	show_possible(nodes, NULL, err);
	return (-1);
}

int
command_parse(struct command *cmd, int argc, char *const *argv, FILE *err)
{
	const struct node	*n, *nodes = at_start;
	const char		*error;
	int			 ambiguous, i;

	memset(cmd, 0, sizeof(*cmd));
	cmd->number = DRAIN_DEFAULT;
	cmd->token.ttl = TOKEN_DEFAULT;
	for (i = 0; i < argc; i++) {
		n = find_node(nodes, argv[i], &ambiguous);
		error = n == NULL ? ambiguous ? "ambiguous" :
		    "not understood" : NULL;
		if (n != NULL && n->take != NULL)
			error = n->take(cmd, argv[i], n);
		if (error != NULL) {
			show_place(i, argv, err);
			fprintf(err, "\"%s\": %s\n", argv[i], error);
			show_possible(nodes, ambiguous ? argv[i] : NULL, err);
			return (-1);
		}
		if (n->action != ACTION_NONE)
			cmd->action = n->action;
		nodes = n->next;
	}
	return (parse_end(cmd, nodes, argc, argv, err));
}

/*
 * By what the words are and not by what they say: a value may be one that the
 * shell has not finished yet.  A value comes in brackets, which no word has.
 */
int
command_complete(int argc, char *const *argv, FILE *out)
{
	const struct node	*n, *nodes = at_start;
	int			 ambiguous, i;

	for (i = 0; i < argc; i++) {
		if ((n = find_node(nodes, argv[i], &ambiguous)) == NULL)
			return (-1);
		nodes = n->next;
	}
	for (n = nodes; n->type != NODE_STOP; n++) {
		if (n->type == NODE_VALUE)
			fprintf(out, "<%s>\t%s\n", n->word, n->help);
		else if (n->type != NODE_END)
			fprintf(out, "%s\t%s\n", n->word, n->help);
	}
	return (0);
}

void
command_usage(FILE *out)
{
	const struct node	*n;

	fprintf(out, "usage: ws-gatewayctl [-jhV] [-s socket] command "
	    "[argument ...]\n");
	for (n = at_start; n->type != NODE_STOP; n++)
		show_node(n, out);
}

const char *
command_kind_name(uint32_t kind)
{
	const struct node	*n;

	for (n = at_monitor; n->type != NODE_STOP; n++) {
		if (n->take == take_kind && n->value == kind)
			return (n->word);
	}
	return ("?");
}

const char *
command_level_name(uint64_t level)
{
	const struct node	*n;

	/* The last one that fits: the first two are other words for it. */
	for (n = at_log + 2; n->type != NODE_STOP; n++) {
		if (n->value == level)
			return (n->word);
	}
	return ("?");
}
