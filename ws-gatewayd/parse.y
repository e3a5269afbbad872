/*
 * The configuration file.  The lexer knows words, quoted strings, macros and
 * included files; the grammar is small, since what a setting may hold is the
 * business of settings.c and conf_set.c.
 */
%{
#include <sys/queue.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "conf_set.h"
#include "log.h"

#define MAXERRORS	20		/* then we give up */
#define MAXDEPTH	16		/* of files that include files */
#define MAXINCLUDES	256		/* in all */
#define MAXWORD		4096
#define MAXBYTES	(1024 * 1024)	/* of all words */

/*
 * A token with its place.  All of them are freed at the end at once: error
 * recovery throws tokens away without telling.
 */
struct word {
	SLIST_ENTRY(word)	 entry;
	const char		*file;
	size_t			 size;
	int			 line;
	int			 quoted;	/* or a macro's value */
	char			 s[];
};
SLIST_HEAD(words, word);

struct macro {
	SLIST_ENTRY(macro)	 entry;
	const struct word	*name;
	const struct word	*value;
};
SLIST_HEAD(macros, macro);

/* Where a setting that may be given once was given. */
struct seen {
	SLIST_ENTRY(seen)	 entry;
	const struct word	*where;
	char			 key[CONF_MAXKEY];
};
SLIST_HEAD(seens, seen);

/* A file being read, on top of those that include it. */
struct source {
	SLIST_ENTRY(source)	 entry;
	FILE			*fp;
	const char		*name;
	dev_t			 dev;
	ino_t			 ino;
	int			 included;
	int			 line;
	int			 ended;		/* its last newline is given */
};
SLIST_HEAD(sources, source);

/* What may stand behind a unix socket's path. */
struct sockopts {
	const struct word	*mode_word;
	const struct word	*group;
	mode_t			 mode;
};

static struct parser {
	struct conf		*conf;
	void			(*report)(const char *);
	struct sources		 sources;
	struct words		 words;
	struct macros		 macros;
	struct seens		 seens;
	struct sockopts		 sockopts;
	size_t			 bytes;
	int			 depth;
	int			 includes;
	int			 errors;
	int			 gave_up;
	const struct word	*dbopts[DBOPTS];
	struct conf_listen	*listen;	/* whose block is read, or NULL */
	const char		*args[CONF_MAXWORDS];	/* of a setting */
	size_t			 nargs;
	int			 listens;
	const char		*block;		/* whose settings are read */
	int			 brace;		/* line of a "{" that is open */
	int			 braces;	/* how many are */
	int			 nests;		/* a block that has blocks */
	/* For the words of a syntax error. */
	int			 token;		/* the last one */
	int			 line;
	int			 nth;		/* its number in the line */
	int			 lex_error;	/* already said */
	const struct word	*first;		/* of a line outside a block */
	const struct word	*word;
} p;

int		 yyparse(void);
static int	 yylex(void);
static void	 yyerror(const char *);

static void	 wrong(const struct word *, const char *, ...)
		    __attribute__((__format__(printf, 2, 3)));
static void	 set_macro(const struct word *, const struct word *);
static void	 include(const struct word *);
static void	 set_listen(const struct word *);
static void	 add_word(const struct word *);
static void	 set_listenopt(const struct word *);
static void	 set_tlsopt(const struct word *);
static void	 end_tls(const struct word *);
static void	 set_database(const struct word *, const struct word *,
		    const struct word *, const struct word *);
static void	 set_dbopt(const char *, const struct word *,
		    const struct word *);
static void	 set_dbfile(const struct word *, const struct word *);
static void	 end_dbtls(const struct word *);
static void	 end_database(const struct word *, const struct word *);
static void	 set_control(const struct word *, const struct word *);
static void	 set_no_control(const struct word *);
static void	 set_once(const struct word *, const char *,
		    const struct word *, int (*)(struct conf *, const char *,
		    struct why *));
static void	 set_daemonize(const struct word *, const struct word *);
static void	 set_scalar(const char *, const struct word *,
		    const struct word *);
static void	 set_mode(const struct word *, const struct word *);
static void	 set_group(const struct word *, const struct word *);
static void	 add_origin(const struct word *);
static void	 end_origins(const struct word *);
static void	 add_proxy(const struct word *);
static void	 end_proxies(const struct word *);
static void	 begin_block(const struct word *);
static void	 set_in_block(const struct word *, const struct word *);
%}

%union {
	const struct word	*word;
}

%token <word>	STRING
%token <word>	CHROOT CONTROL CREATE DAEMONIZE DATABASE FILE_ GROUP INCLUDE
%token <word>	LEVEL LISTEN LOG MODE NO ON ORIGINS PID PROXIES SANDBOX USER
%token		LEXERROR
%type <word>	create value block

%%

grammar		: /* empty */
		| grammar '\n'
		| grammar INCLUDE STRING '\n'	{ include($3); }
		| grammar macro '\n'
		| grammar statement '\n'
		| grammar error '\n'		{ yyerrok; }
		;

macro		: STRING '=' value		{ set_macro($1, $3); }
		;

statement	: LISTEN ON STRING sockopts	{ set_listen($3); } listenblock
		| DATABASE STRING STRING create	{
			set_database($1, $2, $3, $4);
		}
		| DATABASE STRING '{' dbopts last_dbopt '}'	{
			end_database($1, $2);
		}
		| USER STRING			{
			set_once($1, "user", $2, conf_set_user);
		}
		| CHROOT STRING			{
			set_once($1, "chroot", $2, conf_set_chroot);
		}
		| CONTROL STRING sockopts	{ set_control($1, $2); }
		| NO CONTROL			{ set_no_control($1); }
		| PID FILE_ STRING		{
			set_once($1, "pid file", $3, conf_set_pid_file);
		}
		| LOG FILE_ STRING		{
			set_once($1, "log file", $3, conf_set_log_file);
		}
		| LOG LEVEL STRING		{ set_scalar("log", $2, $3); }
		| SANDBOX value			{ set_scalar("", $1, $2); }
		| DAEMONIZE value		{ set_daemonize($1, $2); }
		| ORIGINS '{' origins last_origin '}'	{ end_origins($1); }
		| PROXIES '{' proxies last_proxy '}'	{ end_proxies($1); }
		| block '{' settings last_setting '}'
		;

create		: /* empty */			{ $$ = NULL; }
		| CREATE
		;

value		: STRING
		| NO
		| ON
		;

sockopts	: /* empty */			{
			memset(&p.sockopts, 0, sizeof(p.sockopts));
			p.sockopts.mode = CONF_MODE;
		}
		| sockopts MODE STRING		{ set_mode($2, $3); }
		| sockopts GROUP STRING		{ set_group($2, $3); }
		;

listenblock	: /* empty */
		| '{' listenopts last_listenopt '}'
		;

listenopts	: /* empty */
		| listenopts separator
		| listenopts listenopt separator
		| listenopts error separator	{ yyerrok; }
		;

last_listenopt	: /* empty */
		| listenopt
		| error				{ yyerrok; }
		;

listenopt	: STRING words			{ set_listenopt($1); }
		| STRING '{' tlsopts last_tlsopt '}'	{ end_tls($1); }
		;

tlsopts		: /* empty */
		| tlsopts separator
		| tlsopts tlsopt separator
		| tlsopts error separator	{ yyerrok; }
		;

last_tlsopt	: /* empty */
		| tlsopt
		| error				{ yyerrok; }
		;

tlsopt		: STRING words			{ set_tlsopt($1); }
		;

words		: value				{
			p.nargs = 0;
			add_word($1);
		}
		| words value			{ add_word($2); }
		;

dbopts		: /* empty */
		| dbopts separator
		| dbopts dbopt separator
		| dbopts error separator	{ yyerrok; }
		;

last_dbopt	: /* empty */
		| dbopt
		| error				{ yyerrok; }
		;

dbopt		: STRING STRING			{ set_dbopt("", $1, $2); }
		| DATABASE STRING		{ set_dbopt("", $1, $2); }
		| USER STRING			{ set_dbopt("", $1, $2); }
		| STRING FILE_ STRING		{ set_dbfile($1, $3); }
		| STRING '{' dbtls last_dbtls '}'	{ end_dbtls($1); }
		;

dbtls		: /* empty */
		| dbtls separator
		| dbtls dbtlsopt separator
		| dbtls error separator		{ yyerrok; }
		;

last_dbtls	: /* empty */
		| dbtlsopt
		| error				{ yyerrok; }
		;

dbtlsopt	: STRING STRING			{ set_dbopt("tls ", $1, $2); }
		;

separator	: '\n'
		| ','
		| ';'
		;

origins		: /* empty */
		| origins separator
		| origins origin separator
		| origins error separator	{ yyerrok; }
		;

last_origin	: /* empty */
		| origin
		| error				{ yyerrok; }
		;

origin		: STRING			{ add_origin($1); }
		;

proxies		: /* empty */
		| proxies separator
		| proxies proxy separator
		| proxies error separator	{ yyerrok; }
		;

last_proxy	: /* empty */
		| proxy
		| error				{ yyerrok; }
		;

proxy		: STRING			{ add_proxy($1); }
		;

block		: STRING			{ begin_block($1); }
		| CONTROL			{ begin_block($1); }
		;

settings	: /* empty */
		| settings separator
		| settings setting separator
		| settings error separator	{ yyerrok; }
		;

last_setting	: /* empty */
		| setting
		| error				{ yyerrok; }
		;

setting		: STRING value			{ set_in_block($1, $2); }
		;

%%

static const struct keyword {
	const char	*name;
	int		 token;
} keywords[] = {
	{ "chroot",	CHROOT },
	{ "control",	CONTROL },
	{ "create",	CREATE },
	{ "daemonize",	DAEMONIZE },
	{ "database",	DATABASE },
	{ "file",	FILE_ },
	{ "group",	GROUP },
	{ "include",	INCLUDE },
	{ "level",	LEVEL },
	{ "listen",	LISTEN },
	{ "log",	LOG },
	{ "mode",	MODE },
	{ "no",		NO },
	{ "on",		ON },
	{ "origins",	ORIGINS },
	{ "pid",	PID },
	{ "proxies",	PROXIES },
	{ "sandbox",	SANDBOX },
	{ "user",	USER }
};

/* Every error goes through here, so that there is an end to them. */
static void
complain(const char *file, int line, const char *text)
{
	if (p.gave_up)
		return;
	conf_report(p.report, "%s:%d: %s", file, line, text);
	if (++p.errors >= MAXERRORS) {
		conf_report(p.report, "%s:%d: too many errors, giving up",
		    file, line);
		p.gave_up = 1;
	}
}

static void
wrong(const struct word *where, const char *fmt, ...)
{
	struct why	why;
	va_list		ap;

	va_start(ap, fmt);
	vsnprintf(why.text, sizeof(why.text), fmt, ap);
	va_end(ap);
	complain(where->file, where->line, why.text);
}

/* Fault of the lexer: the token that it returns must not be blamed again. */
static void
lex_wrong(const char *text)
{
	complain(SLIST_FIRST(&p.sources)->name, p.line, text);
	p.lex_error = 1;
}

/* Words in quotes are not shown: one of them is a DSN. */
static const char *
describe_token(char *buf, size_t size)
{
	char	show[CONF_MAXSHOW];

	if (p.token == 0)
		return ("the end of the file");
	if (p.token == '\n')
		return ("the end of the line");
	if (p.word == NULL)
		snprintf(buf, size, "\"%c\"", p.token);
	else if (p.word->quoted)
		return ("a string");
	else
		snprintf(buf, size, "\"%s\"", conf_show(p.word->s, show));
	return (buf);
}

static int
is_block(const char *name)
{
	size_t	i;

	for (i = 0; i < settings_count; i++)
		if (strcmp(settings_table[i].block, name) == 0 &&
		    settings_table[i].kind != SETTING_LEVEL)
			return (1);
	return (0);
}

static void
yyerror(const char *msg)
{
	struct why	why;
	const char	*file, *token;
	char		 buf[CONF_MAXSHOW + 2], show[CONF_MAXSHOW];

	if (p.lex_error || SLIST_EMPTY(&p.sources)) {
		p.lex_error = 0;
		return;
	}
	file = SLIST_FIRST(&p.sources)->name;
	token = describe_token(buf, sizeof(buf));
	if (p.brace != 0 && p.brace != p.line)
		why_set(&why, "%s at %s, in the block of line %d", msg, token,
		    p.brace);
	else if (p.first != NULL && p.nth == 2 && !is_block(p.first->s))
		why_set(&why, "unknown setting \"%s\"",
		    conf_show(p.first->s, show));
	else
		why_set(&why, "%s at %s", msg, token);
	complain(file, p.line, why.text);
}

static struct word *
new_word(const char *s, size_t len, int quoted)
{
	struct word	*w;
	struct source	*source;

	if ((w = calloc(1, sizeof(*w) + len + 1)) == NULL)
		fatal("configuration");
	w->size = sizeof(*w) + len + 1;
	memcpy(w->s, s, len);
	w->quoted = quoted;
	w->line = p.line;
	if ((source = SLIST_FIRST(&p.sources)) != NULL)
		w->file = source->name;
	p.bytes += w->size;
	SLIST_INSERT_HEAD(&p.words, w, entry);
	return (w);
}

/* A byte of the file, or EOF; what can't be text ends the whole of it. */
static int
next_byte(void)
{
	struct source	*source;
	int		 c, next;

	source = SLIST_FIRST(&p.sources);
	if (p.gave_up)
		return (EOF);
	c = getc(source->fp);
	if (c == '\r') {
		if ((next = getc(source->fp)) == '\n')
			return (next);
		ungetc(next, source->fp);
	}
	if (c == EOF && ferror(source->fp)) {
		p.line = source->line;
		lex_wrong(strerror(errno));
		p.gave_up = 1;
	}
	if (c == '\0') {
		p.line = source->line;
		lex_wrong("a NUL byte: this is no text file");
		p.gave_up = 1;
		return (EOF);
	}
	return (c);
}

static void
put_back(int c)
{
	if (c != EOF)
		ungetc(c, SLIST_FIRST(&p.sources)->fp);
}

/* As next_byte(), with lines that "\" continues made one. */
static int
next_char(void)
{
	int	c, next;

	while ((c = next_byte()) == '\\') {
		if ((next = next_byte()) != '\n') {
			put_back(next);
			return (c);
		}
		SLIST_FIRST(&p.sources)->line++;
	}
	return (c);
}

static void
skip_line(void)
{
	int	c;

	while ((c = next_char()) != '\n' && c != EOF)
		continue;
	put_back(c);
}

static int
lex_failed(const char *text)
{
	lex_wrong(text);
	skip_line();
	return (LEXERROR);
}

static int
is_word_char(int c)
{
	return (c > ' ' && c != 0x7f && strchr("{},;\"'#=$\\", c) == NULL);
}

static int
lex_quoted(int quote)
{
	char	buf[MAXWORD];
	size_t	n;
	int	c, next;

	for (n = 0; (c = next_char()) != quote; buf[n++] = (char)c) {
		if (c == '\n' || c == EOF) {
			put_back(c);
			return (lex_failed("the string is not closed"));
		}
		if (c < ' ' && c != '\t')
			return (lex_failed("a control character in a string"));
		if (n >= sizeof(buf))
			return (lex_failed("the string is too long"));
		if (c != '\\')
			continue;
		if ((next = next_byte()) == quote || next == '\\')
			c = next;
		else
			put_back(next);
	}
	p.word = new_word(buf, n, 1);
	explicit_bzero(buf, n);
	return (STRING);
}

static size_t
lex_name(char *buf, size_t size)
{
	size_t	n;
	int	c;

	for (n = 0; is_word_char(c = next_char()) && n < size; n++)
		buf[n] = (char)c;
	put_back(c);
	return (n);
}

static const struct macro *
find_macro(const char *name)
{
	const struct macro	*m;

	SLIST_FOREACH(m, &p.macros, entry)
		if (strcmp(m->name->s, name) == 0)
			return (m);
	return (NULL);
}

/* One string, whatever it holds: it is not taken apart again. */
static int
lex_macro(void)
{
	const struct macro	*m;
	struct why		 why;
	char			 name[MAXWORD], show[CONF_MAXSHOW];

	name[lex_name(name, sizeof(name) - 1)] = '\0';
	if ((m = find_macro(name)) == NULL) {
		why_set(&why, "the macro \"%s\" is not defined",
		    conf_show(name, show));
		return (lex_failed(why.text));
	}
	p.word = new_word(m->value->s, strlen(m->value->s), 1);
	return (STRING);
}

static int
lex_word(int c)
{
	char	buf[MAXWORD];
	size_t	i, n;

	put_back(c);
	if ((n = lex_name(buf, sizeof(buf))) == sizeof(buf))
		return (lex_failed("the word is too long"));
	p.word = new_word(buf, n, 0);
	for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (strcmp(p.word->s, keywords[i].name) == 0)
			return (keywords[i].token);
	return (STRING);
}

/*
 * The end of a file ends its last line, and a block that was left open, so
 * that the including file is read from a clean state.  0 after the last file.
 */
static int
lex_eof(void)
{
	struct source	*source;
	struct why	 why;

	source = SLIST_FIRST(&p.sources);
	if (p.gave_up)
		return (0);
	if (p.braces > 0) {
		if (p.brace != 0) {
			why_set(&why, "the \"{\" of line %d is not closed",
			    p.brace);
			lex_wrong(why.text);
		}
		p.brace = 0;
		p.braces--;
		return ('}');
	}
	if (!source->ended) {
		source->ended = 1;
		return ('\n');
	}
	if (!source->included)
		return (0);
	SLIST_REMOVE_HEAD(&p.sources, entry);
	fclose(source->fp);
	free(source);
	p.depth--;
	return (EOF);
}

static int
lex_token(void)
{
	struct source	*source;
	int		 c;

	source = SLIST_FIRST(&p.sources);
	while ((c = next_char()) == ' ' || c == '\t' || c == '\r')
		continue;
	p.line = source->line;
	if (c == '#') {
		while (c != '\n' && c != EOF)
			c = next_char();
		p.line = source->line;
	}
	switch (c) {
	case EOF:
		return (lex_eof());
	case '\n':
		source->line++;
		return (c);
	case '{':
		if (p.braces == 0)
			p.brace = p.line;
		p.braces = p.nests ? p.braces + 1 : 1;
		return (c);
	case '}':
		if (p.braces > 0 && --p.braces == 0)
			p.brace = 0;
		return (c);
	case ',':
	case ';':
	case '=':
		return (c);
	case '"':
	case '\'':
		return (lex_quoted(c));
	case '$':
		return (lex_macro());
	case '\\':
		return (lex_failed("a \"\\\" outside of a string must be the "
		    "last of its line"));
	}
	if (!is_word_char(c))
		return (lex_failed("a control character"));
	return (lex_word(c));
}

static int
yylex(void)
{
	int	start;

	start = p.token == '\n';
	do {
		p.word = NULL;
		p.token = lex_token();
	} while (p.token == EOF);
	if (p.bytes > MAXBYTES && !p.gave_up) {
		lex_wrong("the configuration is too large");
		p.gave_up = 1;
	}
	if (p.gave_up)
		p.token = 0;
	if (start) {
		p.nth = 0;
		if (p.brace == 0)
			p.nests = p.token == DATABASE ||
			    p.token == LISTEN;
		p.first = p.token == STRING && p.brace == 0 &&
		    !p.word->quoted ? p.word : NULL;
	}
	p.nth++;
	/* What follows an error that was skipped over is a new matter. */
	if (start && p.token != LEXERROR)
		p.lex_error = 0;
	yylval.word = p.word;
	return (p.token);
}

/* 0 the first time; else an error that names the first. */
static int
once(const struct word *where, const char *key)
{
	struct seen	*seen;

	SLIST_FOREACH(seen, &p.seens, entry)
		if (strcmp(seen->key, key) == 0)
			break;
	if (seen == NULL) {
		if ((seen = calloc(1, sizeof(*seen))) == NULL)
			fatal("configuration");
		strlcpy(seen->key, key, sizeof(seen->key));
		seen->where = where;
		SLIST_INSERT_HEAD(&p.seens, seen, entry);
		conf_note_place(p.conf, key, where->file, where->line);
		return (0);
	}
	if (strcmp(seen->where->file, where->file) == 0)
		wrong(where, "%s was given already, in line %d", key,
		    seen->where->line);
	else
		wrong(where, "%s was given already, in %s:%d", key,
		    seen->where->file, seen->where->line);
	return (-1);
}

static void
set_macro(const struct word *name, const struct word *value)
{
	struct macro	*m;
	char		 show[CONF_MAXSHOW];

	if (name->quoted) {
		wrong(name, "the name of a macro stands without quotes");
		return;
	}
	if (name->s[strspn(name->s, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] != '\0') {
		wrong(name, "\"%s\" is no name for a macro",
		    conf_show(name->s, show));
		return;
	}
	if ((m = calloc(1, sizeof(*m))) == NULL)
		fatal("configuration");
	m->name = name;
	m->value = value;
	SLIST_INSERT_HEAD(&p.macros, m, entry);
}

/* Relative to the folder of the file that includes it. */
static int
include_path(const char *from, const char *file, char *path, size_t size)
{
	const char	*slash;
	int		 n;

	slash = strrchr(from, '/');
	if (*file == '/' || slash == NULL)
		n = snprintf(path, size, "%s", file);
	else
		n = snprintf(path, size, "%.*s%s", (int)(slash + 1 - from),
		    from, file);
	return (n < 0 || (size_t)n >= size ? -1 : 0);
}

/* Only regular files: opening another kind could wait for ever. */
static FILE *
include_open(const char *path, struct stat *st)
{
	FILE	*fp;
	int	 fd, saved;

	if ((fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) == -1)
		return (NULL);
	fp = NULL;
	if (fstat(fd, st) == 0) {
		if (S_ISREG(st->st_mode))
			fp = fdopen(fd, "r");
		else
			errno = S_ISDIR(st->st_mode) ? EISDIR : EINVAL;
	}
	if (fp == NULL) {
		saved = errno;
		close(fd);
		errno = saved;
	}
	return (fp);
}

static struct source *
push_source(FILE *fp, const char *name, const struct stat *st, int included)
{
	struct source	*source;

	if ((source = calloc(1, sizeof(*source))) == NULL)
		fatal("configuration");
	source->fp = fp;
	source->name = new_word(name, strlen(name), 0)->s;
	source->dev = st->st_dev;
	source->ino = st->st_ino;
	source->included = included;
	source->line = 1;
	SLIST_INSERT_HEAD(&p.sources, source, entry);
	conf_note_file(p.conf, name);
	return (source);
}

static void
include(const struct word *file)
{
	const struct source	*source;
	struct stat		 st;
	FILE			*fp;
	char			 path[PATH_MAX], show[CONF_MAXSHOW];

	if (include_path(file->file, file->s, path, sizeof(path)) == -1) {
		wrong(file, "the path of the included file is too long");
		return;
	}
	if (p.depth >= MAXDEPTH) {
		wrong(file, "include: files include each other too deeply "
		    "(at most %d)", MAXDEPTH);
		return;
	}
	if (p.includes >= MAXINCLUDES) {
		wrong(file, "include: too many files (at most %d)",
		    MAXINCLUDES);
		return;
	}
	if ((fp = include_open(path, &st)) == NULL) {
		wrong(file, "include \"%s\": %s", conf_show(path, show),
		    errno == EINVAL ? "not a regular file" :
		    conf_file_error(errno));
		return;
	}
	SLIST_FOREACH(source, &p.sources, entry)
		if (source->dev == st.st_dev && source->ino == st.st_ino) {
			wrong(file, "include: the file includes itself");
			fclose(fp);
			return;
		}
	push_source(fp, path, &st, 1);
	p.depth++;
	p.includes++;
}

static void
set_mode(const struct word *keyword, const struct word *mode)
{
	struct why	why;

	if (p.sockopts.mode_word != NULL)
		wrong(keyword, "mode is given twice");
	else if (conf_parse_mode(mode->s, &p.sockopts.mode, &why) == -1)
		wrong(mode, "mode: %s", why.text);
	p.sockopts.mode_word = keyword;
}

static void
set_group(const struct word *keyword, const struct word *group)
{
	if (p.sockopts.group != NULL)
		wrong(keyword, "group is given twice");
	p.sockopts.group = group;
}

static void
set_listen(const struct word *address)
{
	struct why	why;

	p.listen = NULL;
	if (p.listens++ == 0)
		conf_clear_listens(p.conf);
	if (strncmp(address->s, "unix:", strlen("unix:")) != 0 &&
	    (p.sockopts.mode_word != NULL || p.sockopts.group != NULL)) {
		wrong(address, "listen on: mode and group are for unix "
		    "sockets (\"unix:/path\")");
		return;
	}
	if (conf_add_listen(p.conf, address->s, p.sockopts.mode,
	    p.sockopts.group != NULL ? p.sockopts.group->s : NULL,
	    &why) == -1)
		wrong(address, "listen on: %s", why.text);
	else
		p.listen = TAILQ_LAST(&p.conf->listens, conf_listens);
}

static void
add_word(const struct word *w)
{
	if (p.nargs == CONF_MAXWORDS)
		wrong(w, "too many words (at most %d)", CONF_MAXWORDS);
	else
		p.args[p.nargs++] = w->s;
}

static void
set_listenopt(const struct word *name)
{
	struct why	why;
	char		show[CONF_MAXSHOW];

	if (p.listen != NULL && conf_listen_set(p.listen, name->s, p.args,
	    p.nargs, &why) == -1)
		wrong(name, "listen on: %s: %s", conf_show(name->s, show),
		    why.text);
	else if (strcmp(name->s, "proxy-protocol") == 0)
		conf_note_place(p.conf, name->s, name->file, name->line);
}

static void
set_tlsopt(const struct word *name)
{
	struct why	why;
	char		show[CONF_MAXSHOW];

	if (p.listen != NULL && conf_tls_set(p.listen, name->s, p.args,
	    p.nargs, &why) == -1)
		wrong(name, "listen on: tls: %s: %s", conf_show(name->s, show),
		    why.text);
}

static void
end_tls(const struct word *name)
{
	struct why	why;
	char		show[CONF_MAXSHOW];

	if (strcmp(name->s, "tls") != 0)
		wrong(name, "listen on: unknown block \"%s\" (tls)",
		    conf_show(name->s, show));
	else if (p.listen != NULL && p.errors == 0 &&
	    conf_tls_end(p.listen, &why) == -1)
		wrong(name, "listen on: tls: %s", why.text);
}

static void
set_database(const struct word *where, const struct word *kind,
    const struct word *dsn, const struct word *create)
{
	struct why	why;

	if (once(where, "database") == -1)
		return;
	if (conf_set_db(p.conf, kind->s, &why) == -1 ||
	    conf_set_dsn(p.conf, dsn->s, &why) == -1)
		wrong(where, "database: %s", why.text);
	p.conf->db_create = create != NULL;
}

/* PREFIX tells what stands in an inner block. */
static void
set_dbopt(const char *prefix, const struct word *name,
    const struct word *value)
{
	char	full[64], show[CONF_MAXSHOW];
	int	opt;

	snprintf(full, sizeof(full), "%s%s", prefix, name->s);
	opt = conf_dbopt(full);
	if (opt == -1 || opt == DBOPT_TLS || opt == DBOPT_PASSWORD_FILE)
		wrong(name, "database: unknown setting \"%s%s\"", prefix,
		    conf_show(name->s, show));
	else if (p.dbopts[opt] != NULL)
		wrong(name, "database: %s was given already, in line %d",
		    full, p.dbopts[opt]->line);
	else if (value->s[0] == '\0')
		wrong(value, "database: %s: the string is empty", full);
	else
		p.dbopts[opt] = value;
}

static void
set_dbfile(const struct word *name, const struct word *path)
{
	char	show[CONF_MAXSHOW];

	if (strcmp(name->s, "password") != 0)
		wrong(name, "database: unknown setting \"%s file\"",
		    conf_show(name->s, show));
	else if (p.dbopts[DBOPT_PASSWORD_FILE] != NULL)
		wrong(name, "database: password file was given already, in "
		    "line %d", p.dbopts[DBOPT_PASSWORD_FILE]->line);
	else
		p.dbopts[DBOPT_PASSWORD_FILE] = path;
}

static void
end_dbtls(const struct word *name)
{
	char	show[CONF_MAXSHOW];

	if (strcmp(name->s, "tls") != 0)
		wrong(name, "database: unknown block \"%s\" (tls)",
		    conf_show(name->s, show));
	p.dbopts[DBOPT_TLS] = name;
}

static void
end_database(const struct word *where, const struct word *kind)
{
	const char	*o[DBOPTS];
	struct why	 why;
	int		 i;

	for (i = 0; i < DBOPTS; i++)
		o[i] = p.dbopts[i] != NULL ? p.dbopts[i]->s : NULL;
	memset(p.dbopts, 0, sizeof(p.dbopts));
	if (once(where, "database") == -1)
		return;
	if (conf_set_db(p.conf, kind->s, &why) == -1 ||
	    (p.errors == 0 && conf_set_database(p.conf, o, &why) == -1))
		wrong(where, "database: %s", why.text);
	p.conf->db_create = 0;
}

static void
set_control(const struct word *where, const struct word *path)
{
	struct why	why;

	if (once(where, "control") == 0 &&
	    conf_set_control(p.conf, path->s, p.sockopts.mode,
	    p.sockopts.group != NULL ? p.sockopts.group->s : NULL,
	    &why) == -1)
		wrong(where, "control: %s", why.text);
}

static void
set_no_control(const struct word *where)
{
	if (once(where, "control") == 0)
		p.conf->control[0] = '\0';
}

/* To the setters nothing is no file; who writes one down means one. */
static void
set_once(const struct word *where, const char *name,
    const struct word *value, int (*set)(struct conf *, const char *,
    struct why *))
{
	struct why	why;

	if (once(where, name) == -1)
		return;
	if (value->s[0] == '\0')
		wrong(value, "%s: the string is empty", name);
	else if (set(p.conf, value->s, &why) == -1)
		wrong(value, "%s: %s", name, why.text);
}

static void
set_daemonize(const struct word *where, const struct word *value)
{
	char	show[CONF_MAXSHOW];

	if (once(where, "daemonize") == -1)
		return;
	if (strcmp(value->s, "yes") == 0)
		p.conf->daemonize = 1;
	else if (strcmp(value->s, "no") == 0)
		p.conf->daemonize = 0;
	else
		wrong(value, "daemonize: \"%s\" is neither yes nor no",
		    conf_show(value->s, show));
}

static void
set_scalar(const char *block, const struct word *name,
    const struct word *value)
{
	const struct setting	*row;
	struct why		 why;
	char			 key[CONF_MAXKEY];

	row = setting_by_name(block, name->s);
	if (once(name, setting_key(row, key, sizeof(key))) == 0 && setting_set(&p.conf->s, row, value->s,
	    why.text, sizeof(why.text)) == -1)
		wrong(value, "%s", why.text);
}

static void
add_origin(const struct word *origin)
{
	struct why	why;

	if (conf_add_origin(p.conf, origin->s, &why) == -1)
		wrong(origin, "origins: %s", why.text);
}

static void
end_origins(const struct word *where)
{
	if (TAILQ_EMPTY(&p.conf->origins) && p.errors == 0)
		wrong(where, "origins: the list is empty; to allow all "
		    "origins, leave it out");
}

static void
add_proxy(const struct word *proxy)
{
	struct why	why;

	if (conf_add_proxy(p.conf, proxy->s, &why) == -1)
		wrong(proxy, "proxies: %s", why.text);
}

static void
end_proxies(const struct word *where)
{
	if (p.conf->nproxies == 0 && p.errors == 0)
		wrong(where, "proxies: the list is empty; to trust none, "
		    "leave it out");
}

/* The names of the blocks, or those that a block has. */
static void
list_names(const char *block, char *buf, size_t size)
{
	const struct setting	*row;
	const char		*name, *last;
	size_t			 i;

	buf[0] = '\0';
	last = "";
	for (i = 0; i < settings_count; i++) {
		row = &settings_table[i];
		if (row->kind == SETTING_LEVEL || row->kind == SETTING_SANDBOX)
			continue;
		if (block != NULL && strcmp(row->block, block) != 0)
			continue;
		name = block != NULL ? row->name : row->block;
		if (strcmp(name, last) == 0)
			continue;
		if (*last != '\0')
			strlcat(buf, ", ", size);
		strlcat(buf, name, size);
		last = name;
	}
}

static void
begin_block(const struct word *name)
{
	char	names[CONF_MAXWHY / 2], show[CONF_MAXSHOW];

	p.block = name->s;
	if (is_block(name->s) && !name->quoted)
		return;
	p.block = NULL;
	list_names(NULL, names, sizeof(names));
	wrong(name, "unknown block \"%s\" (%s)", conf_show(name->s, show),
	    names);
}

static void
set_in_block(const struct word *name, const struct word *value)
{
	char	names[CONF_MAXWHY / 2], show[CONF_MAXSHOW];

	if (p.block == NULL)
		return;
	if (setting_by_name(p.block, name->s) != NULL) {
		set_scalar(p.block, name, value);
		return;
	}
	list_names(p.block, names, sizeof(names));
	wrong(name, "%s: unknown setting \"%s\" (%s)", p.block,
	    conf_show(name->s, show), names);
}

static void
clean_up(void)
{
	struct source	*source;
	struct word	*w;
	struct macro	*m;
	struct seen	*seen;

	while ((source = SLIST_FIRST(&p.sources)) != NULL) {
		SLIST_REMOVE_HEAD(&p.sources, entry);
		if (source->included)
			fclose(source->fp);
		free(source);
	}
	while ((m = SLIST_FIRST(&p.macros)) != NULL) {
		SLIST_REMOVE_HEAD(&p.macros, entry);
		free(m);
	}
	while ((seen = SLIST_FIRST(&p.seens)) != NULL) {
		SLIST_REMOVE_HEAD(&p.seens, entry);
		free(seen);
	}
	while ((w = SLIST_FIRST(&p.words)) != NULL) {
		SLIST_REMOVE_HEAD(&p.words, entry);
		freezero(w, w->size);
	}
}

int
parse_stream(struct conf *conf, FILE *fp, const char *name,
    void (*report)(const char *line))
{
	struct stat	st;
	int		failed;

	memset(&p, 0, sizeof(p));
	p.conf = conf;
	p.report = report;
	p.token = '\n';
	/* A stream in memory is no file: nothing is the same as it. */
	if (fileno(fp) == -1 || fstat(fileno(fp), &st) == -1)
		memset(&st, 0, sizeof(st));
	push_source(fp, name, &st, 0);
	failed = yyparse() != 0 || p.errors > 0;
	clean_up();
	return (failed ? -1 : 0);
}

int
parse_config(struct conf *conf, const char *file,
    void (*report)(const char *line))
{
	FILE	*fp;
	int	 rv;

	if ((fp = fopen(file, "re")) == NULL) {
		conf_report(report, "%s: %s", file, conf_file_error(errno));
		return (-1);
	}
	rv = parse_stream(conf, fp, file, report);
	fclose(fp);
	return (rv);
}
