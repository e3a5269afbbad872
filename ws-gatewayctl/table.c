/* One table at a time: cells in a flat array, printed when all are there. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

static const char	*const *heads;
static size_t		 columns;
static char		**cells;
static size_t		 ncells;
static size_t		 size;

void
table_begin(const char *const *h)
{
	heads = h;
	for (columns = 0; h[columns] != NULL; columns++)
		continue;
}

void
table_cell(const char *text)
{
	size_t	newsize;

	if (ncells == size) {
		newsize = size == 0 ? 64 : size * 2;
		cells = recallocarray(cells, size, newsize, sizeof(*cells));
		if (cells == NULL)
			err(1, NULL);
		size = newsize;
	}
	if ((cells[ncells++] = strdup(text)) == NULL)
		err(1, NULL);
}

/* Characters, not bytes: continuation bytes take no room. */
static size_t
width(const char *s)
{
	size_t	n;

	for (n = 0; *s != '\0'; s++)
		n += (*s & 0xc0) != 0x80;
	return (n);
}

static void
print_cell(const char *text, size_t column, size_t room)
{
	int	pad = (int)(room - width(text));

	if (heads[column][0] == '>')
		printf("%*s%s", pad, "", text);
	else if (column + 1 < columns)
		printf("%s%*s", text, pad, "");
	else
		printf("%s", text);
	printf("%s", column + 1 < columns ? "  " : "\n");
}

void
table_print(void)
{
	size_t		room[TABLE_COLUMNS] = { 0 };
	const char	*head;
	size_t		i, n;

	if (columns == 0)
		return;
	for (i = 0; i < columns; i++)
		room[i] = width(heads[i] + (heads[i][0] == '>'));
	for (i = 0; i < ncells; i++) {
		n = width(cells[i]);
		if (n > room[i % columns])
			room[i % columns] = n;
	}
	for (i = 0; i < columns; i++) {
		head = heads[i] + (heads[i][0] == '>');
		print_cell(head, i, room[i]);
	}
	for (i = 0; i < ncells; i++) {
		print_cell(cells[i], i % columns, room[i % columns]);
		free(cells[i]);
	}
	free(cells);
	cells = NULL;
	ncells = size = 0;
}
