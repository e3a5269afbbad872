/*
 * Where in its files a configuration has what it says: for the errors that
 * only show when all of it is there, or when it is put to use.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "conf_set.h"
#include "log.h"

static int	confined;

static char *
copy(const char *s)
{
	char	*p;

	if ((p = strdup(s)) == NULL)
		fatal("configuration");
	return (p);
}

static struct conf_place *
find(const struct conf *conf, const char *key)
{
	struct conf_place	*place;

	TAILQ_FOREACH(place, &conf->places, entry)
		if (strcmp(place->key, key) == 0)
			break;
	return (place);
}

void
conf_note_place(struct conf *conf, const char *key, const char *file,
    int line)
{
	struct conf_place	*place;

	if ((place = calloc(1, sizeof(*place))) == NULL ||
	    asprintf(&place->where, "%s:%d: ", file, line) == -1)
		fatal("configuration");
	place->key = copy(key);
	TAILQ_INSERT_TAIL(&conf->places, place, entry);
}

void
conf_forget_place(struct conf *conf, const char *key)
{
	struct conf_place	*place;

	if ((place = find(conf, key)) == NULL)
		return;
	TAILQ_REMOVE(&conf->places, place, entry);
	free(place->key);
	free(place->where);
	free(place);
}

const char *
conf_where(const struct conf *conf, const char *key)
{
	const struct conf_place	*place = find(conf, key);

	return (place != NULL ? place->where : "");
}

const char *
conf_where_setting(const struct conf *conf, const struct setting *row)
{
	char	key[CONF_MAXKEY];

	return (conf_where(conf, setting_key(row, key, sizeof(key))));
}

char *
setting_key(const struct setting *row, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s", row->block,
	    row->block[0] != '\0' ? " " : "", row->name);
	return (buf);
}

void
conf_note_file(struct conf *conf, const char *file)
{
	struct conf_string	*cs;

	if ((cs = calloc(1, sizeof(*cs))) == NULL)
		fatal("configuration");
	cs->s = copy(file);
	TAILQ_INSERT_TAIL(&conf->files, cs, entry);
}

void
conf_clear_places(struct conf *conf)
{
	struct conf_place	*place;

	while ((place = TAILQ_FIRST(&conf->places)) != NULL)
		conf_forget_place(conf, place->key);
	conf_strings_clear(&conf->files);
}

void
conf_confined(void)
{
	confined = 1;
}

const char *
conf_file_error(int error)
{
	if (confined && error == EACCES)
		return ("Permission denied (what is in other folders than at "
		    "the start can be read only after a restart)");
	return (strerror(error));
}
