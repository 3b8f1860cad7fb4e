/* Processes that run points. */
#include "experiments/sweep_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "experiments/provenance.h"
#include "graph/io.h"
#include "graph/text.h"

enum { TAIL = 64 << 10 }; /* of a log, where its last error is looked for */

/* ---- the command ---- */

typedef struct words {
    cak_arena *a;
    const char **word; /* ends with NULL */
    int n, cap;
} words;

static void add(words *w, const char *word)
{
    w->word = cak_arena_grow(w->a, w->word, &w->cap, w->n + 2, sizeof *w->word);
    w->word[w->n++] = word;
    w->word[w->n] = NULL;
}

static words command(cak_arena *a, const cak_sweep_dir *s, const cak_child_spec *spec)
{
    words w = { .a = a };
    const char *dir = cak_point_path(a, s, spec->point, "runs");
    add(&w, "cak");
    add(&w, spec->resume ? "resume" : "train");
    add(&w, spec->resume ? dir : s->sweep->base);
    const char **override = spec->resume ? NULL : cak_point_overrides(a, s->sweep, &s->sweep->point[spec->point]);
    for (int i = 0; override && i < s->sweep->n_keys; i++) add(&w, override[i]);
    if (!spec->resume) add(&w, cak_arena_print(a, "--run-dir=%s", dir));
    add(&w, cak_arena_print(a, "--threads=%d", spec->threads));
    add(&w, "--progress=plain");
    if (spec->cache) add(&w, cak_arena_print(a, "--cache=%s", spec->cache));
    return w;
}

/* ---- the log ---- */

/* "== attempt 2, 2026-11-24T01:19:41Z: cak resume ..." */
static int open_log(cak_diag *d, const cak_child_spec *spec, const words *w, cak_child *c)
{
    char now[32];
    cak_text_builder b = { .a = w->a };
    cak_text_add(&b, "== attempt %d, %s:", spec->attempt, cak_utc(c->started, now));
    for (int i = 0; i < w->n; i++) cak_text_add(&b, " %s", w->word[i]);
    cak_text_add(&b, "\n");
    int fd = cak_io_open_append(d, c->log);
    if (fd < 0) return -1;
    off_t end = lseek(fd, 0, SEEK_END);
    c->log_from = end < 0 ? 0 : (uint64_t)end;
    if (cak_io_append(d, fd, c->log, cak_text_done(&b), (size_t)b.n)) return fd;
    cak_io_close(fd);
    return -1;
}

/* The message of an error in "cak: error: MESSAGE [E2001]"; the whole line where the error has a place in a file. */
static const char *error_of(cak_arena *a, const char *line, size_t n)
{
    static const char word[] = ": error: ";
    const char *found = memmem(line, n, word, sizeof word - 1);
    if (!found) return NULL;
    const char *start = strncmp(line, "cak", 3) ? line : found + sizeof word - 1;
    return cak_arena_print(a, "%.*s", (int)(line + n - start), start);
}

static const char *last_error(cak_arena *a, const cak_child *c)
{
    cak_diag *ignored = cak_diag_open();
    uint64_t size = 0;
    const char *reason = NULL;
    int fd = cak_io_open_read(ignored, CAK_E4002, c->log, &size);
    uint64_t from = size > c->log_from + TAIL ? size - TAIL : c->log_from, n = size > from ? size - from : 0;
    char *text = cak_arena_alloc(a, n + 1);
    if (fd >= 0 && cak_io_pread(ignored, CAK_E4002, fd, c->log, text, n, from))
        for (char *line = text, *eol; *line; line = eol + (*eol != 0)) {
            eol = line + strcspn(line, "\n");
            const char *found = error_of(a, line, (size_t)(eol - line));
            if (found) reason = found;
        }
    cak_io_close(fd);
    cak_diag_close(ignored);
    return reason;
}

/* ---- the process ---- */

/* In the child, between fork and exec: system calls only. The signals are blocked, so that none meets the handlers of the launcher. */
static void become(const words *w, pid_t launcher, int null, int log, int claim, const sigset_t *mask)
{
    struct sigaction plain = { .sa_handler = SIG_DFL };
    for (int sig = 1; sig < NSIG; sig++) sigaction(sig, &plain, NULL); /* fails for SIGKILL and the like */
    sigemptyset(&plain.sa_mask);
    setpgid(0, 0); /* Ctrl-C reaches the launcher only */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != launcher) _exit(CAK_EXIT_STOPPED); /* it died before the line above */
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    fcntl(claim, F_SETFD, 0);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execv("/proc/self/exe", (char *const *)w->word);
    static const char message[] = "cak: error: the program cannot be started: /proc/self/exe is not there [E4002]\n";
    if (write(STDERR_FILENO, message, sizeof message - 1) > 0) _exit(CAK_EXIT_IO);
    _exit(CAK_EXIT_IO);
}

static pid_t fork_and_become(const words *w, int null, int log, int claim)
{
    sigset_t all, before, none;
    sigfillset(&all);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t launcher = getpid(), pid = fork();
    if (pid == 0) become(w, launcher, null, log, claim, &none);
    int error = errno;
    if (pid > 0) setpgid(pid, pid); /* here and there: whoever comes first */
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return pid;
}

bool cak_child_start(cak_arena *a, cak_diag *d, const cak_sweep_dir *s, const cak_child_spec *spec, cak_child *out)
{
    *out = (cak_child){ .pid = -1, .log = cak_point_path(a, s, spec->point, "logs"), .started = time(NULL) };
    words w = command(a, s, spec);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), log = open_log(d, spec, &w, out);
    if (null < 0) cak_error(d, CAK_E4002, CAK_NOWHERE, "cannot read /dev/null: %s", strerror(errno));
    if (null >= 0 && log >= 0) {
        setenv("CAK_PARENT", cak_arena_print(a, "%s/%s", s->sweep->name, s->sweep->point[spec->point].id), 1);
        out->pid = fork_and_become(&w, null, log, spec->claim);
        if (out->pid < 0) cak_error(d, CAK_E4003, CAK_NOWHERE, "cannot start a process: %s", strerror(errno));
        unsetenv("CAK_PARENT");
    }
    cak_io_close(null);
    cak_io_close(log);
    return out->pid > 0;
}

cak_attempt cak_child_ended(cak_arena *a, const cak_child *c, int status)
{
    cak_attempt t = { .exit_code = -1, .started = c->started, .ended = time(NULL) };
    if (WIFSIGNALED(status)) t.signal = WTERMSIG(status);
    else t.exit_code = WEXITSTATUS(status);
    if (t.exit_code != CAK_EXIT_OK && t.exit_code != CAK_EXIT_STOPPED) t.reason = last_error(a, c);
    return t;
}
