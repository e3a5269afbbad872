/* Going into the background, with a verdict for the one who waits. */
#ifndef DAEMONIZE_H
#define DAEMONIZE_H

/*
 * Fork.  The original waits for the verdict and exits 0 or 1 by it; only the
 * new process, in a session of its own, returns.
 */
void	daemonize_begin(void);

/* The two halves of the end, before and after confinement. */
void	daemonize_prepare(void);
void	daemonize_done(void);

#endif /* DAEMONIZE_H */
