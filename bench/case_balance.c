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

/* Part of a step that is run once, once for each slice, or stands for the same part of another slice. */
typedef enum part { ONCE, SLICE, AGAIN } part;

typedef struct loop {
    int64_t items, work;
    double seconds, before; /* on one thread: of the loop, and since the loop before it; of the shortest runs */
    part part;
} loop;

typedef struct record { /* of a step */
    loop *loop;
    int n, cap;
    double after; /* seconds behind the last loop */
} record;

typedef struct balance {
    bench_plan whole, some[KINDS]; /* some: a batch of one kind */
    bench_step step[KINDS];
    record record[KINDS];
    cak_plan_info info, on[TEAMS];
    int kinds, opened;
    int64_t samples[KINDS];
    double work[KINDS]; /* operations of a slice */
} balance;

/* ---- recording the loops of a step ---- */

static struct watcher {
    cak_arena *arena;
    record *to;
    int at, depth;
    double began, ended;
} watcher;

static void add_loop(struct watcher *w, int64_t items, int64_t work)
{
    record *r = w->to;
    r->loop = cak_arena_grow(w->arena, r->loop, &r->cap, r->n + 1, sizeof *r->loop);
    r->loop[r->n++] = (loop){ .items = items, .work = work, .seconds = INFINITY, .before = INFINITY };
}

static void watch_loop(int64_t items, int64_t work, bool begins)
{
    struct watcher *w = &watcher;
    double now = bench_cpu_time();
    if (begins && w->depth++ == 0) w->began = now;
    if (begins || --w->depth) return; /* a loop in a loop is part of it */
    if (w->at == w->to->n) add_loop(w, items, work);
    loop *l = &w->to->loop[w->at++];
    CAK_CHECK(l->items == items && l->work == work); /* a step has the same loops each time */
    l->seconds = fmin(l->seconds, now - w->began);
    l->before = fmin(l->before, w->began - w->ended);
    w->ended = now;
}

static void record_step(bench_step *s, record *r, cak_arena *a)
{
    watcher = (struct watcher){ .arena = a, .to = r, .ended = bench_cpu_time() };
    bool first = r->n == 0;
    cak_loop_watched = watch_loop;
    bench_step_run(s);
    cak_loop_watched = NULL;
    double after = bench_cpu_time() - watcher.ended;
    r->after = first ? after : fmin(r->after, after);
}

/* ---- finding the slices: what comes so many times, one after the other ---- */

static bool repeats(const record *r, int at, int period, int times)
{
    for (int i = at; i < at + period * times; i++) {
        const loop *l = &r->loop[i], *next = i < at + period * (times - 1) ? l + period : l;
        if (l->part != ONCE || l->items != next->items || l->work != next->work) return false;
    }
    return true;
}

/* One of them stays, with the shortest times of all. */
static void fold_slices(record *r, int at, int period, int times)
{
    for (int i = at; i < at + period * times; i++) {
        loop *l = &r->loop[i], *first = &r->loop[at + (i - at) % period];
        first->seconds = fmin(first->seconds, l->seconds);
        first->before = fmin(first->before, l->before);
        l->part = l == first ? SLICE : AGAIN;
    }
}

/* Of one round: the longest part of the step that repeats. */
static void find_slices(record *r, int times)
{
    for (int period = r->n / times; period > 0; period--)
        for (int at = 0; at + period * times <= r->n; at++)
            if (repeats(r, at, period, times)) {
                fold_slices(r, at, period, times);
                return;
            }
}

/* ---- a model of more threads: a loop lasts as long as the thread with most items, what is no loop runs on one ---- */

static double seconds_on(const record *r, part which, int threads)
{
    double sum = which == ONCE ? r->after : 0;
    for (int i = 0; i < r->n; i++) {
        const loop *l = &r->loop[i];
        int64_t longest = (l->items + threads - 1) / threads;
        bool spread = l->work >= CAK_SMALL && l->items > 0;
        if (l->part == which) sum += l->before + l->seconds * (spread ? (double)longest / (double)l->items : 1);
    }
    return sum;
}

static int64_t slices_of(const balance *b, int kind) { return (b->samples[kind] + b->info.rows - 1) / b->info.rows; }

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
            int64_t left = b->samples[kind] - (kind == SPECIAL ? i - first : i) * b->info.rows;
            double cost = end - from == 1 ? alone[kind] : shared[kind];
            longest = fmax(longest, cost * (double)cak_min64(b->info.rows, left) / (double)b->info.rows);
        }
        sum += longest;
    }
    return sum;
}

/* cost[kind], summed over the samples */
static double total(const balance *b, const double *cost)
{
    double sum = 0;
    for (int k = 0; k < b->kinds; k++) sum += cost[k] * (double)b->samples[k] / (double)b->info.rows;
    return sum;
}

static void count_team(bench_run *r, const balance *b, int i)
{
    const int threads = teams[i], slots = b->on[i].slots, team = b->on[i].threads;
    double one[KINDS] = { 0 }, shared[KINDS] = { 0 }, alone[KINDS] = { 0 }, counted[KINDS] = { 0 };
    for (int k = 0; k < b->kinds; k++) {
        one[k] = seconds_on(&b->record[k], SLICE, 1);
        shared[k] = seconds_on(&b->record[k], SLICE, team);
        alone[k] = seconds_on(&b->record[k], SLICE, threads);
        counted[k] = b->work[k] * team / threads;
    }
    double outside = seconds_on(&b->record[0], ONCE, threads), all = outside + waves(b, slots, shared, alone);
    const struct {
        const char *name;
        double value;
    } rows[] = {
        { "slots", slots },
        { "team", team },
        { "waves", total(b, b->work) * team / threads / waves(b, slots, b->work, counted) },
        { "inside", total(b, one) / (team * total(b, shared)) },
        { "outside", outside / all },
        { "speedup", (seconds_on(&b->record[0], ONCE, 1) + total(b, one)) / all },
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
    if (p) b->info = cak_program_info(p);
    ok = b->info.rounds > 0;
    for (int i = 0; ok && i < TEAMS; i++) b->on[i] = cak_program_info_on(p, teams[i]);
    if (ok) {
        double once = cak_program_work(p, 0, 0);
        b->work[ORDINARY] = cak_program_work(p, b->info.rows, 0) - once;
        b->work[SPECIAL] = cak_program_work(p, 0, b->info.rows) - once;
    } else fprintf(stderr, "bench: error: the experiment has no phase '%s' that takes the batch in slices\n", b->whole.phase);
    bench_step_close(&s);
    return ok;
}

/* Few slices, which are as large as those of the whole batch. */
static bool open_kind(bench_run *r, balance *b, int kind)
{
    bench_plan *p = &b->some[kind];
    bench_step *s = &b->step[kind];
    *p = b->whole;
    p->batch = b->info.rows > 1 ? 4 * b->info.rows : 3;
    p->every = kind == SPECIAL ? 1 : 0;
    s->p = p;
    b->opened++;
    if (!bench_step_build(s, r->o, r->arena) || !bench_step_ready(s, r->o, r->arena)) return false;
    for (int i = 0; i < s->x->n_phases; i++) {
        const cak_phase *phase = &s->x->phase[i];
        if (!bench_step_runs(p, phase)) continue;
        CAK_CHECK(cak_program_info(phase->step[0].program).rows == b->info.rows);
        r->executed += bench_step_executed(s, phase);
        r->effective += bench_step_torch(s, phase);
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
    bool ok = plan_whole(r, b);
    for (int k = 0; k < b->kinds && ok; k++) ok = open_kind(r, b, k);
    return ok;
}

static void balance_run(bench_run *r)
{
    balance *b = r->state;
    for (int k = 0; k < b->kinds; k++) record_step(&b->step[k], &b->record[k], r->arena);
}

static void balance_close(bench_run *r)
{
    balance *b = r->state;
    bool ran = b->record[0].n > 0;
    for (int k = 0; k < b->kinds && ran; k++)
        for (int round = 0; round < b->info.rounds; round++) find_slices(&b->record[k], (int)(b->some[k].batch / b->info.rows));
    if (ran) {
        bench_count(r, "samples_of_a_slice", (double)b->info.rows);
        bench_count(r, "special_work", b->work[SPECIAL] / b->work[ORDINARY]);
        for (int i = 0; i < TEAMS; i++) count_team(r, b, i);
    }
    for (int k = 0; k < b->opened; k++) bench_step_close(&b->step[k]);
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
