/*
 * A terminal that is drawn on again and again, and read a key at a time, with
 * the sequences that all terminals of today know.
 *
 * What stands there stays when the program ends, since that may be the reason
 * why it ended.  What has to be done about signals is done before the program
 * is confined.
 */
#include <sys/ioctl.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "screen.h"

#define LINES_DEFAULT	24
#define NO_CURSOR	"\033[?25l"
#define CURSOR		"\033[?25h"
#define NO_WRAP		"\033[?7l"
#define WRAP		"\033[?7h"
#define CLEAR		"\033[H\033[J"

#define KEY_CTRL_C	3
#define KEY_CTRL_D	4

static struct termios		saved;
static volatile sig_atomic_t	ended;

static void
screen_signal(int sig)
{
	if (sig != SIGWINCH)
		ended = 1;
}

static void
screen_close(void)
{
	printf(CURSOR WRAP);
	fflush(stdout);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}

int
screen_open(void)
{
	static const int	 signals[] = { SIGHUP, SIGINT, SIGTERM,
				    SIGWINCH };
	struct sigaction	 sa;
	struct termios		 raw;
	const char		*term = getenv("TERM");
	size_t			 i;

	if (term == NULL || strcmp(term, "dumb") == 0 ||
	    !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &saved) == -1)
		return (-1);
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = screen_signal;
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (sigaction(signals[i], &sa, NULL) == -1)
			return (-1);
	}
	raw = saved;
	/* Nor may it be stopped: the shell would be left with this. */
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) == -1)
		return (-1);
	if (atexit(screen_close) != 0) {
		screen_close();
		return (-1);
	}
	printf(NO_CURSOR NO_WRAP);
	return (0);
}

unsigned int
screen_clear(void)
{
	struct winsize	ws;

	printf(CLEAR);
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == -1 || ws.ws_row == 0)
		return (LINES_DEFAULT);
	return (ws.ws_row);
}

static uint64_t
now_ms(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}

static int
screen_quits(void)
{
	unsigned char	key;

	/* Without a terminal any more there is nothing to do either. */
	if (read(STDIN_FILENO, &key, 1) != 1)
		return (errno != EINTR);
	return (key == 'q' || key == 'Q' || key == KEY_CTRL_C ||
	    key == KEY_CTRL_D);
}

int
screen_wait(uint64_t ms)
{
	struct pollfd	pfd = { STDIN_FILENO, POLLIN, 0 };
	uint64_t	end = now_ms() + ms, now;
	int		n;

	while (!ended && (now = now_ms()) < end) {
		n = poll(&pfd, 1, (int)(end - now));
		if (n == -1)
			/* Another size: drawn at once. */
			break;
		if (n == 1 && screen_quits())
			return (-1);
	}
	return (ended ? -1 : 0);
}
