/* What a process uses, for metrics; works after confinement. */
#ifndef PROCSTAT_H
#define PROCSTAT_H

#include <stdint.h>

struct procstat {
	double		cpu_seconds;	/* user and system */
	double		start_time;	/* seconds since the epoch */
	uint64_t	resident_bytes;
	uint64_t	virtual_bytes;
	uint64_t	open_fds;
	uint64_t	max_fds;
};

/* Opens what procstat_read() will need; before confinement. */
void	procstat_init(void);

/* Fill in what is known; a figure that can't be had is 0. */
void	procstat_read(struct procstat *);

#endif /* PROCSTAT_H */
