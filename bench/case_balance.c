/* Cases: how evenly the work of a training step spreads over many threads, found out on one by counting and timing its loops. */
#include "bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/step.h"
#include "graph/par.h"

static const int teams[] = { 2, 4, 16, 64 };
enum { TEAMS = sizeof teams / sizeof *teams };
enum { ORDINARY, SPECIAL, KINDS }; /* samples */
enum { FEW, MORE, RUNS };          /* two batches that differ by one slice */

typedef struct loop {
    int64_t items;
    bool spread;    /* large enough for several threads */
    double seconds; /* on one thread, of the shortest run */
} loop;

typedef struct record { /* of a step */
    loop *loop;
    int n, cap;
    double rest; /* seconds between the loops, of the shortest run */
} record;

typedef struct balance {
    bench_plan whole, part[KINDS][RUNS];
    bench_step step[KINDS][RUNS];
    record record[KINDS][RUNS];
    cak_plan_info info[TEAMS];
    int kinds, opened;
    int64_t rows, samples[KINDS]; /* of a slice; of the whole batch */
    double work[KINDS];           /* operations of a slice */
} balance;

/* ---- recording the loops of a step ---- */

static struct watcher {
    cak_arena *arena;
    record *to;
    int at, depth;
    double began, loops; /* seconds */
} watcher;

static void watch_loop(int64_t items, int64_t work, bool begins)
{
    struct watcher *w = &watcher;
    double now = bench_cpu_time();
    if (begins) {
        if (w->depth++ == 0) w->began = now;
        return;
    }
    if (--w->depth) return; /* a loop in a loop is part of it */
    record *r = w->to;
    if (w->at == r->n) {
        r->loop = cak_arena_grow(w->arena, r->loop, &r->cap, r->n + 1, sizeof *r->loop);
        r->loop[r->n++] = (loop){ items, work >= CAK_SMALL, INFINITY };
    }
    loop *l = &r->loop[w->at++];
    CAK_CHECK(l->items == items); /* a step has the same loops each time */
    l->seconds = fmin(l->seconds, now - w->began);
    w->loops += now - w->began;
}

static void record_step(bench_step *s, record *r, cak_arena *a)
{
    watcher = (struct watcher){ .arena = a, .to = r };
    cak_loop_watched = watch_loop;
    double start = bench_cpu_time();
    bench_step_run(s);
    double rest = bench_cpu_time() - start - watcher.loops;
    cak_loop_watched = NULL;
    r->rest = r->rest > 0 ? fmin(r->rest, rest) : rest;
}

/* ---- a model of more threads: a loop lasts as long as the thread with most items, what is no loop runs on one ---- */

static double seconds_on(const record *r, int threads)
{
    double sum = r->rest;
    for (int i = 0; i < r->n; i++) {
        int64_t n = r->loop[i].items, longest = (n + threads - 1) / threads;
        sum += r->loop[i].seconds * (r->loop[i].spread && n ? (double)longest / (double)n : 1);
    }
    return sum;
}

/* What one slice more adds. */
static double slice_seconds(const balance *b, int kind, int threads)
{
    return fmax(0, seconds_on(&b->record[kind][MORE], threads) - seconds_on(&b->record[kind][FEW], threads));
}

static int64_t slices_of(const balance *b, int kind) { return (b->samples[kind] + b->rows - 1) / b->rows; }

/* What is done once for the batch. */
static double outside_seconds(const balance *b, int threads)
{
    double few = (double)(b->part[ORDINARY][FEW].batch / b->rows);
    return fmax(0, seconds_on(&b->record[ORDINARY][FEW], threads) - few * slice_seconds(b, ORDINARY, threads));
}

/* Slices run side by side in waves, ordinary samples first; a wave lasts as long as its longest slice. A slice costs shared[kind], or
** alone[kind] where no other runs beside it and it has all threads. */
static double waves(const balance *b, int slots, const double *shared, const double *alone)
{
    int64_t first = slices_of(b, ORDINARY), slices = first + slices_of(b, SPECIAL);
    double sum = 0;
    for (int64_t from = 0; from < slices; from += slots) {
        int64_t end = cak_min64(slices, from + slots);
        double longest = 0;
        for (int64_t i = from; i < end; i++) {
            int kind = i < first ? ORDINARY : SPECIAL;
            int64_t left = b->samples[kind] - (kind == SPECIAL ? i - first : i) * b->rows;
            double cost = end - from == 1 ? alone[kind] : shared[kind];
            longest = fmax(longest, cost * (double)cak_min64(b->rows, left) / (double)b->rows);
        }
        sum += longest;
    }
    return sum;
}

/* cost[kind], summed over the samples */
static double total(const balance *b, const double *cost)
{
    double sum = 0;
    for (int k = 0; k < b->kinds; k++) sum += cost[k] * (double)b->samples[k] / (double)b->rows;
    return sum;
}

static void count_team(bench_run *r, const balance *b, int i)
{
    const int threads = teams[i], slots = b->info[i].slots, team = b->info[i].threads;
    double one[KINDS] = { 0 }, shared[KINDS] = { 0 }, alone[KINDS] = { 0 }, counted[KINDS] = { 0 };
    for (int k = 0; k < b->kinds; k++) {
        one[k] = slice_seconds(b, k, 1);
        shared[k] = slice_seconds(b, k, team);
        alone[k] = slice_seconds(b, k, threads);
        counted[k] = b->work[k] * team / threads;
    }
    double outside = outside_seconds(b, threads), all = outside + waves(b, slots, shared, alone);
    const struct {
        const char *name;
        double value;
    } rows[] = {
        { "slots", slots },
        { "team", team },
        { "waves", total(b, b->work) * team / threads / waves(b, slots, b->work, counted) },
        { "inside", total(b, one) / (team * total(b, shared)) },
        { "outside", outside / all },
        { "speedup", (outside_seconds(b, 1) + total(b, one)) / all },
    };
    char group[16];
    snprintf(group, sizeof group, "%d_threads", threads);
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) bench_count_in(r, group, rows[k].name, rows[k].value);
}

/* ---- the case ---- */

/* How the planner divides a batch for each number of threads; nothing of it is run. */
static bool plan_whole(bench_run *r, balance *b)
{
    bench_step s = { .p = &b->whole };
    const cak_program *p = NULL;
    bool ok = bench_step_build(&s, r->o, r->arena);
    for (int i = 0; ok && i < s.x->n_phases; i++)
        if (bench_step_runs(&b->whole, &s.x->phase[i])) p = s.x->phase[i].step[0].program;
    ok = p && cak_program_info(p).rounds > 0;
    for (int i = 0; ok && i < TEAMS; i++) b->info[i] = cak_program_info_on(p, teams[i]);
    if (ok) {
        b->rows = cak_program_info(p).rows;
        double outside = cak_program_work(p, 0, 0);
        b->work[ORDINARY] = cak_program_work(p, b->rows, 0) - outside;
        b->work[SPECIAL] = cak_program_work(p, 0, b->rows) - outside;
    } else fprintf(stderr, "bench: error: the experiment has no phase '%s' that takes the batch in slices\n", b->whole.phase);
    bench_step_close(&s);
    return ok;
}

/* Batches that the planner cuts into slices as it does the whole one. */
static bool open_parts(bench_run *r, balance *b)
{
    int64_t few = b->rows > 1 ? 4 * b->rows : 1;
    for (; b->opened < b->kinds * RUNS; b->opened++) {
        int kind = b->opened / RUNS, which = b->opened % RUNS;
        bench_plan *p = &b->part[kind][which];
        bench_step *s = &b->step[kind][which];
        *p = b->whole;
        p->batch = few + (which == MORE ? b->rows : 0);
        p->every = kind == SPECIAL ? 1 : 0;
        s->p = p;
        if (!bench_step_build(s, r->o, r->arena) || !bench_step_ready(s, r->o, r->arena)) return b->opened++, false;
        for (int i = 0; i < s->x->n_phases; i++) {
            const cak_phase *phase = &s->x->phase[i];
            if (!bench_step_runs(p, phase)) continue;
            CAK_CHECK(cak_max64(1, cak_program_info(phase->step[0].program).rows) == b->rows);
            r->executed += bench_step_executed(s, phase);
            r->effective += bench_step_torch(s, phase);
        }
    }
    return true;
}

static bool balance_open(bench_run *r, const void *arg)
{
    balance *b = r->state = cak_arena_alloc(r->arena, sizeof *b);
    b->whole = *(const bench_plan *)arg;
    b->samples[SPECIAL] = bench_identities(&b->whole);
    b->samples[ORDINARY] = b->whole.batch - b->samples[SPECIAL];
    b->kinds = b->samples[SPECIAL] ? KINDS : 1;
    return plan_whole(r, b) && open_parts(r, b);
}

static void balance_run(bench_run *r)
{
    balance *b = r->state;
    for (int i = 0; i < b->opened; i++) record_step(&b->step[i / RUNS][i % RUNS], &b->record[i / RUNS][i % RUNS], r->arena);
}

static void balance_close(bench_run *r)
{
    balance *b = r->state;
    if (b->record[0][0].n) {
        bench_count(r, "samples_of_a_slice", (double)b->rows);
        bench_count(r, "special_work", b->work[SPECIAL] / b->work[ORDINARY]);
        for (int i = 0; i < TEAMS; i++) count_team(r, b, i);
    }
    for (int i = 0; i < b->opened; i++) bench_step_close(&b->step[i / RUNS][i % RUNS]);
}

void bench_add_balance(bench_list *l)
{
    static const int64_t sizes[][3] = { { 16, 64, 64 }, { 64, 64, 64 }, { 16, 1025, 1292 } };
    if (l->o->tensors) return;
    for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
        for (int i = 0; bench_phases[i]; i++)
            for (int mix = 0; mix < 2; mix++) {
                bench_plan *p = cak_arena_alloc(l->arena, sizeof *p);
                *p = (bench_plan){ bench_phases[i], sizes[z][0], sizes[z][1], sizes[z][2], 2 * mix };
                const char *name = cak_arena_print(l->arena, "balance/%lldx%lldx%lld/%s/%s", (long long)p->batch, (long long)p->h,
                                                   (long long)p->w, p->phase, mix ? "mix" : "distinct");
                bench_add(l, &(bench_case){ name, balance_open, balance_run, NULL, balance_close, p, true });
            }
}
