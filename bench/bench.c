/* bench: speed, memory and exactness of kernels, graphs, training steps and the program's start. See README.md. */
#include "bench/bench.h"

#include <getopt.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "graph/diag.h"
#include "graph/par.h"
#include "nodes/kernels/gemm.h"

void bench_add(bench_list *l, const bench_case *c)
{
    l->item = cak_arena_grow(l->arena, l->item, &l->cap, l->n + 1, sizeof *l->item);
    l->item[l->n++] = *c;
}

static void (*const tables[])(bench_list *l) = { bench_add_kernels, bench_add_micro,   bench_add_convolutions, bench_add_chains,
                                                 bench_add_steps,   bench_add_balance, bench_add_startup };

typedef struct typed { /* the command line as text */
    bench_options o;
    const char *reps, *min_time, *threads, *list;
} typed;

static const struct choice {
    const char *name, *value, *doc;
    size_t at; /* in typed */
} choices[] = {
    { "filter", "REGEX", "only cases whose name matches", offsetof(typed, o.filter) },
    { "reps", "N", "repetitions of a case (9)", offsetof(typed, reps) },
    { "min-time", "S", "seconds of a repetition at least (0.02)", offsetof(typed, min_time) },
    { "threads", "N,N", "numbers of threads to measure with", offsetof(typed, threads) },
    { "json", "FILE", "write the results as Google Benchmark does, too", offsetof(typed, o.json) },
    { "list", NULL, "list the names of cases", offsetof(typed, list) },
    { "config", "FILE", "experiment of the step cases (configs/cak_paper.yaml)", offsetof(typed, o.config) },
    { "tensors", "FILE", "batch and parameters of the step cases, as safetensors", offsetof(typed, o.tensors) },
    { "gradients", "FILE", "write losses and gradients after the first step of a step case", offsetof(typed, o.gradients) },
    { "cak", "PROGRAM", "program whose start is measured (cak beside bench)", offsetof(typed, o.cak) },
    { "help", NULL, "show this text", 0 },
};
enum { CHOICES = sizeof choices / sizeof *choices };

static int help(void)
{
    printf("usage: bench [options]\n\nMeasure speed, memory and exactness.\n\noptions:\n");
    for (int i = 0; i < CHOICES; i++)
        printf("  --%-9s %-8s %s\n", choices[i].name, choices[i].value ? choices[i].value : "", choices[i].doc);
    return CAK_EXIT_OK;
}

/* False when the program ends here, with the exit code in *code. */
static bool read_line(int argc, char **argv, typed *t, int *code)
{
    struct option known[CHOICES + 1] = { 0 };
    for (int i = 0; i < CHOICES; i++) known[i] = (struct option){ choices[i].name, choices[i].value ? 1 : 0, NULL, 0 };
    int which, got;
    *code = CAK_EXIT_USAGE;
    while ((got = getopt_long(argc, argv, "", known, &which)) == 0) {
        const struct choice *c = &choices[which];
        if (!strcmp(c->name, "help")) return *code = help(), false;
        *(const char **)((char *)t + c->at) = c->value ? optarg : "";
    }
    if (got == -1 && optind == argc) return true;
    if (got == -1) fprintf(stderr, "bench: error: unexpected '%s'\n", argv[optind]);
    return false; /* getopt has said what is wrong */
}

static bool read_threads(bench_options *o, const char *text)
{
    while (text && o->n_threads < BENCH_MAX_THREADS) {
        char *end;
        long n = strtol(text, &end, 10);
        if (end == text || n < 1 || n > 256 || (*end && *end != ',')) break;
        o->thread[o->n_threads++] = (int)n;
        if (!*end) return true;
        text = end + 1;
    }
    if (!text) return o->thread[o->n_threads++] = cak_threads(), true;
    fprintf(stderr, "bench: error: --threads needs up to %d numbers from 1 to 256, as in 1,2\n", BENCH_MAX_THREADS);
    return false;
}

static bool read_number(const char *name, const char *text, double min, double max, double def, double *out)
{
    char *end;
    *out = text ? strtod(text, &end) : def;
    if (!text || (end != text && !*end && *out >= min && *out <= max)) return true;
    fprintf(stderr, "bench: error: --%s needs a number from %g to %g, got '%s'\n", name, min, max, text);
    return false;
}

static bool read_options(bench_options *o, const typed *t)
{
    double reps;
    if (!read_number("reps", t->reps, 1, BENCH_MAX_REPS, 9, &reps)) return false;
    o->reps = (int)reps;
    return read_number("min-time", t->min_time, 0, 60, 0.02, &o->min_time) && read_threads(o, t->threads);
}

typedef struct session {
    bench_list list;
    const bench_result **result;
    int n, cap;
    bool failed;
} session;

/* One case with every number of threads; the bits must not depend on it. */
static void measure_case(session *s, const bench_case *c, const bench_options *o)
{
    const bench_result *first = NULL;
    for (int i = 0; i < (c->alone ? 1 : o->n_threads); i++) {
        bench_result *r = cak_arena_alloc(s->list.arena, sizeof *r);
        if (!bench_measure(r, c, o, c->alone ? 1 : o->thread[i])) s->failed = true;
        if (!r->reps) continue; /* it could not be opened */
        if (first) bench_count(&r->run, "speedup", first->median / r->median);
        if (first && first->run.hash != r->run.hash) {
            fprintf(stderr, "bench: error: %s: other bits with %d threads than with %d\n", c->name, r->threads, first->threads);
            r->run.failed = s->failed = true;
        }
        if (!first) first = r;
        bench_print(r);
        s->result = cak_arena_grow(s->list.arena, s->result, &s->cap, s->n + 1, sizeof *s->result);
        s->result[s->n++] = r;
    }
}

/* Only the cases whose names match stay. */
static int filter_cases(bench_list *l, const regex_t *filter)
{
    int n = 0;
    for (int i = 0; i < l->n; i++)
        if (regexec(filter, l->item[i].name, 0, NULL, 0) == 0) l->item[n++] = l->item[i];
    return l->n = n;
}

static int run_cases(session *s, const bench_options *o, bool list_only)
{
    double before = list_only ? 0 : bench_peak(0.2);
    if (!list_only) {
        printf("%s, %s, clock %.2f GHz, peak of %d threads %.1f GFLOP/s\n", cak_isa_get()->name, CAK_REAL_NAME,
               bench_clock_hz() * 1e-9, cak_threads(), before * 1e-9);
        bench_print_head();
    }
    for (int i = 0; i < s->list.n; i++) {
        if (list_only) printf("%s\n", s->list.item[i].name);
        else measure_case(s, &s->list.item[i], o);
    }
    if (list_only) return CAK_EXIT_OK;
    cak_threads_set(o->thread[0]);
    double after = bench_peak(0.2);
    printf("\npeak afterwards %.1f GFLOP/s (%+.1f %%)\n", after * 1e-9, 100 * (after / before - 1));
    if (o->json && !bench_write_json(o->json, s->result, s->n, before, after)) return CAK_EXIT_IO;
    return s->failed ? CAK_EXIT_BUG : CAK_EXIT_OK;
}

static int no_case(const char *filter)
{
    fprintf(stderr, "bench: error: no case matches --filter '%s'; `bench --list` shows all\n", filter);
    return CAK_EXIT_USAGE;
}

static int bench(const bench_options *o, bool list_only)
{
    regex_t filter;
    if (regcomp(&filter, o->filter, REG_EXTENDED | REG_NOSUB) != 0) {
        fprintf(stderr, "bench: error: --filter '%s' is no regular expression\n", o->filter);
        return CAK_EXIT_USAGE;
    }
    cak_arena *a = cak_arena_open("bench");
    session s = { .list = { .arena = a, .o = o } };
    cak_threads_set(o->thread[0]);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) tables[i](&s.list);
    int code;
    if (s.list.failed) code = CAK_EXIT_DATA;
    else code = filter_cases(&s.list, &filter) ? run_cases(&s, o, list_only) : no_case(o->filter);
    cak_arena_close(a);
    regfree(&filter);
    return code;
}

/* Threads that wait must not spin where neighbours want the processor; libgomp reads its setting before main. */
static void wait_without_spinning(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT")) return;
    setenv("GOMP_SPINCOUNT", "1000", 1);
    execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    wait_without_spinning(argv);
    cak_flush_denormals();
    typed t = { .o = { .filter = "", .config = BENCH_CONFIG } };
    int code;
    if (!read_line(argc, argv, &t, &code) || !read_options(&t.o, &t)) return code;
    return bench(&t.o, t.list != NULL);
}
