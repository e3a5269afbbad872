/*
 * wsload.c - load generator for WebSocket message gateways.
 * One thread, epoll, libc only.  Build:  cc -O2 -Wall -o wsload wsload.c
 *
 * Modes (the first argument; wsload.md lists the options):
 *   fanout   N clients connect, M broadcasts are published over HTTP, and every
 *            client must receive each of them.
 *   unicast  N clients connect, M messages are published, each to one client.
 *   idle     N clients connect and are held: handshake rate, memory per client.
 *   echo     clients send M messages and await the server's echo.
 *
 * Every message carries a marker ~SSSSSSSSTTTTTTTTTTTTTTTT (sequence number and
 * send time in ns, hexadecimal) inside the payload object, so a server may
 * re-encode the JSON around it.  Only loopback addresses are accepted.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef uint64_t u64;
typedef uint32_t u32;

enum { FANOUT, UNICAST, IDLE, ECHO };
enum { S_UPGRADING, S_OPEN, S_CLOSED };

#define RBUF (1 << 20)          /* one receive buffer, shared by all clients */
#define PER_SOURCE 5000         /* clients per source address, so that free ports are found fast */
#define MARK 25                 /* '~' + 8 + 16 digits */
#define BINS (64 * 64)

struct ws {                     /* one WebSocket client */
    int fd, state;
    u32 id, high;               /* high: highest sequence number seen + 1 */
    u32 npart;                  /* bytes of an incomplete frame, kept in part */
    char *part;
};

struct pub {                    /* one keep-alive HTTP publisher connection */
    int fd;
    u32 head, tail, *fifo;      /* sequence numbers that await a response */
    size_t nout, outcap, nin;
    char *out, in[16384];
};

struct hist { u64 n, max, bin[BINS]; };

static struct {
    const char *host, *path, *pub, *body, *label, *src;
    u32 port, pid, ramp, conns, msgs, warmup, inflight, pubs, payload, core, json, spin;
    double seconds, hold, stall, timeout, rate;
    char header[2048];
} o = {
    .port = 8080, .ramp = 256, .conns = 100, .msgs = 1000, .inflight = 1, .payload = 128,
    .hold = 2, .stall = 2, .timeout = 120, .label = "-", .host = "127.0.0.1",
    .path = "/ws?token=p%d", .src = "127.0.0.2",
};

static const struct { const char *name; char type; void *at; } options[] = {
    {"host", 's', &o.host}, {"port", 'u', &o.port}, {"path", 's', &o.path},
    {"conns", 'u', &o.conns}, {"msgs", 'u', &o.msgs}, {"warmup", 'u', &o.warmup},
    {"seconds", 'd', &o.seconds}, {"inflight", 'u', &o.inflight}, {"pub-conns", 'u', &o.pubs},
    {"pub", 's', &o.pub}, {"body", 's', &o.body}, {"header", 'h', o.header},
    {"payload", 'u', &o.payload}, {"rate", 'd', &o.rate}, {"ramp", 'u', &o.ramp},
    {"src", 's', &o.src}, {"pid", 'u', &o.pid}, {"hold", 'd', &o.hold}, {"stall", 'd', &o.stall},
    {"timeout", 'd', &o.timeout}, {"label", 's', &o.label}, {"spin", 'f', &o.spin},
    {"json", 'f', &o.json}, {"core", 'u', &o.core},
};

static int mode, ep;
static struct ws *W;
static struct pub *P;
static u32 depth, nopen, nfailed, nclosed, pending;
static char rbuf[RBUF];

/* Per-message state, indexed by sequence number. */
static u32 *rem, *dst;          /* deliveries outstanding; target client */
static char *resp, *done;       /* HTTP response seen; in-flight slot given back */
static u64 *seen, seen_words;   /* bitmap of deliveries, for fanout a row per client */
static u32 next_seq, low_seq, outstanding, ncompleted, total;

/* Counters of the measured phase, which starts at sequence number `measured`. */
static u64 frames, dups, reorders, misrouted, others, pub_err, stalls, responses;
static u64 t_first, t_last;
static u32 measured;
static struct hist lat, full;   /* publish to frame; publish to the last client's frame */

static void die(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fputs("wsload: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    exit(2);
}

static void *zalloc(size_t n, size_t size) {
    void *p = calloc(n ? n : 1, size);
    if (!p) die("out of memory");
    return p;
}

static u64 clock_ns(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

static u64 now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
static double since(u64 t) { return (double)(now_ns() - t) / 1e9; }

/* ---- latency histogram: 64 linear steps per power of two, < 1.6 % off ---- */
static void hist_add(struct hist *h, u64 v) {
    int e = v < 64 ? 5 : 63 - __builtin_clzll(v);
    h->bin[v < 64 ? v : (u64)(e - 5) * 64 + ((v >> (e - 6)) & 63)]++;
    h->n++;
    if (v > h->max) h->max = v;
}

static double hist_us(const struct hist *h, double q) {
    u64 want = (u64)(q * (double)h->n), sum = 0;
    int i = 0;
    for (; i < BINS - 1 && (sum += h->bin[i]) <= want; i++)
        ;
    double v = i < 64 ? i : ((i & 63) + 64.5) * (double)(1ull << (i / 64 - 1));
    return (v < (double)h->max ? v : (double)h->max) / 1000;
}

/* ---- what the server and the machine use, from /proc ---- */
struct usage {                  /* CPU in seconds, memory in bytes */
    double srv_cpu, own_cpu, all_cpu, core_cpu, steal, rss, pss, tcp_mem, slab;
};

static int slurp(char *buf, size_t n, const char *fmt, ...) {
    char path[64];
    va_list ap;
    int fd;
    ssize_t r;
    va_start(ap, fmt);
    vsnprintf(path, sizeof path, fmt, ap);
    va_end(ap);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    r = fd < 0 ? -1 : read(fd, buf, n - 1);
    if (fd >= 0) close(fd);
    buf[r > 0 ? r : 0] = 0;
    return r > 0;
}

static double field(const char *text, const char *name) {
    const char *s = strstr(text, name);
    return s ? strtod(s + strlen(name), NULL) : 0;
}

/* Adds up CPU time and memory of pid and its descendants. */
static void tree_usage(struct usage *u, long pid, int memory) {
    char buf[8192], *s;
    clockid_t clk;
    if (clock_getcpuclockid((pid_t)pid, &clk)) return;
    u->srv_cpu += (double)clock_ns(clk) / 1e9;
    if (memory && slurp(buf, sizeof buf, "/proc/%ld/smaps_rollup", pid)) {
        u->rss += field(buf, "\nRss:") * 1024;
        u->pss += field(buf, "\nPss:") * 1024;
    }
    if (slurp(buf, sizeof buf, "/proc/%ld/task/%ld/children", pid, pid))
        for (s = buf; (pid = strtol(s, &s, 10)) > 0;) tree_usage(u, pid, memory);
}

/* Busy time in a /proc/stat line: user nice system idle iowait irq softirq steal. */
static double busy(char *s, double *steal) {
    double v[8];
    for (int i = 0; i < 8; i++)
        v[i] = strtod(s, &s) / (double)sysconf(_SC_CLK_TCK);
    *steal = v[7];
    return v[0] + v[1] + v[2] + v[5] + v[6];
}

static struct usage usage_now(int memory) {
    struct usage u = {0};
    char buf[16384], name[16], *s;
    double ignored;
    if (o.pid) tree_usage(&u, o.pid, memory);
    u.own_cpu = (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9;
    slurp(buf, sizeof buf, "/proc/stat");
    u.all_cpu = busy(buf + 4, &u.steal);
    snprintf(name, sizeof name, "\ncpu%u ", o.core);
    if ((s = strstr(buf, name)))
        u.core_cpu = busy(s + strlen(name), &ignored);
    if (slurp(buf, sizeof buf, "/proc/net/sockstat") && (s = strstr(buf, "TCP:")))
        u.tcp_mem = field(s, " mem ") * (double)sysconf(_SC_PAGESIZE);
    if (slurp(buf, sizeof buf, "/proc/meminfo")) u.slab = field(buf, "\nSlab:") * 1024;
    return u;
}

/* ---- output: one line of key=value, or the same as a JSON object ---- */
static char line[8192];

static void out(const char *fmt, ...) {
    size_t n = strlen(line);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line + n, sizeof line - n, fmt, ap);
    va_end(ap);
}

static void print_line(void) {
    const char *sep = "{";
    if (!o.json) puts(line);
    for (char *k = o.json ? strtok(line, " ") : NULL; k; k = strtok(NULL, " "), sep = ",") {
        char *v = strchr(k, '='), *end;
        *v++ = 0;
        strtod(v, &end);
        printf(*end ? "%s\"%s\":\"%s\"" : "%s\"%s\":%s", sep, k, v);
    }
    if (o.json) puts("}");
}

/* ---- messages ---- */
static u64 get_hex(const char *p, int digits) {
    u64 v = 0;
    for (; digits-- > 0; p++) v = v << 4 | (u64)((*p & 15) + (*p > '9' ? 9 : 0));
    return v;
}

/* The payload object, o.payload bytes long (at least 42). */
static size_t make_payload(char *p, u32 seq, u64 ts) {
    int n = sprintf(p, "{\"a\":\"~%08x%016llx\",\"p\":\"", seq, (unsigned long long)ts);
    int pad = (int)o.payload - n - 2;
    memset(p + n, 'x', pad > 0 ? (size_t)pad : 0);
    memcpy(p + n + (pad > 0 ? pad : 0), "\"}", 3);
    return (size_t)(n + 2 + (pad > 0 ? pad : 0));
}

/* Copies tmpl, with %d replaced by id and %p by the payload. */
static size_t expand(char *to, const char *tmpl, u32 id, const char *pay, size_t npay) {
    char *q = to;
    for (; *tmpl; tmpl++) {
        if (tmpl[0] == '%' && tmpl[1] == 'd')
            q += sprintf(q, "%u", id), tmpl++;
        else if (tmpl[0] == '%' && tmpl[1] == 'p')
            q = mempcpy(q, pay, npay), tmpl++;
        else
            *q++ = *tmpl;
    }
    *q = 0;
    return (size_t)(q - to);
}

/* Gives the slot of seq back once it was answered and reached all its clients. */
static void settle(u32 seq) {
    if (done[seq] || rem[seq] || (mode != ECHO && !resp[seq])) return;
    done[seq] = 1;
    outstanding--;
    ncompleted++;
}

/* A text or binary frame came in on client c. */
static void on_message(struct ws *c, const char *p, size_t n, u64 now) {
    const char *q = memchr(p, '~', n);
    u64 ts, *word, bit;
    u32 seq;
    if (!q || (size_t)(p + n - q) < MARK || (seq = (u32)get_hex(q + 1, 8)) >= next_seq) {
        others++;               /* not one of ours */
        return;
    }
    ts = get_hex(q + 9, 16);
    if (mode != FANOUT && dst[seq] != c->id) misrouted++;
    word = &seen[(mode == FANOUT ? c->id * seen_words : 0) + seq / 64];
    bit = 1ull << (seq & 63);
    if (*word & bit) { dups++; return; }
    *word |= bit;
    if (seq < c->high)
        reorders++;
    else
        c->high = seq + 1;
    t_last = now;
    if (rem[seq]) rem[seq]--;
    if (seq >= measured) {
        frames++;
        hist_add(&lat, now - ts);
        if (!rem[seq]) hist_add(&full, now - ts);
    }
    settle(seq);
}

/* ---- sockets ---- */
static struct sockaddr_in address(const char *host, u32 port) {
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1 || ntohl(a.sin_addr.s_addr) >> 24 != 127)
        die("%s: only addresses in 127.0.0.0/8 are allowed", host);
    return a;
}

/*
 * Connects (on loopback that returns at once unless the backlog is full) from
 * the given source: one address has only 28k ports.  The socket stays blocking;
 * all later calls pass MSG_DONTWAIT.
 */
static int tcp_connect(const char *src, u32 offset, void *who) {
    struct sockaddr_in to = address(o.host, o.port), from = address(src, 0);
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = who };
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    from.sin_addr.s_addr = htonl(ntohl(from.sin_addr.s_addr) + offset);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (fd < 0 || bind(fd, (void *)&from, sizeof from) || connect(fd, (void *)&to, sizeof to) ||
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
        die("connect: %s", strerror(errno));
    return fd;
}

static ssize_t send_now(int fd, const void *p, size_t n) {
    return send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Like recv(), but 0 means nothing there yet and -1 that the peer is gone. */
static ssize_t recv_now(int fd, void *p, size_t n) {
    ssize_t r = recv(fd, p, n, MSG_DONTWAIT);
    return r > 0 ? r : r < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

/* ---- WebSocket clients ---- */
static void ws_close(struct ws *c) {
    if (c->state == S_OPEN)
        nclosed++, nopen--;
    else if (c->state == S_UPGRADING)
        nfailed++, pending--;
    c->state = S_CLOSED;
    close(c->fd);
    free(c->part);
    c->part = NULL;
    c->npart = 0;
}

static void ws_connect(struct ws *c) {
    char req[4096], path[2048];
    int n;
    expand(path, o.path, c->id, "", 0);
    n = snprintf(req, sizeof req,
                 "GET %s HTTP/1.1\r\nHost: %s:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                 path, o.host, o.port);
    c->fd = tcp_connect(o.src, c->id / PER_SOURCE, c);
    pending++;
    if (send_now(c->fd, req, (size_t)n) != n) ws_close(c);
}

/* Sends one masked frame; a client whose socket cannot take it is dropped. */
static void ws_send(struct ws *c, int opcode, const char *p, size_t n) {
    static const unsigned char key[4] = { 0x37, 0xfa, 0x21, 0x3d };
    static unsigned char f[RBUF];
    size_t h = n < 126 ? 2 : 4;
    if (c->state != S_OPEN) return;
    f[0] = (unsigned char)(0x80 | opcode);
    f[1] = (unsigned char)(0x80 | (n < 126 ? n : 126));
    f[2] = (unsigned char)(n >> 8);
    f[3] = (unsigned char)n;
    memcpy(f + h, key, 4);
    for (size_t i = 0; i < n; i++) f[h + 4 + i] = (unsigned char)p[i] ^ key[i & 3];
    if (send_now(c->fd, f, h + 4 + n) != (ssize_t)(h + 4 + n)) ws_close(c);
}

/* Handles the upgrade response at the start of rbuf; returns its length. */
static size_t ws_upgraded(struct ws *c, size_t n) {
    char *end = memmem(rbuf, n, "\r\n\r\n", 4);
    if (end && !memcmp(rbuf, "HTTP/1.1 101", 12)) {
        c->state = S_OPEN;
        nopen++, pending--;
    } else if (end) {
        if (!nfailed)
            fprintf(stderr, "wsload: upgrade refused: %.*s\n", (int)strcspn(rbuf, "\r\n"), rbuf);
        ws_close(c);
    }
    return end ? (size_t)(end - rbuf) + 4 : 0;
}

static void ws_read(struct ws *c) {
    size_t n = c->npart, off = 0;
    ssize_t r;
    u64 now;
    if (n) memcpy(rbuf, c->part, n);
    r = recv_now(c->fd, rbuf + n, RBUF - n);
    if (r < 0) ws_close(c);
    if (r <= 0) return;
    now = now_ns();
    n += (size_t)r;
    if (c->state == S_UPGRADING) off = ws_upgraded(c, n);
    while (c->state == S_OPEN && n - off >= 2) {
        unsigned char *h = (unsigned char *)rbuf + off;
        size_t hl = (h[1] & 127) == 127 ? 10 : (h[1] & 127) == 126 ? 4 : 2, len = h[1];
        if (n - off < hl) break;
        for (size_t i = 2; i < hl; i++) len = (i == 2 ? 0 : len << 8) | h[i];
        if ((h[1] & 128) || len > RBUF / 2)
            die("client %u: bad frame header %02x %02x", c->id, h[0], h[1]);
        if (n - off < hl + len) break;
        if ((h[0] & 15) == 1 || (h[0] & 15) == 2)
            on_message(c, (char *)h + hl, len, now);
        else if ((h[0] & 15) == 9)
            ws_send(c, 10, (char *)h + hl, len);
        else if ((h[0] & 15) == 8)
            ws_close(c);
        off += hl + len;
    }
    if (c->state == S_CLOSED) return;
    n -= off;                   /* keep the incomplete rest, which is rare */
    if (n > c->npart && !(c->part = realloc(c->part, n))) die("out of memory");
    if (n) memcpy(c->part, rbuf + off, n);
    c->npart = (u32)n;
}

/* ---- HTTP publishers ---- */
static void on_response(struct pub *p, int status) {
    u32 seq;
    if (p->head == p->tail) die("a response without a request");
    seq = p->fifo[p->head++ % depth];
    responses++;
    if (status < 200 || status > 299) {
        if (!pub_err++) fprintf(stderr, "wsload: publish answered %d\n", status);
        rem[seq] = 0;
    }
    resp[seq] = 1;
    settle(seq);
}

/* The server closed: what was under way failed; connect again. */
static void pub_reset(struct pub *p) {
    while (p->head != p->tail) on_response(p, 0);
    close(p->fd);
    p->nout = p->nin = 0;
    p->fd = tcp_connect("127.0.0.1", 0, p);
}

/* Sends what is queued; what the socket cannot take waits for the next turn. */
static void pub_flush(struct pub *p) {
    ssize_t r = send_now(p->fd, p->out, p->nout);
    if (r < 0 && errno != EAGAIN) {
        pub_reset(p);
    } else if (r > 0) {
        p->nout -= (size_t)r;
        memmove(p->out, p->out + r, p->nout);
    }
}

static void pub_read(struct pub *p) {
    ssize_t r = recv_now(p->fd, p->in + p->nin, sizeof p->in - 1 - p->nin);
    char *at = p->in, *end, *s;
    if (r < 0) pub_reset(p);
    if (r <= 0) return;
    p->nin += (size_t)r;
    p->in[p->nin] = 0;
    while ((end = strstr(at, "\r\n\r\n"))) {
        int status = atoi(at + 9);
        *end = 0;
        s = strcasestr(at, "\r\nContent-Length:");
        if (!s && status != 204) die("publish answered without Content-Length: %s", at);
        *end = '\r';
        end += 4 + (s ? strtoul(s + 17, NULL, 10) : 0);
        if (end > p->in + p->nin) break;
        on_response(p, status);
        at = end;
    }
    p->nin -= (size_t)(at - p->in);
    memmove(p->in, at, p->nin);
    if (p->nin == sizeof p->in - 1) die("publish response too long");
}

/* Queues the request for seq; the loop flushes it at the end of the turn. */
static void publish(u32 seq, u64 ts) {
    static u32 turn;
    static char pay[RBUF], body[RBUF];
    size_t npay = make_payload(pay, seq, ts), need;
    size_t nbody = expand(body, o.body, dst[seq], pay, npay);
    struct pub *p;
    char *q;
    do
        p = &P[turn++ % o.pubs];
    while (p->tail - p->head >= depth);
    need = p->nout + nbody + strlen(o.pub) + strlen(o.header) + 512;
    if (need > p->outcap && !(p->out = realloc(p->out, p->outcap = need * 2)))
        die("out of memory");
    q = stpcpy(p->out + p->nout, "POST ");
    q += expand(q, o.pub, dst[seq], "", 0);
    q += sprintf(q, " HTTP/1.1\r\nHost: %s:%u\r\n%sContent-Type: application/json\r\n"
                 "Content-Length: %zu\r\n\r\n", o.host, o.port, o.header, nbody);
    q = mempcpy(q, body, nbody);
    p->nout = (size_t)(q - p->out);
    p->fifo[p->tail++ % depth] = seq;
}

/* ---- the loop ---- */
static void turn(int timeout_ms) {
    struct epoll_event ev[512];
    int n = epoll_wait(ep, ev, 512, o.spin ? 0 : timeout_ms);
    for (int i = 0; i < n; i++) {
        struct ws *c = ev[i].data.ptr;
        struct pub *p = ev[i].data.ptr;
        if (p >= P && p < P + o.pubs)
            pub_read(p);
        else if (c->state != S_CLOSED)
            ws_read(c);
    }
}

/* Opens all clients, at most o.ramp of them awaiting their 101 at a time. */
static double ramp_up(void) {
    u64 start = now_ns();
    for (u32 next = 0; next < o.conns || pending; turn(100)) {
        while (next < o.conns && pending < o.ramp) ws_connect(&W[next++]);
        if (nfailed >= 100 && !nopen) die("100 handshakes failed and none succeeded");
    }
    return since(start);
}

/* Sends messages next_seq .. end - 1 and waits until each has settled. */
static void run_messages(u32 end, double seconds) {
    static char pay[RBUF];
    u64 start = now_ns(), moved_at = start, moved = 0;
    u32 first = next_seq;
    t_first = t_last = start;
    while (ncompleted < end) {
        if (seconds > 0 && since(start) >= seconds) end = next_seq;
        while (next_seq < end && outstanding < o.inflight) {
            u32 seq = next_seq;
            u64 ts = now_ns();
            if (o.rate > 0) {   /* open loop: a late send counts as latency */
                u64 due = start + (u64)((double)(seq - first) * 1e9 / o.rate);
                if (due > ts) break;
                ts = due;
            }
            next_seq++, outstanding++;
            if (mode == ECHO)
                ws_send(&W[dst[seq]], 1, pay, make_payload(pay, seq, ts));
            else
                publish(seq, ts);
        }
        for (u32 i = 0; i < o.pubs; i++)
            if (P[i].nout) pub_flush(&P[i]);
        turn(ncompleted >= end || o.rate > 0 ? 0 : 100);   /* a schedule is kept by polling */
        if (moved != t_last + responses) {
            moved = t_last + responses;
            moved_at = now_ns();
        } else if (outstanding && since(moved_at) > o.stall) {
            stalls++;           /* nothing comes any more: count it as lost, go on */
            for (; low_seq < next_seq; low_seq++)
                if (!done[low_seq]) done[low_seq] = 1, outstanding--, ncompleted++;
            for (u32 i = 0; i < o.pubs; i++)
                if (P[i].head != P[i].tail) pub_reset(&P[i]);
            moved_at = now_ns();
        }
    }
    total = next_seq - first;
}

static void setup_messages(void) {
    u32 n = o.warmup + o.msgs;
    u64 rows = mode == FANOUT ? o.conns : 1, x = 88172645463325252ull;
    seen_words = n / 64 + 1;
    if (rows * seen_words > 1u << 29)
        die("conns x msgs is too large for the delivery bitmap");
    seen = zalloc(rows * seen_words, sizeof *seen);
    rem = zalloc(n, sizeof *rem);
    dst = zalloc(n, sizeof *dst);
    resp = zalloc(n, 1);
    done = zalloc(n, 1);
    for (u32 i = 0; i < n; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;        /* xorshift64 */
        rem[i] = mode == FANOUT ? o.conns : 1;
        dst[i] = mode == UNICAST ? (u32)(x % o.conns) : mode == ECHO ? i % o.conns : 0;
    }
    if (o.pubs) depth = (o.inflight + o.pubs - 1) / o.pubs;
    for (u32 i = 0; i < o.pubs; i++) {
        P[i].fifo = zalloc(depth, sizeof(u32));
        P[i].fd = tcp_connect("127.0.0.1", 0, &P[i]);
    }
}

/* CPU used between a and b; other_cpu_s is everybody else on the machine. */
static void out_cpu(struct usage a, struct usage b, double secs, double units, const char *unit) {
    double cpu = b.srv_cpu - a.srv_cpu, own = b.own_cpu - a.own_cpu;
    if (o.pid)
        out(" srv_cpu_s=%.3f srv_util=%.3f %s_per_cpu_s=%.0f core_busy_s=%.2f", cpu, cpu / secs,
            unit, cpu > 0 ? units / cpu : 0, b.core_cpu - a.core_cpu);
    out(" load_util=%.3f other_cpu_s=%.2f steal_s=%.2f", own / secs,
        b.all_cpu - a.all_cpu - cpu - own, b.steal - a.steal);
}

static void run_load(void) {
    static const char *unit[] = { "deliveries", "pubs", "", "echoes" };
    struct usage a, b;
    double secs;
    u64 want;
    setup_messages();
    if (o.warmup) {
        measured = o.warmup;
        run_messages(o.warmup, 0);
        dups = reorders = misrouted = others = pub_err = stalls = responses = 0;
    }
    a = usage_now(0);
    run_messages(o.warmup + o.msgs, o.seconds);
    want = (u64)total * (mode == FANOUT ? o.conns : 1);
    b = usage_now(1);
    secs = t_last > t_first ? (double)(t_last - t_first) / 1e9 : 1e-9;
    out(" msgs=%u payload=%u inflight=%u pub_conns=%u secs=%.3f msgs_per_s=%.1f %s_per_s=%.0f",
        total, o.payload, o.inflight, o.pubs, secs, total / secs, unit[mode], (double)frames / secs);
    out_cpu(a, b, secs, (double)frames, unit[mode]);
    out(" lat_p50_us=%.1f lat_p99_us=%.1f lat_p999_us=%.1f lat_max_us=%.1f", hist_us(&lat, 0.5),
        hist_us(&lat, 0.99), hist_us(&lat, 0.999), (double)lat.max / 1000);
    if (mode == FANOUT)
        out(" full_p50_us=%.1f full_p99_us=%.1f", hist_us(&full, 0.5), hist_us(&full, 0.99));
    out(" delivered=%llu lost=%lld dup=%llu reordered=%llu misrouted=%llu other_frames=%llu"
        " pub_errors=%llu stalls=%llu closed=%u srv_rss_mib=%.1f", frames, (long long)(want - frames),
        dups, reorders, misrouted, others, pub_err, stalls, nclosed, b.rss / 1048576);
}

/* Memory per connection; a was taken before the ramp, which took t seconds. */
static void run_idle(struct usage a, double t) {
    struct usage b = usage_now(0), c;
    for (u64 start = now_ns(); since(start) < o.hold;) turn(50);
    c = usage_now(1);
    out(" handshakes_per_s=%.0f", nopen / t);
    out_cpu(a, b, t, nopen, "handshakes");
    out(" rss_per_conn=%.0f pss_per_conn=%.0f rss_mib=%.1f idle_cpu=%.4f", (c.rss - a.rss) / nopen,
        (c.pss - a.pss) / nopen, c.rss / 1048576, o.hold > 0 ? (c.srv_cpu - b.srv_cpu) / o.hold : 0);
    /* Both ends live on this machine: the kernel's figures are for the pair. */
    out(" slab_per_pair=%.0f tcpmem_per_pair=%.0f closed=%u", (c.slab - a.slab) / nopen,
        (c.tcp_mem - a.tcp_mem) / nopen, nclosed);
    for (u32 i = 0; i < o.conns; i++)
        if (W[i].state == S_OPEN) ws_close(&W[i]);
    sleep(2);
    out(" rss_after_close_mib=%.1f", usage_now(1).rss / 1048576);
}

static void parse_options(int argc, char **argv) {
    for (int i = 2; i < argc; i++) {
        size_t k = 0, n = sizeof options / sizeof *options;
        while (k < n && (strncmp(argv[i], "--", 2) || strcmp(argv[i] + 2, options[k].name)))
            k++;
        if (k == n || (options[k].type != 'f' && i + 1 == argc))
            die("bad option %s", argv[i]);
        switch (options[k].type) {
        case 'f': *(u32 *)options[k].at = 1; break;
        case 'u': *(u32 *)options[k].at = (u32)strtoul(argv[++i], NULL, 10); break;
        case 'd': *(double *)options[k].at = atof(argv[++i]); break;
        case 's': *(const char **)options[k].at = argv[++i]; break;
        case 'h': strncat(strncat(o.header, argv[++i], 500), "\r\n", 3); break;
        }
    }
}

int main(int argc, char **argv) {
    static const char *modes[] = { "fanout", "unicast", "idle", "echo" };
    struct usage before;
    double t;
    while (mode < 4 && (argc < 2 || strcmp(argv[1], modes[mode]))) mode++;
    if (mode == 4)
        die("usage: wsload fanout|unicast|idle|echo [options], see wsload.md");
    parse_options(argc, argv);
    if (!o.conns || !o.msgs || !o.inflight || !o.ramp || o.payload > 60000)
        die("conns, msgs, inflight and ramp must be positive, payload at most 60000");
    if (mode == IDLE || mode == ECHO)
        o.pubs = 0;
    else if (!o.pubs || o.pubs > o.inflight)
        o.pubs = o.inflight < 64 ? o.inflight : 64;
    if (!o.pub) o.pub = mode == FANOUT ? "/broadcast" : "/publish";
    if (!o.body)
        o.body = mode == FANOUT ? "{\"event\":\"e\",\"payload\":%p}"
                                : "{\"player_id\":\"%d\",\"event\":\"e\",\"payload\":%p}";
    alarm((unsigned)o.timeout + 1);     /* the last resort: nothing runs for ever */

    ep = epoll_create1(EPOLL_CLOEXEC);
    W = zalloc(o.conns, sizeof *W);
    P = zalloc(o.pubs, sizeof *P);
    for (u32 i = 0; i < o.conns; i++) W[i].id = i;
    before = usage_now(1);
    t = ramp_up();
    if (nopen < o.conns && mode != IDLE)
        die("only %u of %u clients connected", nopen, o.conns);
    out("label=%s mode=%s conns=%u failed=%u", o.label, modes[mode], nopen, nfailed);
    if (mode == IDLE)
        run_idle(before, t);
    else
        run_load();
    print_line();
    return 0;
}
