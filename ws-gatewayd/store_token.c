/*
 * ws-gatewayctl token: requests that the engine passes on, done one after the
 * other, between lookups and never in their way.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "store.h"

#define MAX_JOBS	64		/* that wait */
#define BUSY_MS		5000		/* how long a lock is waited for */
#define PAGE		64		/* rows of a list at a time */
#define MAX_QUEUED	256		/* messages: the engine is slow */
#define SLOW_MS		10

struct job {
	TAILQ_ENTRY(job)	 entry;
	uint32_t		 type;
	struct token_request	 req;
	uint8_t			 token[TOKEN_MAX];	/* to be added */
	uint64_t		 busy_since;		/* ms, 0: not */
	uint32_t		 count;
	int			 listing;		/* not the first page */
	unsigned int		 opened;		/* handle that is at it */
};

static TAILQ_HEAD(, job)	 jobs = TAILQ_HEAD_INITIALIZER(jobs);
static unsigned int		 njobs;
static struct event		 job_event;

static void
wake(long ms)
{
	struct timeval	tv = { 0, ms * 1000 };

	event_want(&job_event, &tv);
}

static void
send_done(uint32_t id, uint32_t count, const char *error)
{
	struct token_done	done;

	memset(&done, 0, sizeof(done));
	done.id = id;
	done.count = count;
	strlcpy(done.error, error, sizeof(done.error));
	ipc_send(&store.engine, IMSG_STORE_DONE, id, -1, &done, sizeof(done));
}

static void
job_end(struct job *job, const char *error)
{
	send_done(job->req.id, job->count, error);
	TAILQ_REMOVE(&jobs, job, entry);
	njobs--;
	freezero(job, sizeof(*job));
	if (!TAILQ_EMPTY(&jobs))
		wake(0);
}

/*
 * 192 bits in an alphabet that needs no quoting in a URL or a shell, and does
 * not look like an option.
 */
static void
make_token(uint8_t *token)
{
	static const char	alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t			i;

	do {
		arc4random_buf(token, TOKEN_MAX);
		for (i = 0; i < TOKEN_MAX; i++)
			token[i] = (uint8_t)alphabet[token[i] & 63];
	} while (token[0] == '-');
}

static enum db_status
run_add(struct job *job, char *err)
{
	struct token_row	row;
	enum db_status		status;

	status = store.backend->token_add(store.db, now_ms(), &job->req,
	    job->token, &row, err);
	if (status == DB_FAIL && store.database.create) {
		/* Perhaps for want of a table, which we were told to make. */
		if ((status = store.backend->setup(store.db, err)) == DB_OK)
			status = store.backend->token_add(store.db, now_ms(),
			    &job->req, job->token, &row, err);
	}
	if (status != DB_OK)
		return (status);
	ipc_send(&store.engine, IMSG_STORE_TOKEN, job->req.id, -1, &row,
	    sizeof(row));
	explicit_bzero(&row, sizeof(row));
	job->count = 1;
	job_end(job, "");
	return (DB_OK);
}

static enum db_status
run_list(struct job *job, char *err)
{
	static struct token_row	rows[PAGE];
	enum db_status		status;
	size_t			n = PAGE, i;

	if (ipc_queued(&store.engine) > MAX_QUEUED) {
		wake(SLOW_MS);
		return (DB_OK);
	}
	status = store.backend->token_list(store.db, now_ms(), !job->listing,
	    rows, &n, err);
	if (status != DB_OK)
		return (status);
	for (i = 0; i < n; i++) {
		rows[i].id = job->req.id;
		ipc_send(&store.engine, IMSG_STORE_TOKEN, job->req.id, -1,
		    &rows[i], sizeof(rows[i]));
	}
	job->count += (uint32_t)n;
	job->listing = 1;
	if (n > 0)
		wake(0);
	else
		job_end(job, "");
	return (DB_OK);
}

static enum db_status
run_revoke(struct job *job, char *err)
{
	const size_t		 max = (MAX_IMSGSIZE - IMSG_HEADER_SIZE) /
				    sizeof(struct store_lookup);
	struct store_lookup	*gone;
	enum db_status		 status;
	size_t			 ngone, i, n;

	status = store.backend->token_revoke(store.db, now_ms(), &job->req,
	    &job->count, &gone, &ngone, err);
	if (status != DB_OK)
		return (status);
	for (i = 0; i < ngone; i += n) {
		n = ngone - i < max ? ngone - i : max;
		ipc_send(&store.engine, IMSG_STORE_REVOKED, job->req.id, -1,
		    &gone[i], n * sizeof(gone[0]));
	}
	freezero(gone, ngone * sizeof(gone[0]));
	job_end(job, "");
	return (DB_OK);
}

/* Locked: try again in a moment, but not forever. */
static void
job_busy(struct job *job)
{
	uint64_t	now = now_ms();

	if (job->busy_since == 0)
		job->busy_since = now;
	if (now - job->busy_since < BUSY_MS) {
		wake(STORE_RETRY_MS);
		return;
	}
	job_end(job, "the database is locked by another process: try again "
	    "when that one has finished");
}

static enum db_status
run_job(struct job *job, char *err)
{
	switch (job->type) {
	case IMSG_STORE_TOKEN_ADD:
		return (run_add(job, err));
	case IMSG_STORE_TOKEN_LIST:
		return (run_list(job, err));
	default:
		return (run_revoke(job, err));
	}
}

static void
run(int fd, short what, void *arg)
{
	struct job	*job = TAILQ_FIRST(&jobs);
	enum db_status	 status;
	const char	*why;
	char		 err[DB_ERRSIZE];

	(void)fd;
	(void)what;
	(void)arg;
	if (job == NULL)
		return;
	/* What was under way went with its connection, and must not be redone. */
	if (store_asking(ASK_TOKEN) &&
	    (store.db == NULL || store.opened != job->opened)) {
		store_given_up(ASK_TOKEN);
		job_end(job, "the connection to the database was lost: see "
		    "`token list` for whether it was done");
		return;
	}
	if (store_usable(&why) == -1) {
		job_end(job, why);
		return;
	}
	job->opened = store.opened;
	status = run_job(job, err);
	store_asked(ASK_TOKEN, status);
	switch (status) {
	case DB_OK:
	case DB_WAIT:
		break;
	case DB_BUSY:
		job_busy(job);
		break;
	case DB_LOST:
		store_failed(status, err);
		/* FALLTHROUGH */
	case DB_FAIL:
		/* What a write lacks need not keep lookups from answers. */
		job_end(job, err);
	}
}

void
store_token_again(void)
{
	run(-1, 0, NULL);
}

void
store_token_start(void)
{
	event_assign(&job_event, store.base, -1, 0, run, NULL);
}

/* What is wrong with a request, or NULL. */
static const char *
check_request(uint32_t type, const struct token_request *req)
{
	if (type == IMSG_STORE_TOKEN_LIST)
		return (NULL);
	if (req->kind > TOKEN_SERVER || req->by > TOKEN_BY_SERVER ||
	    req->len > SUBJECT_MAX)
		fatalx("the engine sent a token request that can't be");
	if (req->len == 0)
		return ("an empty name or token is none");
	if (type == IMSG_STORE_TOKEN_ADD && req->ttl <= 0)
		return ("the token would have expired: give it a time to "
		    "live");
	return (NULL);
}

void
store_token_request(uint32_t type, const struct token_request *req)
{
	struct job	*job;
	const char	*wrong;

	if ((wrong = check_request(type, req)) == NULL && njobs >= MAX_JOBS)
		wrong = "too many token requests at a time: try again";
	if (wrong != NULL) {
		send_done(req->id, 0, wrong);
		return;
	}
	if ((job = calloc(1, sizeof(*job))) == NULL)
		fatal("a token request");
	job->type = type;
	job->req = *req;
	if (type == IMSG_STORE_TOKEN_ADD)
		make_token(job->token);
	if (TAILQ_EMPTY(&jobs))
		wake(0);
	TAILQ_INSERT_TAIL(&jobs, job, entry);
	njobs++;
}
