/* Cases: the program from exec to its first training step, and to its end. */
#include "bench/bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "graph/diag.h"
#include "graph/io.h"

typedef struct startup {
    const char *program, *dir;
    bool whole; /* to the end of the program, not to its first step */
    bool broken;
} startup;

extern char **environ;

/* The program beside this one. */
static const char *sibling(cak_arena *a, const char *name)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n < 0) return name;
    path[n] = 0;
    char *slash = strrchr(path, '/');
    return cak_arena_print(a, "%.*s/%s", (int)(slash - path), path, name);
}

static bool startup_open(bench_run *r, const void *arg)
{
    startup *s = r->state = cak_arena_alloc(r->arena, sizeof *s);
    char *dir = cak_arena_text(r->arena, "/tmp/bench-XXXXXX");
    *s = (startup){ .program = r->o->cak ? r->o->cak : sibling(r->arena, "cak"), .whole = *(const bool *)arg };
    if (access(s->program, X_OK) != 0) return fprintf(stderr, "bench: error: %s cannot be run\n", s->program), false;
    s->dir = mkdtemp(dir);
    return s->dir || (fprintf(stderr, "bench: error: no temporary directory\n"), false);
}

/* One training step of a small experiment. The run directory is printed when data, graphs, plans and memory are ready. */
static pid_t start(const startup *s, const char *run, int out)
{
    const char *const argv[] = { s->program, "train",   BENCH_TINY, "--max-steps", "1", "--progress",
                                 "none",     "--cache", s->dir,     "--run-dir",   run, NULL };
    pid_t pid = fork();
    if (pid != 0) return pid;
    int null = open("/dev/null", O_WRONLY);
    if (dup2(out, 1) < 0 || dup2(null, 2) < 0) _exit(127);
    execve(s->program, (char *const *)(uintptr_t)argv, environ);
    _exit(127);
}

static void remove_tree(cak_diag *d, const char *dir)
{
    int n = 0;
    cak_arena *a = cak_arena_open("bench");
    const cak_io_entry *e = cak_io_list(a, d, dir, &n);
    for (int i = 0; e && i < n; i++) {
        const char *path = cak_arena_print(a, "%s/%s", dir, e[i].name);
        if (e[i].kind == CAK_IO_DIR) remove_tree(d, path);
        else cak_io_remove(d, path);
    }
    cak_io_remove_dir(d, dir);
    cak_arena_close(a);
}

static void startup_run(bench_run *r)
{
    startup *s = r->state;
    char run[64], line[4096];
    int fd[2], status = -1;
    snprintf(run, sizeof run, "%s/run", s->dir);
    if (pipe(fd) != 0) {
        s->broken = true;
        return;
    }
    double begin = bench_now();
    pid_t pid = start(s, run, fd[1]);
    close(fd[1]);
    bool told = read(fd[0], line, sizeof line) > 0;
    double ready = bench_now();
    close(fd[0]);
    if (pid > 0) waitpid(pid, &status, 0);
    r->manual = (s->whole ? bench_now() : ready) - begin;
    s->broken = s->broken || !told || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    cak_diag *d = cak_diag_open();
    remove_tree(d, run);
    cak_diag_close(d);
}

static void startup_check(bench_run *r)
{
    startup *s = r->state;
    r->failed = s->broken;
    if (s->broken) fprintf(stderr, "bench: error: '%s train %s' failed\n", s->program, BENCH_TINY);
}

static void startup_close(bench_run *r)
{
    startup *s = r->state;
    cak_diag *d = cak_diag_open();
    if (s->dir) remove_tree(d, s->dir);
    cak_diag_close(d);
}

void bench_add_startup(bench_list *l)
{
    static const bool ready = false, whole = true;
    bench_add(l, &(bench_case){ "startup/first_step", startup_open, startup_run, startup_check, startup_close, &ready, true });
    bench_add(l, &(bench_case){ "startup/one_step_run", startup_open, startup_run, startup_check, startup_close, &whole, true });
}
