/* Running another program to its end, and reading what it writes. */
#include "experiments/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "experiments/progress.h"
#include "graph/io.h"
#include "graph/text.h"

enum { LONGEST = 1 << 20, BLOCK = 4096 }; /* bytes that are kept of an output; bytes of a read */

typedef struct stream { /* an output of the program */
    int ends[2];        /* of a pipe: reading, writing */
    cak_text_builder text;
} stream;

static bool open_stream(stream *s, cak_arena *a)
{
    *s = (stream){ .ends = { -1, -1 }, .text = { .a = a } };
    return pipe2(s->ends, O_CLOEXEC) == 0;
}

static void close_end(int *end)
{
    cak_io_close(*end);
    *end = -1;
}

static void close_stream(stream *s)
{
    close_end(&s->ends[0]);
    close_end(&s->ends[1]);
}

/* In the child. What the launcher ignores, the program need not; its input is empty. */
static void become(const char *const *argv, const stream *out, const stream *err)
{
    static const char message[] = "the program is not there, or cannot be started\n";
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
    dup2(out->ends[1], STDOUT_FILENO);
    dup2(err->ends[1], STDERR_FILENO);
    execvp(argv[0], (char *const *)argv);
    if (write(STDERR_FILENO, message, sizeof message - 1) < 0) _exit(CAK_PROCESS_ABSENT);
    _exit(CAK_PROCESS_ABSENT);
}

static void take(stream *s, const struct pollfd *p)
{
    char block[BLOCK];
    if (!p->revents) return;
    ssize_t n = read(s->ends[0], block, sizeof block);
    if (n > 0 && s->text.n < LONGEST) cak_text_add(&s->text, "%.*s", (int)n, block);
    if (n == 0 || (n < 0 && errno != EINTR)) close_end(&s->ends[0]);
}

/* Until both outputs are closed; false when that takes too long. */
static bool read_both(stream *out, stream *err, double timeout)
{
    double until = cak_seconds() + timeout;
    while (out->ends[0] >= 0 || err->ends[0] >= 0) {
        double left = until - cak_seconds();
        struct pollfd p[2] = { { out->ends[0], POLLIN, 0 }, { err->ends[0], POLLIN, 0 } }; /* those of -1 are passed over */
        if (left <= 0) return false;
        if (poll(p, 2, (int)(left * 1e3) + 1) < 0) continue;
        take(out, &p[0]);
        take(err, &p[1]);
    }
    return true;
}

/* "a\nb\n" -> "a; b" */
static const char *on_one_line(cak_arena *a, const char *text)
{
    cak_text_builder b = { .a = a };
    for (size_t n; *text; text += n + (text[n] != 0)) {
        n = strcspn(text, "\n");
        if (n) cak_text_add(&b, "%s%.*s", b.n ? "; " : "", (int)n, text);
    }
    return cak_text_done(&b);
}

static cak_process watch(cak_arena *a, pid_t pid, stream *out, stream *err, double timeout)
{
    int status;
    close_end(&out->ends[1]);
    close_end(&err->ends[1]);
    bool in_time = read_both(out, err, timeout);
    if (!in_time) kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    cak_process p = { .code = -1, .out = cak_text_done(&out->text), .says = on_one_line(a, cak_text_done(&err->text)) };
    if (!in_time) p.says = cak_arena_print(a, "no answer within %g s", timeout);
    else if (WIFSIGNALED(status)) p.says = cak_arena_print(a, "killed by signal %d", WTERMSIG(status));
    else p.code = WEXITSTATUS(status);
    return p;
}

cak_process cak_process_run(cak_arena *a, const char *const *argv, double timeout)
{
    stream out, err;
    bool opened = open_stream(&out, a), ready = open_stream(&err, a) && opened;
    pid_t pid = ready ? fork() : -1;
    if (pid == 0) become(argv, &out, &err);
    cak_process p = { .code = -1, .out = "" };
    if (pid > 0) p = watch(a, pid, &out, &err, timeout);
    else p.says = cak_arena_print(a, "cannot start a process: %s", strerror(errno));
    close_stream(&out);
    close_stream(&err);
    return p;
}
