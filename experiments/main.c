/* cak: the command line. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <unistd.h>

#include "experiments/command.h"
#include "graph/par.h"

const cak_command cak_commands[] = {
    { "train", "CONFIG [key=value ...]", "train a model as a configuration says; prints the run directory", cak_cmd_train },
    { "resume", "RUN", "go on with a stopped or killed run, bit for bit as if it had not stopped", cak_cmd_resume },
    { "check", "CONFIG [key=value ...]", "check a configuration, shapes and gradients included, without reading data",
      cak_cmd_check },
    { "config", "CONFIG [key=value ...]", "print the resolved configuration", cak_cmd_config },
    { "nodes", "[TYPE]", "list the node types, or explain one", cak_cmd_nodes },
    { "graph", "CONFIG [key=value ...]", "show the graph of a phase as text, dot or svg", cak_cmd_graph },
    { "preprocess", "CONFIG [key=value ...]", "read the audio, prepare and cache the spectrograms", cak_cmd_preprocess },
    { "sweep", "FILE|DIR", "run every point of a sweep file, or go on with a sweep directory", cak_cmd_sweep },
    { "agent", "DIR", "run points of a sweep that nobody runs yet", cak_cmd_agent },
    { "ls", "[DIR ...]", "list runs", cak_cmd_ls },
    { "show", "RUN", "describe a run", cak_cmd_show },
    { "compare", "RUN ...", "compare runs or a sweep: arms, divergence, metrics, tests", cak_cmd_compare },
    { "diff", "A B", "what differs between two runs or configurations", cak_cmd_diff },
    { "inspect", "FILE", "list the tensors of a safetensors file", cak_cmd_inspect },
    { 0 },
};

enum { MAX_THREADS = 1024 }; /* OMP_NUM_THREADS may hold anything */

static int help(FILE *f, int code)
{
    fprintf(f, "cak %s: a laboratory for conditioned audio effects\n\nusage: cak COMMAND ...\n\n", CAK_VERSION);
    for (const cak_command *c = cak_commands; c->name; c++) fprintf(f, "  %-11s %-24s %s\n", c->name, c->usage, c->doc);
    fprintf(
        f,
        "\n'cak COMMAND --help' explains one.  Exit codes: 0 ok, 2 usage, 3 configuration, 4 data, 5 diverged, 6 input/output,\n"
        "7 memory, 8 run directory in use, 9 checkpoint, 10 failed points in a sweep, 70 bug, 75 stopped and resumable, 130 "
        "forced.\n");
    return code;
}

/* File descriptors 0 to 2 must exist, so that no data file takes their place. */
static void open_standard_files(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) exit(CAK_EXIT_IO);
}

/* Threads that wait for each other must sleep, not spin: with spinning, one other busy process makes training ten times slower. libgomp
** reads its setting before main, so the program starts itself once more with it; a user's own setting is respected. */
static void wait_without_spinning(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT")) return;
    setenv("GOMP_SPINCOUNT", "1000", 1);
    execv("/proc/self/exe", argv); /* only returns where /proc is missing: then it spins */
}

/* Passes make a graph after the other and free them: memory that goes back to the system would have to be cleared anew for the next. */
static void keep_freed_memory(void)
{
    mallopt(M_TRIM_THRESHOLD, 16 << 20);
    mallopt(M_TOP_PAD, 1 << 20);
}

/* Is stdout a pipe that nobody reads any more, as in `cak graph ... | head`? */
static bool reader_is_gone(void)
{
    struct pollfd out = { .fd = 1, .events = POLLOUT };
    return poll(&out, 1, 0) > 0 && (out.revents & POLLERR);
}

/* Output that cannot be written is an error, except that of a reader who has seen enough: then the program ends silently and with the code
** it would have had, 0, so that `set -o pipefail` does not see an error either. SIGPIPE (141) is no way to say so: a training must outlive
** the reader of its directory's name. */
static int finish(int code)
{
    if ((fflush(stdout) || ferror(stdout)) && code == CAK_EXIT_OK && !reader_is_gone()) {
        fprintf(stderr, "cak: error: standard output cannot be written [E4001]\n");
        return CAK_EXIT_IO;
    }
    return code;
}

static int wrong_use(const char *what)
{
    fprintf(stderr, "cak: error: %s [E5001]\nTry 'cak --help'.\n", what);
    return CAK_EXIT_USAGE;
}

static int unknown_command(const char *word, const char *const *names, int n)
{
    char text[256];
    const char *near = cak_suggest(word, names, n);
    snprintf(text, sizeof text, "unknown command '%.99s'%s%s%s", word, near ? "; did you mean '" : "", near ? near : "",
             near ? "'?" : "");
    return wrong_use(text);
}

int main(int argc, char **argv)
{
    open_standard_files();
    wait_without_spinning(argv);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    cak_flush_denormals();
    keep_freed_memory();
    if (cak_threads() > MAX_THREADS) cak_threads_set(MAX_THREADS);
    if (argc < 2) return help(stderr, CAK_EXIT_USAGE), wrong_use("COMMAND is missing");
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
        return finish(help(stdout, CAK_EXIT_OK));
    if (!strcmp(argv[1], "--version")) return printf("cak %s (%s)\n", CAK_VERSION, CAK_REAL_NAME), finish(CAK_EXIT_OK);
    const char *names[32];
    int n = 0;
    for (const cak_command *c = cak_commands; c->name; c++) {
        names[n++] = c->name;
        if (!strcmp(c->name, argv[1])) return finish(c->run(argc - 1, argv + 1));
    }
    return unknown_command(argv[1], names, n);
}
