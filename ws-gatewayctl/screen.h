/* A terminal that is drawn on again and again, and read a key at a time. */
#ifndef SCREEN_H
#define SCREEN_H

#include <stdint.h>

/*
 * Take the terminal until the program ends, however that comes, but by
 * SIGKILL.  Returns -1 when standard input and output are none that can be
 * drawn on.
 */
int		 screen_open(void);

/* From an empty screen on; how many lines there are room for. */
unsigned int	 screen_clear(void);

/* Returns -1 when the user has had enough, 0 when it is time, or to redraw. */
int		 screen_wait(uint64_t ms);

#endif /* SCREEN_H */
