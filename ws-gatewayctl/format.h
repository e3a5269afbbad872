/* Figures and bytes as people read them. */
#ifndef FORMAT_H
#define FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "control.h"

#define FORMAT_NUMBER	32			/* room for any figure */
#define FORMAT_ID	(4 * CTL_MAXID + 1)	/* for an escaped identity */

/* All return BUF.  With RAW: bytes; whole seconds. */
char	*format_size(uint64_t bytes, int raw, char *buf, size_t);
char	*format_age(uint64_t ms, int raw, char *buf, size_t);
char	*format_number(uint64_t, char *buf, size_t);

/*
 * Text that does nothing to a terminal: what is not printable UTF-8 becomes
 * \xHH, a backslash \\, which value_id() reads back.  Cut when it doesn't fit.
 */
char	*format_text(const void *, size_t len, char *buf, size_t);
char	*format_id(const struct ctl_id *, char *buf, size_t);

/* Whether anything but a backslash would be escaped. */
int	 format_is_plain(const void *, size_t len);

#endif /* FORMAT_H */
