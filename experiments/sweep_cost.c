/* The bill before the first run. */
#include "experiments/sweep_cost.h"

#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "experiments/sweep_brief.h"
#include "experiments/sweep_measure.h"
#include "experiments/sweep_run.h"
#include "graph/io.h"
#include "graph/par.h"
#include "graph/text.h"

enum {
    TIMED = 8,
    PLANNED = 64,
    OPENED = 64
}; /* programs, programs, data sections at most; the others are taken to be like these */

static const double run_files = 250e3; /* bytes of a run directory beside logs and checkpoints: configurations, graphs, plans */

typedef struct costing {
    cak_arena *a;
    cak_diag *d;
    const cak_sweep *s;
    const cak_sweep_checked *c;
    const cak_cost_options *o;
    cak_brief brief;
    cak_sweep_cost *out;
    cak_data_cost *data;       /* by data section */
    cak_program_cost *program; /* by program */
    bool *done;                /* by point */
    int *left;                 /* by program: points that are not done */
    double *each, *disk;       /* by program: seconds (negative: not known) and bytes of all these points */
} costing;

/* ---- points ---- */

static int compare_id(const void *x, const void *y) { return strcmp(*(const char *const *)x, *(const char *const *)y); }

/* Which points are in the plan already, and which of them have a result. */
static void look_at_points(costing *k, const cak_sweep_dir *old)
{
    int n = old ? old->sweep->n_points : 0;
    const char **id = cak_arena_alloc(k->a, ((size_t)n + 1) * sizeof *id);
    for (int i = 0; i < n; i++) id[i] = old->sweep->point[i].id; /* first field: its address tells which point */
    qsort(id, (size_t)n, sizeof *id, compare_id);
    for (int i = 0; i < k->s->n_points; i++) {
        const char *key = k->s->point[i].id, **found = bsearch(&key, id, (size_t)n, sizeof *id, compare_id);
        cak_point_status status = { .state = CAK_POINT_WAITING };
        if (!found) k->out->fresh++;
        else {
            size_t offset = (size_t)(*found - (const char *)old->sweep->point);
            cak_point_look(k->a, k->d, old, (int)(offset / sizeof *old->sweep->point), &status);
        }
        k->done[i] =
            status.state == CAK_POINT_FINISHED || status.state == CAK_POINT_DIVERGED || status.state == CAK_POINT_STOPPED;
        k->out->done += k->done[i];
        k->left[k->c->program[i]] += !k->done[i];
    }
    k->out->points = k->s->n_points;
}

/* ---- jobs ---- */

static int processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? (int)sysconf(_SC_NPROCESSORS_ONLN) : CPU_COUNT(&set);
}

/* As the launcher will choose them. */
static void choose_jobs(costing *k)
{
    const cak_launcher *l = &k->s->launcher;
    int64_t jobs = k->o->jobs ? k->o->jobs : l->jobs, threads = k->o->threads ? k->o->threads : l->threads_per_job;
    cak_sweep_share(k->s->n_points, processors(), &jobs, &threads);
    k->out->jobs = (int)jobs, k->out->threads = (int)threads;
}

/* ---- data and programs ---- */

static void warn_data(costing *k, int which)
{
    int n = 0, first = -1;
    for (int i = 0; i < k->s->n_points; i++)
        if (k->c->data[i] == which && n++ == 0) first = i;
    const char *more = n > 1 ? cak_arena_print(k->a, " and %d more", n - 1) : "";
    cak_warn(k->d, (cak_pos){ .file = k->s->path }, "point %s%s: the data cannot be opened: %s",
             cak_point_text(k->a, k->s, &k->s->point[first]), more, k->data[which].failure);
}

static void open_data(costing *k)
{
    int n = k->c->n_data;
    k->data = cak_arena_alloc(k->a, ((size_t)n + 1) * sizeof *k->data);
    for (int i = 0; i < n; i++) {
        if (i < OPENED) k->data[i] = cak_data_measure(k->a, k->s, &k->s->point[k->c->data_of[i]], k->o->cache, k->o->progress);
        else k->data[i] = k->data[0];
        if (i < OPENED && k->data[i].failure) warn_data(k, i);
    }
}

/* What was not measured takes its time from counted operations, what was not even planned from the mean of the others. */
static void fill_in(costing *k)
{
    double seconds = 0, work = 0, planned = 0;
    cak_program_cost mean = { 0 };
    for (int i = 0; i < k->c->n_programs; i++) {
        const cak_program_cost *p = &k->program[i];
        if (p->seconds >= 0) seconds += p->seconds, work += p->work;
        if (p->planned) planned++, mean = *p;
    }
    for (int i = 0; i < k->c->n_programs; i++) {
        cak_program_cost *p = &k->program[i];
        if (!p->planned && planned > 0 && i >= PLANNED) *p = mean, p->seconds = -1;
        if (p->planned && p->seconds < 0 && work > 0) p->seconds = p->work * seconds / work;
    }
}

static void measure_programs(costing *k)
{
    int n = k->c->n_programs, planned = 0, timed = 0, before = cak_threads();
    k->program = cak_arena_alloc(k->a, ((size_t)n + 1) * sizeof *k->program);
    cak_threads_set(k->out->threads);
    for (int i = 0; i < n; i++) {
        const cak_data_cost *data = &k->data[k->c->data[k->c->program_of[i]]];
        k->program[i] = (cak_program_cost){ .seconds = -1 };
        if (data->failure || planned >= PLANNED || !k->left[i]) continue;
        planned++;
        k->program[i] = cak_program_measure(k->s, &k->s->point[k->c->program_of[i]], &data->loader, timed < TIMED, k->o->cache);
        timed += k->program[i].seconds >= 0;
    }
    cak_threads_set(before);
    fill_in(k);
}

/* ---- sums ---- */

/* Batches of a run; the last one of an epoch counts by its share. */
static double batches(const cak_loader_info *l, const cak_train_attr *t, const cak_program_cost *p)
{
    int64_t batch = cak_min64(l->batch, l->items), full = batch ? l->items / batch : 0;
    bool short_one = batch && !l->drop_last && l->items % batch;
    double per_epoch = (double)full + (short_one ? p->rest : 0), all = (double)t->epochs * per_epoch;
    double steps = (double)t->epochs * (double)(full + short_one);
    return t->max_steps && (double)t->max_steps < steps ? all * (double)t->max_steps / steps : all;
}

static double kept_checkpoints(const cak_sweep *s, const cak_train_attr *t)
{
    const double kept[] = { [CAK_KEEP_ALL] = (double)t->keep, [CAK_KEEP_LAST] = 1, [CAK_KEEP_NONE] = 0 };
    return kept[s->keep];
}

/* Of one point that is to be run. */
static void add_point(costing *k, int point)
{
    int program = k->c->program[point];
    const cak_program_cost *p = &k->program[program];
    const cak_data_cost *data = &k->data[k->c->data[point]];
    const cak_train_attr *t = &k->c->train[point];
    if (!p->planned || data->failure) {
        k->each[program] = -INFINITY;
        return;
    }
    double n = batches(&data->loader, t, p);
    if (p->seconds < 0) k->each[program] = -INFINITY;
    else k->each[program] += n * p->seconds;
    k->disk[program] +=
        kept_checkpoints(k->s, t) * p->checkpoint + n * p->step_log + (double)t->epochs * p->epoch_log + run_files;
}

static void add_up(costing *k)
{
    cak_sweep_cost *out = k->out;
    double largest = 0, writing = 0;
    k->each = cak_arena_alloc(k->a, ((size_t)k->c->n_programs + 1) * sizeof *k->each);
    k->disk = cak_arena_alloc(k->a, ((size_t)k->c->n_programs + 1) * sizeof *k->disk);
    for (int i = 0; i < k->s->n_points; i++)
        if (!k->done[i]) add_point(k, i);
    int left = out->points - out->done, busy = out->jobs < left ? out->jobs : left;
    for (int i = 0; i < k->c->n_programs; i++) {
        const cak_program_cost *p = &k->program[i];
        if (!k->left[i]) continue;
        if (k->each[i] < 0 || out->seconds < 0) out->seconds = -1;
        else out->seconds += k->each[i];
        out->disk += k->disk[i];
        largest = fmax(largest, p->memory);
        writing = fmax(writing, (double)(k->c->train[k->c->program_of[i]].keep + 1) * p->checkpoint);
    }
    out->memory = busy * largest;
    out->disk += busy * writing; /* while a run goes on it holds more checkpoints than are kept */
    if (out->seconds > 0 && busy) out->seconds /= busy;
}

/* ---- text ---- */

static const char *size_text(cak_arena *a, double bytes)
{
    static const char *const unit[] = { "KiB", "MiB", "GiB", "TiB" };
    int i = 0;
    for (bytes /= 1024; bytes >= 1000 && i < 3; i++) bytes /= 1024;
    return cak_arena_print(a, "%.*f %s", bytes < 10 ? 1 : 0, bytes, unit[i]);
}

static const char *time_text(cak_arena *a, double seconds)
{
    char buf[32];
    return seconds < 0 ? "unknown" : cak_arena_text(a, cak_duration(ceil(seconds), buf));
}

static const char *override_text(costing *k, int point) { return cak_brief_point(k->a, &k->brief, point); }

enum { MAX_ROWS = 20 };

static void print_programs(costing *k, cak_text_builder *b)
{
    const char *first = *override_text(k, 0) ? "first of them" : "";
    cak_text_add(b, "\n%7s  %10s  %10s  %10s%s%s\n", "points", "memory", "disk each", "time each", *first ? "  " : "", first);
    int rows = 0;
    for (int i = 0; i < k->c->n_programs; i++) {
        if (!k->left[i] || rows++ >= MAX_ROWS) continue;
        const cak_program_cost *p = &k->program[i];
        double n = k->left[i];
        cak_text_add(b, "%7d  %10s  %10s  %10s%s%s\n", k->left[i], p->planned ? size_text(k->a, p->memory) : "unknown",
                     p->planned ? size_text(k->a, k->disk[i] / n) : "unknown",
                     time_text(k->a, k->each[i] < 0 ? -1 : k->each[i] / n), *first ? "  " : "",
                     *first ? override_text(k, k->c->program_of[i]) : "");
    }
    if (rows > MAX_ROWS) cak_text_add(b, "and %d more programs\n", rows - MAX_ROWS);
}

static void print_points(costing *k, cak_text_builder *b)
{
    cak_text_add(b, "\n");
    for (int i = 0; i < k->s->n_points; i++) {
        const char *overrides = override_text(k, i);
        cak_text_add(b, "%s%s%s\n", k->s->point[i].id, *overrides ? "  " : "", overrides);
    }
}

/* Where each point is a program of its own, the list of points is the table of programs, too. */
static void print_points_with_costs(costing *k, cak_text_builder *b)
{
    cak_text_add(b, "\n%-16s  %10s  %10s  %10s\n", "point", "memory", "disk", "time");
    for (int i = 0; i < k->s->n_points; i++) {
        int program = k->c->program[i];
        const cak_program_cost *p = &k->program[program];
        const char *none = k->done[i] ? "done" : "unknown";
        bool known = p->planned && !k->done[i];
        cak_text_add(b, "%s  %10s  %10s  %10s  %s\n", k->s->point[i].id, known ? size_text(k->a, p->memory) : none,
                     known ? size_text(k->a, k->disk[program]) : none, k->done[i] ? none : time_text(k->a, k->each[program]),
                     override_text(k, i));
    }
}

/* "lr: grid over hp.lr, seed; all with train.epochs=1" */
static void print_keys(costing *k, cak_text_builder *b)
{
    static const char *const methods[] = { "grid", "random draws", "Sobol sequence" };
    const char *gap = " over ";
    cak_text_add(b, "%s: %s", k->s->name, methods[k->s->method]);
    for (int i = 0; i < k->s->n_keys; i++) {
        if (!k->brief.varies[i]) continue;
        cak_text_add(b, "%s%s", gap, k->s->key[i]);
        gap = ", ";
    }
    if (*k->brief.common) cak_text_add(b, "; all with %s", k->brief.common);
    cak_text_add(b, "\n");
}

static void print_bill(costing *k)
{
    cak_text_builder b = { .a = k->a };
    const cak_sweep_cost *out = k->out;
    int left = out->points - out->done;
    bool own_programs = k->c->n_programs == k->s->n_points && k->s->n_points > 1;
    print_keys(k, &b);
    cak_text_add(&b, "%d point%s: %d new, %d done, %d to run; different programs: %d, data sections: %d\n", out->points,
                 out->points == 1 ? "" : "s", out->fresh, out->done, left, k->c->n_programs, k->c->n_data);
    if (left && !own_programs) print_programs(k, &b);
    if (left)
        cak_text_add(&b, "\ntime %s with %d job%s of %d thread%s, memory %s, disk %s\n", time_text(k->a, out->seconds), out->jobs,
                     out->jobs == 1 ? "" : "s", out->threads, out->threads == 1 ? "" : "s", size_text(k->a, out->memory),
                     size_text(k->a, out->disk));
    k->out->summary = cak_arena_text(k->a, cak_text_done(&b));
    (left && own_programs ? print_points_with_costs : print_points)(k, &b);
    k->out->text = cak_text_done(&b);
}

cak_sweep_cost *cak_sweep_cost_of(cak_arena *a, cak_diag *d, const cak_sweep *s, const cak_sweep_checked *c,
                                  const cak_sweep_dir *old, const cak_cost_options *o)
{
    costing k = { .a = a, .d = d, .s = s, .c = c, .o = o, .out = cak_arena_alloc(a, sizeof(cak_sweep_cost)) };
    k.brief = cak_brief_open(a, s);
    k.done = cak_arena_alloc(a, ((size_t)s->n_points + 1) * sizeof *k.done);
    k.left = cak_arena_alloc(a, ((size_t)c->n_programs + 1) * sizeof *k.left);
    look_at_points(&k, old);
    choose_jobs(&k);
    open_data(&k);
    measure_programs(&k);
    add_up(&k);
    print_bill(&k);
    return k.out;
}

/* ---- the machine ---- */

bool cak_sweep_cost_fits(cak_diag *d, const cak_sweep_cost *cost, const char *dir)
{
    double have = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    double margin = 1.1 * cost->disk + (64 << 20), gib = 1 << 30;
    uint64_t space = cak_io_free_bytes(dir);
    if (cost->memory > 0.9 * have)
        cak_warn(d, CAK_NOWHERE, "%d run%s at a time need about %.1f GiB of memory, the machine has %.1f GiB; see --jobs",
                 cost->jobs, cost->jobs == 1 ? "" : "s", cost->memory / gib, have / gib);
    if (space == UINT64_MAX || (double)space >= margin) return true;
    return cak_error(
        d, CAK_E4007, CAK_NOWHERE,
        "%s: the points need about %.2f GiB, %.2f GiB are free; see `keep`, or choose another place with --sweep-dir", dir,
        margin / gib, (double)space / gib);
}
