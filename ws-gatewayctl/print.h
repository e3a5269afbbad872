/*
 * What is printed: tables for people (print.c), or JSON (print_json.c).  Each
 * gets the records of one command and then its end.
 */
#ifndef PRINT_H
#define PRINT_H

#include "parser.h"
#include "record.h"

void	print_record(const struct command *, const struct record *);
void	print_done(const struct command *, const struct ctl_ok *);

void	json_record(const struct command *, const struct record *);
void	json_done(const struct command *, const struct ctl_ok *);

#endif /* PRINT_H */
