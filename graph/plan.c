/* From a graph to a program: what is computed once and what slice by slice, units, their order, and a place for every value. */
#include "graph/plan.h"

#include <string.h>

#include "graph/par.h"
#include "graph/pass.h"

enum {
    ALIGN = 64,
    SMALL_SLOT = 64 * 1024 * 1024, /* bytes: smaller slices run side by side, one for each thread */
    TEAM = 4                       /* threads that share a large slice */
};

typedef struct planner {
    cak_arena *a; /* of the program */
    cak_arena *tmp;
    const cak_graph *g;
    cak_program *p;
    int size;   /* values of the graph */
    bool *live; /* by id */
} planner;

static size_t round_up(size_t bytes) { return (bytes + ALIGN - 1) / ALIGN * ALIGN; }
static bool external(const cak_graph *g, int id) { return cak_value_name(g, (cak_ref){ id }) != NULL; }
static const cak_value *value(const planner *q, int id) { return cak_graph_value(q->g, (cak_ref){ id }); }
static void *per_value(planner *q, size_t item) { return cak_arena_alloc(q->tmp, ((size_t)q->size + 1) * item); }

static int64_t elements(const planner *q, int id, int64_t rows)
{
    cak_shape s = cak_shape_in_slice(q->g, (cak_ref){ id }, rows);
    return cak_shape_size(&s);
}

static size_t value_bytes(const planner *q, int id, int64_t rows)
{
    return round_up((size_t)elements(q, id, rows) * sizeof(real));
}

static bool has_rows(const planner *q, int id) { return value(q, id)->rows == CAK_ROWS_SAMPLE; }
static bool needs_kernel(const planner *q, int id) { return !value(q, id)->node->alias && !external(q->g, id); }

static void find_live(planner *q, const cak_special *special)
{
    cak_program *p = q->p;
    q->live = cak_pass_live(q->g, p->out, p->n_out, q->tmp);
    const bool *more = special ? cak_pass_live(q->g, special->instead, special->n_results, q->tmp) : q->live;
    for (int id = 0; id < q->size; id++) q->live[id] = q->live[id] || more[id];
    for (int id = 0; id < q->size; id++) p->root[id] = value(q, id)->node->alias ? p->root[value(q, id)->in[0].id] : id;
}

/* ---- steps: what they read and write ---- */

typedef struct steps {
    cak_step_io *io;
    cak_job *job;
    int n;
    const bool *local; /* by id: has memory in the timetable that is made */
    int64_t rows;      /* samples of a slice; 0: whole values */
    int *seen;         /* by id: number of the last step, from 1, that reads or makes it */
} steps;

/* Values of `local` that the unit reads from memory and does not make itself. */
static void find_reads(planner *q, steps *s, const cak_unit *u, cak_step_io *io, const bool *stored)
{
    int n = 0, mine = s->n + 1;
    for (int i = 0; i < u->n; i++) n += value(q, u->id[i])->n_in, s->seen[u->id[i]] = mine;
    io->read = cak_arena_alloc(q->a, ((size_t)n + 1) * sizeof *io->read);
    io->write = cak_arena_alloc(q->a, ((size_t)u->n + 1) * sizeof *io->write);
    for (int i = 0; i < u->n; i++) {
        if (stored[u->id[i]]) io->write[io->n_write++] = u->id[i];
        for (int k = 0; k < value(q, u->id[i])->n_in; k++) {
            int in = q->p->root[value(q, u->id[i])->in[k].id];
            if (s->seen[in] == mine || !s->local[in]) continue;
            s->seen[in] = mine;
            io->read[io->n_read++] = in;
        }
    }
}

/* May the unit write the elements of `write` where it reads those of `read`? All works element by element, value after value: so it may
** when `read` is nowhere broadcast and is read by no value after `write`. */
static bool can_take_over(const planner *q, const steps *s, const cak_unit *u, int write, int read)
{
    for (int i = 0; i < u->n; i++)
        for (int k = 0; k < value(q, u->id[i])->n_in; k++) {
            int in = value(q, u->id[i])->in[k].id;
            if (q->p->root[in] != read) continue;
            if (u->id[i] > write || elements(q, in, s->rows) != elements(q, write, s->rows)) return false;
        }
    return true;
}

static void find_take_overs(planner *q, const steps *s, const cak_unit *u, cak_step_io *io)
{
    io->over = cak_arena_alloc(q->a, (size_t)(io->n_write * io->n_read + 1) * sizeof *io->over);
    for (int i = 0; i < io->n_write; i++)
        for (int k = 0; k < io->n_read && value(q, io->write[i])->node->in_place; k++)
            if (can_take_over(q, s, u, io->write[i], io->read[k])) {
                io->over[io->n_over][0] = io->write[i];
                io->over[io->n_over++][1] = io->read[k];
            }
}

static void add_unit(planner *q, steps *s, const cak_unit *u, const bool *stored)
{
    cak_step_io *io = &s->io[s->n];
    *io = (cak_step_io){ .what = s->n };
    s->job[s->n] = (cak_job){ .unit = *u, .round = -1 };
    find_reads(q, s, u, io, stored);
    if (u->n > 1) s->job[s->n].fused = cak_fused_open(q->a, q->g, u, stored);
    find_take_overs(q, s, u, io);
    s->n++;
}

static steps open_steps(planner *q, int n, const bool *local, int64_t rows)
{
    size_t room = (size_t)n + 1;
    return (steps){ .io = cak_arena_alloc(q->tmp, room * sizeof(cak_step_io)),
                    .job = cak_arena_alloc(q->a, room * sizeof(cak_job)),
                    .local = local,
                    .rows = rows,
                    .seen = per_value(q, sizeof(int)) };
}

static cak_timetable make_timetable(planner *q, const steps *s, const bool *pinned)
{
    size_t *bytes = per_value(q, sizeof *bytes);
    for (int id = 0; id < q->size; id++)
        if (s->local[id]) bytes[id] = value_bytes(q, id, s->rows);
    return cak_timetable_of(q->a, q->size, s->io, s->n, bytes, pinned);
}

/* ---- rounds ---- */

/* The values that take the place of the results of round k for special samples. */
static cak_ref instead(const cak_program *p, int id, bool special)
{
    for (int i = 0; special && i < p->special->n_results; i++)
        if (p->special->result[i].id == id) return p->special->instead[i];
    return (cak_ref){ id };
}

/* The values to compute: contributions to the totals, rows of the stored ones. A contribution that is a constant zero is left out. */
static bool *find_roots(planner *q, cak_round *w, cak_variant *v, bool special)
{
    bool *roots = per_value(q, sizeof(bool));
    v->part = cak_arena_alloc(q->a, ((size_t)w->n_total + 1) * sizeof *v->part);
    v->row = cak_arena_alloc(q->a, ((size_t)w->n_stored + 1) * sizeof *v->row);
    for (int i = 0; i < w->n_total; i++) {
        cak_ref r = instead(q->p, w->total[i], special);
        v->part[i] = r;
        if (!cak_is_none(r)) roots[q->p->root[r.id]] = true;
    }
    for (int i = 0; i < w->n_stored; i++) {
        v->row[i] = instead(q->p, w->stored[i], special);
        roots[q->p->root[v->row[i].id]] = true;
    }
    return roots;
}

static void plan_variant(planner *q, cak_round *w, cak_variant *v, int k, bool special, bool *used)
{
    bool *roots = find_roots(q, w, v, special);
    bool *need = cak_round_values(q->tmp, q->g, &q->p->slices, k, roots), *run = per_value(q, sizeof *run);
    int *stage = per_value(q, sizeof *stage);
    for (int id = 0; id < q->size; id++) {
        run[id] = need[id] && needs_kernel(q, id);
        used[id] = used[id] || need[id];
    }
    cak_units u = cak_fuse(q->a, q->g, run, roots, stage, !q->p->plain);
    bool *local = per_value(q, sizeof *local);
    for (int id = 0; id < q->size; id++) local[id] = run[id] && u.stored[id];
    steps s = open_steps(q, u.n, local, q->p->slices.rows);
    for (int i = 0; i < u.n; i++) add_unit(q, &s, &u.unit[i], u.stored);
    v->slot = make_timetable(q, &s, roots);
    v->job = s.job;
}

/* Values outside of the slot that the values in `used` read. */
static void find_outside(planner *q, cak_round *w, const bool *used, cak_step_io *io)
{
    const cak_slices *s = &q->p->slices;
    bool *seen = per_value(q, sizeof *seen);
    io->read = cak_arena_alloc(q->a, ((size_t)q->size + 1) * sizeof *io->read);
    w->rows = cak_arena_alloc(q->a, ((size_t)q->size + 1) * sizeof *w->rows);
    w->row_at = cak_arena_alloc(q->a, ((size_t)q->size + 1) * sizeof *w->row_at);
    for (int id = 0; id < q->size; id++)
        for (int i = 0; used[id] && i < value(q, id)->n_in; i++) {
            int in = value(q, id)->in[i].id, r = q->p->root[in];
            if (seen[r] || used[r]) continue;
            seen[r] = true;
            if (!external(q->g, r)) io->read[io->n_read++] = r;
            if (!has_rows(q, r)) continue;
            w->row_at[w->n_rows] = w->rows_bytes;
            w->rows_bytes += value_bytes(q, r, s->rows);
            w->rows[w->n_rows++] = r;
        }
}

static void find_results(planner *q, cak_round *w, int k)
{
    const cak_slices *s = &q->p->slices;
    w->total = cak_arena_alloc(q->a, ((size_t)q->size + 1) * sizeof *w->total);
    w->stored = cak_arena_alloc(q->a, ((size_t)q->size + 1) * sizeof *w->stored);
    w->sum_at = cak_arena_alloc(q->a, ((size_t)q->size + 1) * sizeof *w->sum_at);
    for (int id = 0; id < q->size; id++) {
        if (!q->live[id] || !s->sliced[id] || s->stage[id] != k) continue;
        if (s->stored[id]) w->stored[w->n_stored++] = id;
        if (!s->total[id]) continue;
        w->sum_at[w->n_total] = w->sums;
        w->sums += (cak_shape_size(&value(q, id)->shape) + 7) / 8 * 8;
        w->total[w->n_total++] = id;
    }
}

static void add_round(planner *q, steps *main, int k)
{
    cak_round *w = &q->p->round[k];
    bool *used = per_value(q, sizeof *used);
    find_results(q, w, k);
    if (!w->n_total && !w->n_stored) return;
    w->n_variants = q->p->special ? 2 : 1;
    w->variant = cak_arena_alloc(q->a, (size_t)w->n_variants * sizeof *w->variant);
    for (int v = 0; v < w->n_variants; v++) plan_variant(q, w, &w->variant[v], k, v > 0, used);
    cak_step_io *io = &main->io[main->n];
    *io = (cak_step_io){ .what = main->n };
    find_outside(q, w, used, io);
    io->write = cak_arena_alloc(q->a, ((size_t)(w->n_total + w->n_stored) + 1) * sizeof *io->write);
    for (int i = 0; i < w->n_total; i++) io->write[io->n_write++] = w->total[i];
    for (int i = 0; i < w->n_stored; i++) io->write[io->n_write++] = w->stored[i];
    main->job[main->n++].round = k;
}

/* ---- the whole ---- */

static void plan_main(planner *q)
{
    cak_program *p = q->p;
    const cak_slices *s = &p->slices;
    bool *run = per_value(q, sizeof *run), *keep = per_value(q, sizeof *keep), *local = per_value(q, sizeof *local);
    for (int id = 0; id < q->size; id++) {
        if (!q->live[id]) continue;
        run[id] = !s->sliced[id] && needs_kernel(q, id);
        for (int k = 0; s->sliced[id] && k < value(q, id)->n_in; k++) keep[p->root[value(q, id)->in[k].id]] = true;
    }
    for (int i = 0; i < p->n_out; i++)
        if (!cak_is_none(p->out[i])) keep[p->root[p->out[i].id]] = true;
    cak_units u = cak_fuse(q->a, q->g, run, keep, s->stage, !p->plain);
    for (int id = 0; id < q->size; id++)
        local[id] = (run[id] && u.stored[id]) || (q->live[id] && s->sliced[id] && (s->total[id] || s->stored[id]));
    steps main = open_steps(q, u.n + s->rounds, local, 0);
    for (int k = 0; k <= s->rounds; k++) {
        for (int i = 0; i < u.n; i++)
            if (s->stage[u.unit[i].id[0]] == k) add_unit(q, &main, &u.unit[i], u.stored);
        if (k < s->rounds) add_round(q, &main, k);
    }
    bool *pinned = per_value(q, sizeof *pinned);
    for (int i = 0; i < p->n_out; i++)
        if (!cak_is_none(p->out[i])) pinned[p->root[p->out[i].id]] = true;
    p->main = make_timetable(q, &main, pinned);
    p->job = main.job;
}

static size_t job_scratch(const planner *q, const cak_job *j, int64_t rows)
{
    if (j->round >= 0) return 0;
    if (j->fused) return round_up(cak_fused_scratch(j->fused));
    const cak_value *v = value(q, j->unit.id[0]);
    cak_site s = cak_site_in_slice(q->g, (cak_ref){ j->unit.id[0] }, rows);
    return v->node->scratch ? round_up(v->node->scratch(&s)) : 0;
}

static size_t most_scratch(const planner *q, const cak_job *job, int n, int64_t rows)
{
    size_t most = 0;
    for (int i = 0; i < n; i++) {
        size_t bytes = job_scratch(q, &job[i], rows);
        if (bytes > most) most = bytes;
    }
    return most;
}

/* Small slices run side by side and their kernels on one thread each; a large slice has a team of threads, so that memory grows by a
** slice only with every fourth thread. */
static void divide_threads(cak_program *p)
{
    int all = cak_threads();
    int64_t slices = (p->slices.batch + p->slices.rows - 1) / p->slices.rows;
    int64_t want = p->slot_slab <= SMALL_SLOT ? all : (all + TEAM - 1) / TEAM;
    p->slots = (int)cak_max64(1, cak_min64(slices, want));
    p->threads = all / p->slots;
}

/* Two rows that are compared to find out whether a sample is special. */
static size_t compared_rows(const planner *q)
{
    const cak_special *f = q->p->special;
    size_t most = 0;
    for (int i = 0; f && i < f->n_facts; i++) {
        size_t bytes = 2 * value_bytes(q, f->fact[i].a.id, 1);
        if (bytes > most) most = bytes;
    }
    return most;
}

static void size_slots(planner *q)
{
    cak_program *p = q->p;
    p->slots = 1, p->threads = cak_threads();
    p->main_scratch = most_scratch(q, p->job, p->main.n, 0);
    if (!p->slices.rounds) return;
    p->slot_rows = compared_rows(q);
    for (int k = 0; k < p->slices.rounds; k++) {
        cak_round *w = &p->round[k];
        for (int v = 0; v < w->n_variants; v++)
            if (w->variant[v].slot.slab > p->slot_slab) p->slot_slab = w->variant[v].slot.slab;
        if (w->rows_bytes > p->slot_rows) p->slot_rows = w->rows_bytes;
        if ((size_t)w->sums * sizeof(double) > p->sums) p->sums = (size_t)w->sums * sizeof(double);
    }
    int all = cak_threads();
    divide_threads(p);
    cak_threads_set(p->threads);
    for (int k = 0; k < p->slices.rounds; k++)
        for (int v = 0; v < p->round[k].n_variants; v++) {
            size_t bytes = most_scratch(q, p->round[k].variant[v].job, p->round[k].variant[v].slot.n, p->slices.rows);
            if (bytes > p->slot_scratch) p->slot_scratch = bytes;
        }
    cak_threads_set(all);
}

static void count(planner *q)
{
    cak_program *p = q->p;
    cak_plan_info *i = &p->info;
    size_t slots = (size_t)p->slots * (p->slot_slab + p->slot_rows), slot_peak = 0;
    for (int id = 0; id < q->size; id++) {
        const cak_value *v = value(q, id);
        bool sample_in = false;
        if (!q->live[id]) continue;
        i->values++;
        for (int k = 0; k < v->n_in; k++) sample_in |= has_rows(q, v->in[k].id);
        i->folds += sample_in && v->rows == CAK_ROWS_SHARED;
        i->mixed += v->rows == CAK_ROWS_MIXED;
        if (external(q->g, id)) i->external += value_bytes(q, id, 0);
        else if (!v->node->alias) i->sum += value_bytes(q, id, 0);
    }
    i->kernels = p->main.n;
    for (int k = 0; k < p->slices.rounds; k++)
        for (int v = 0; v < p->round[k].n_variants; v++) {
            const cak_timetable *s = &p->round[k].variant[v].slot;
            if (v == 0) i->kernels += s->n - 1;
            if (s->peak > slot_peak) slot_peak = s->peak;
        }
    size_t scratch = p->sums + (size_t)p->slots * p->slot_scratch;
    i->slab = p->main.slab + slots;
    i->peak = p->main.peak + (size_t)p->slots * (slot_peak + p->slot_rows);
    i->scratch = scratch + slots > p->main_scratch ? scratch : p->main_scratch - slots;
    i->order = p->main.order;
    i->batch = p->slices.batch, i->rows = p->slices.rows, i->rounds = p->slices.rounds;
    i->slots = p->slots, i->threads = p->threads;
}

cak_program *cak_plan_with(cak_arena *arena, const cak_graph *g, const cak_ref *out, int n_out, const cak_plan_options *o)
{
    planner q = { .a = arena, .tmp = cak_arena_open("plan"), .g = g, .size = cak_graph_size(g) };
    size_t room = (size_t)q.size + 1;
    cak_program *p = q.p = cak_arena_alloc(arena, sizeof *p);
    *p = (cak_program){ .g = g, .n_out = n_out, .plain = o->plain, .special = o->special };
    p->root = cak_arena_alloc(arena, room * sizeof *p->root);
    p->out = memcpy(cak_arena_alloc(arena, (size_t)(n_out + 1) * sizeof *out), out, (size_t)n_out * sizeof *out);
    if (o->whole) p->special = NULL;
    find_live(&q, p->special);
    p->slices = cak_find_slices(arena, g, q.live, out, n_out, cak_special_only(q.tmp, g, out, n_out, p->special), o->whole);
    p->round = cak_arena_alloc(arena, ((size_t)p->slices.rounds + 1) * sizeof *p->round);
    plan_main(&q);
    size_slots(&q);
    count(&q);
    cak_arena_close(q.tmp);
    return p;
}

cak_program *cak_plan(cak_arena *a, const cak_graph *g, const cak_ref *out, int n)
{
    return cak_plan_with(a, g, out, n, &(cak_plan_options){ 0 });
}

cak_plan_info cak_program_info(const cak_program *p) { return p->info; }
