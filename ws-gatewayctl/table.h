/* Rows whose columns are aligned once all are known. */
#ifndef TABLE_H
#define TABLE_H

#define TABLE_COLUMNS	12

/*
 * HEADS: the names of the columns, ended by NULL; one that starts with '>' is
 * aligned to the right (the mark is not shown).  The table that was there is
 * forgotten.
 */
void	table_begin(const char *const *heads);
/* A cell of the row in progress; the last one of a row ends it. */
void	table_cell(const char *);
/* Print all of it, and forget it. */
void	table_print(void);

#endif /* TABLE_H */
