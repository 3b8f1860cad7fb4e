/* Run a program: steps in order over one slab; nothing is allocated. A round takes the batch slice by slice, several at a time, and adds
** their contributions up in the order of the slices, so that the result does not depend on how many run at the same time. */
#include "graph/exec.h"

#include <math.h>
#include <string.h>

#include "graph/par.h"
#include "graph/plan.h"

typedef struct slot { /* the place where a slice is computed */
    real **data;      /* by id */
    char *slab, *rows, *scratch;
    int64_t *sample, n; /* samples of the slice */
    int variant;
    bool failed; /* a row could not be read */
} slot;

typedef struct source {    /* of an input that is read row by row */
    cak_row_reader reader; /* read NULL: the input is bound to memory */
    real *whole;           /* memory for all rows; NULL: nothing wants them together */
    size_t bytes;
} source;

struct cak_exec {
    const cak_program *p;
    char *slab;
    size_t own;     /* bytes of an own slab, 0 when it is the caller's */
    real **data;    /* by id: bound, or memory of the main timetable; NULL: rows are read slice by slice */
    source *source; /* by id */
    double *sums;   /* totals of the round that runs */
    slot *slot;
    int64_t *order; /* samples of the batch: ordinary ones, then special ones */
    int64_t ordinary;
    bool resolved; /* data[] fits the bindings */
    bool failed;   /* a row could not be read in this run */
};

static size_t slot_bytes(const cak_program *p) { return p->slot_slab + p->slot_rows + p->slot_scratch; }
static const cak_value *value(const cak_exec *e, int id) { return cak_graph_value(e->p->g, (cak_ref){ id }); }
static bool has_rows(const cak_exec *e, int id) { return value(e, id)->rows == CAK_ROWS_SAMPLE; }

/* Elements of a value that one sample has. */
static int64_t row_size(const cak_exec *e, int id)
{
    const cak_shape *s = &value(e, id)->shape;
    return cak_shape_size(s) / s->dim[0];
}

cak_exec *cak_exec_open(cak_arena *a, const cak_program *p, void *slab)
{
    cak_exec *e = cak_arena_alloc(a, sizeof *e);
    size_t size = (size_t)cak_graph_size(p->g) + 1;
    *e = (cak_exec){ .p = p, .slab = slab };
    if (!slab) {
        e->own = p->info.slab + p->info.scratch;
        e->slab = cak_slab_alloc(e->own, "tensors of a program");
    }
    e->data = cak_arena_alloc(a, size * sizeof *e->data);
    e->source = cak_arena_alloc(a, size * sizeof *e->source);
    e->sums = (double *)(e->slab + p->main.slab);
    e->slot = cak_arena_alloc(a, (size_t)p->slots * sizeof *e->slot);
    e->order = cak_arena_alloc(a, (size_t)(p->slices.batch + 1) * sizeof *e->order);
    for (int i = 0; i < p->slots; i++) {
        slot *s = &e->slot[i];
        s->data = cak_arena_alloc(a, size * sizeof *s->data);
        s->sample = cak_arena_alloc(a, (size_t)(p->slices.rows + 1) * sizeof *s->sample);
        s->slab = e->slab + p->main.slab + p->sums + (size_t)i * slot_bytes(p);
        s->rows = s->slab + p->slot_slab;
        s->scratch = s->rows + p->slot_rows;
    }
    return e;
}

void cak_exec_close(cak_exec *e)
{
    if (!e) return;
    for (int id = 0; id < cak_graph_size(e->p->g); id++) cak_slab_free(e->source[id].whole, e->source[id].bytes);
    if (e->own) cak_slab_free(e->slab, e->own);
}

/* ---- binding ---- */

static bool is_named(const cak_exec *e, int id, const char *name)
{
    const char *have = cak_value_name(e->p->g, (cak_ref){ id });
    return have && !strcmp(have, name);
}

bool cak_exec_bind(cak_exec *e, const char *name, const real *data)
{
    bool found = false;
    e->resolved = false;
    for (int id = 0; id < cak_graph_size(e->p->g); id++) {
        if (!is_named(e, id, name)) continue;
        e->data[id] = (real *)data;
        e->source[id].reader = (cak_row_reader){ 0 };
        found = true;
    }
    return found;
}

/* Something reads all rows of an input at a time: the caller, or what is computed for the batch as a whole. */
static bool wanted_whole(const cak_exec *e, int id)
{
    const cak_program *p = e->p;
    for (int i = 0; i < p->n_out; i++)
        if (!cak_is_none(p->out[i]) && p->root[p->out[i].id] == id) return true;
    for (int t = 0; t < p->main.n; t++) {
        const cak_job *j = &p->job[p->main.step[t].what];
        for (int i = 0; j->round < 0 && i < j->unit.n; i++)
            for (int k = 0; k < value(e, j->unit.id[i])->n_in; k++)
                if (p->root[value(e, j->unit.id[i])->in[k].id] == id) return true;
    }
    return false;
}

static void set_rows(cak_exec *e, int id, const cak_row_reader *reader)
{
    source *s = &e->source[id];
    CAK_CHECK(has_rows(e, id));
    s->reader = *reader;
    if (!s->whole && wanted_whole(e, id)) {
        s->bytes = (size_t)cak_shape_size(&value(e, id)->shape) * sizeof(real);
        s->whole = cak_slab_alloc(s->bytes, "rows of an input");
    }
    e->data[id] = s->whole;
    e->resolved = false;
}

bool cak_exec_bind_rows(cak_exec *e, const char *name, const cak_row_reader *reader)
{
    bool found = false;
    for (int id = 0; id < cak_graph_size(e->p->g); id++) {
        if (!is_named(e, id, name)) continue;
        set_rows(e, id, reader);
        found = true;
    }
    return found;
}

static void resolve(cak_exec *e)
{
    for (int id = 0; id < cak_graph_size(e->p->g) && !e->resolved; id++) {
        int r = e->p->root[id], b = e->p->main.of[r];
        if (b >= 0) e->data[r] = (real *)(e->slab + e->p->main.buf[b].offset);
        e->data[id] = e->data[r];
    }
    e->resolved = true;
}

/* ---- rows of inputs ---- */

static bool take_row(const cak_exec *e, int id, int64_t sample, real *to)
{
    const cak_row_reader *r = &e->source[id].reader;
    int64_t size = row_size(e, id);
    if (e->data[id]) {
        memcpy(to, e->data[id] + sample * size, (size_t)size * sizeof *to);
        return true;
    }
    CAK_CHECK(r->read != NULL); /* the input was bound */
    return r->read(r->ctx, sample, to);
}

/* Where a row is, else `place`, into which it was read. NULL: it cannot be read. */
static const real *find_row(const cak_exec *e, int id, int64_t sample, real *place)
{
    if (e->data[id]) return e->data[id] + sample * row_size(e, id);
    return take_row(e, id, sample, place) ? place : NULL;
}

/* Inputs of which something wants all rows. */
static bool read_whole(const cak_exec *e)
{
    for (int id = 0; id < cak_graph_size(e->p->g); id++) {
        const source *s = &e->source[id];
        for (int64_t b = 0; s->reader.read && s->whole && b < value(e, id)->shape.dim[0]; b++)
            if (!s->reader.read(s->reader.ctx, b, s->whole + b * row_size(e, id))) return false;
    }
    return true;
}

/* ---- one step ---- */

typedef struct run { /* where and on what steps run */
    cak_exec *e;
    real **data; /* by id */
    void *scratch;
    const int64_t *sample;
    int64_t rows; /* samples; 0: whole values */
    const cak_clock *clock;
} run;

static cak_view view(const run *r, int id)
{
    cak_ref v = { id };
    CAK_CHECK(r->data[id] != NULL); /* every input and parameter was bound */
    return (cak_view){ cak_shape_in_slice(r->e->p->g, v, r->rows), r->data[id] };
}

static void run_job(const run *r, const cak_job *j)
{
    if (j->fused) {
        cak_fused_run(j->fused, r->data, r->rows, r->clock, r->scratch);
        return;
    }
    const cak_value *v = value(r->e, j->unit.id[0]);
    cak_work w = { .y = view(r, j->unit.id[0]),
                   .n_in = v->n_in,
                   .attr = v->attr,
                   .scratch = r->scratch,
                   .clock = r->clock,
                   .sample = r->sample };
    for (int k = 0; k < v->n_in; k++) w.in[k] = view(r, v->in[k].id);
    v->node->run(&w);
}

/* ---- slices ---- */

/* Rows of a value for the samples of a slice: where they are when these are neighbours in memory, else copies. NULL: unreadable. */
static real *find_rows(const cak_exec *e, const slot *s, const cak_round *w, int i)
{
    int id = w->rows[i];
    int64_t size = row_size(e, id);
    real *to = (real *)(s->rows + w->row_at[i]);
    if (e->data[id] && s->sample[s->n - 1] - s->sample[0] == s->n - 1) return e->data[id] + s->sample[0] * size;
    for (int64_t b = 0; b < s->n; b++)
        if (!take_row(e, id, s->sample[b], to + b * size)) return NULL;
    return to;
}

static bool point(cak_exec *e, slot *s, const cak_round *w)
{
    const cak_timetable *m = &w->variant[s->variant].slot;
    int size = cak_graph_size(e->p->g);
    memcpy(s->data, e->data, (size_t)size * sizeof *s->data);
    for (int i = 0; i < w->n_rows; i++) {
        s->data[w->rows[i]] = find_rows(e, s, w, i);
        if (!s->data[w->rows[i]]) return false;
    }
    for (int id = 0; id < size; id++) {
        int r = e->p->root[id];
        if (m->of[r] >= 0) s->data[r] = (real *)(s->slab + m->buf[m->of[r]].offset);
        s->data[id] = s->data[r];
    }
    return true;
}

static void keep_rows(const cak_exec *e, const slot *s, const cak_round *w)
{
    for (int i = 0; i < w->n_stored; i++) {
        int64_t size = row_size(e, w->stored[i]);
        const real *from = s->data[w->variant[s->variant].row[i].id];
        for (int64_t b = 0; b < s->n; b++)
            memcpy(e->data[w->stored[i]] + s->sample[b] * size, from + b * size, (size_t)size * sizeof *from);
    }
}

/* The samples of slice `number`: neighbours in order[], ordinary or special. Returns the number of slices. */
static int64_t take_slice(const cak_exec *e, slot *s, int64_t number)
{
    int64_t rows = e->p->slices.rows, batch = e->p->slices.batch, first = (e->ordinary + rows - 1) / rows;
    int64_t from = number < first ? number * rows : e->ordinary + (number - first) * rows;
    int64_t end = number < first ? e->ordinary : batch;
    if (s) {
        s->variant = number >= first;
        s->n = cak_min64(rows, end - from);
        memcpy(s->sample, e->order + from, (size_t)s->n * sizeof *s->sample);
    }
    return first + (batch - e->ordinary + rows - 1) / rows;
}

typedef bool watch(void *ctx, const run *r, int id); /* called after a value was computed; true: stop here */

static bool run_slice(cak_exec *e, slot *s, const cak_round *w, int64_t number, const cak_clock *clock, watch *seen, void *ctx)
{
    take_slice(e, s, number);
    s->failed = !point(e, s, w);
    if (s->failed) return true;
    const cak_variant *v = &w->variant[s->variant];
    run r = { e, s->data, s->scratch, s->sample, s->n, clock };
    for (int t = 0; t < v->slot.n; t++) {
        const cak_job *j = &v->job[v->slot.step[t].what];
        run_job(&r, j);
        if (seen && seen(ctx, &r, j->unit.id[0])) return true;
    }
    keep_rows(e, s, w);
    return false;
}

/* Add the contributions of n slices, which lie in the first n slots, to the totals. */
static void add_up(cak_exec *e, const cak_round *w, int n)
{
    for (int i = 0; i < w->n_total; i++) {
        int64_t size = cak_shape_size(&value(e, w->total[i])->shape);
        double *sum = e->sums + w->sum_at[i];
        CAK_PARALLEL_FOR (b, cak_blocks(size), size * n)
            for (int k = 0; k < n; k++) {
                cak_ref part = w->variant[e->slot[k].variant].part[i];
                const real *x = cak_is_none(part) ? NULL : e->slot[k].data[part.id];
                for (int64_t j = b * CAK_BLOCK; x && j < cak_min64(size, (b + 1) * CAK_BLOCK); j++) sum[j] += (double)x[j];
            }
    }
}

static void finish_totals(cak_exec *e, const cak_round *w)
{
    for (int i = 0; i < w->n_total; i++) {
        int64_t size = cak_shape_size(&value(e, w->total[i])->shape);
        for (int64_t j = 0; j < size; j++) e->data[w->total[i]][j] = (real)e->sums[w->sum_at[i] + j];
    }
}

/* One slice after the other, with as many threads as the memory of a slot is meant for. */
static bool run_alone(cak_exec *e, const cak_round *w, int64_t from, int n, const cak_clock *clock, watch *seen, void *ctx)
{
    int all = cak_threads();
    bool stop = false;
    cak_threads_set((int)cak_min64(all, e->p->threads));
    for (int i = 0; i < n && !stop; i++) stop = run_slice(e, &e->slot[i], w, from + i, clock, seen, ctx);
    cak_threads_set(all);
    return stop;
}

static bool run_round(cak_exec *e, const cak_round *w, const cak_clock *clock, watch *seen, void *ctx)
{
    int64_t slices = take_slice(e, NULL, 0);
    memset(e->sums, 0, (size_t)w->sums * sizeof *e->sums);
    for (int64_t from = 0; from < slices; from += e->p->slots) {
        int n = (int)cak_min64(e->p->slots, slices - from);
        bool stop = false;
        if (n == 1 || seen) stop = run_alone(e, w, from, n, clock, seen, ctx);
        else CAK_PARALLEL_SLOTS(i, n)
            {
                cak_team_set(e->p->threads);
                run_slice(e, &e->slot[i], w, from + i, clock, NULL, NULL);
            }
        for (int i = 0; i < n; i++) e->failed = e->failed || e->slot[i].failed;
        if (stop || e->failed) return true;
        add_up(e, w, n);
    }
    finish_totals(e, w);
    run r = { .e = e, .data = e->data, .clock = clock };
    for (int i = 0; seen && i < w->n_total; i++)
        if (seen(ctx, &r, w->total[i])) return true;
    return false;
}

/* ---- special samples ---- */

static bool known_same(const cak_exec *e, int a, int b, int64_t sample)
{
    const cak_row_reader *x = &e->source[a].reader, *y = &e->source[b].reader;
    return x->same && x->same == y->same && x->same(x->ctx, y->ctx, sample);
}

/* False, too, when a row cannot be read. */
static bool holds(cak_exec *e, const cak_same_rows *f, int64_t sample)
{
    int64_t n = row_size(e, f->a.id);
    bool two = !cak_is_none(f->b);
    real *place = (real *)e->slot[0].rows; /* for two rows: no round runs yet */
    if (two && known_same(e, f->a.id, f->b.id, sample)) return true;
    const real *a = find_row(e, f->a.id, sample, place), *b = two ? find_row(e, f->b.id, sample, place + n) : a;
    if (!a || !b) {
        e->failed = true;
        return false;
    }
    if (two) return !memcmp(a, b, (size_t)n * sizeof *a);
    for (int64_t i = 0; i < n; i++)
        if (a[i] != 0) return false;
    return true;
}

/* Facts about few numbers first: where they do not hold, no more is read. */
static bool is_special(cak_exec *e, int64_t sample)
{
    const cak_special *f = e->p->special;
    bool all = f != NULL;
    for (int large = 0; large < 2; large++)
        for (int i = 0; all && i < f->n_facts; i++)
            if ((row_size(e, f->fact[i].a.id) > CAK_BLOCK) == large) all = holds(e, &f->fact[i], sample);
    return all;
}

/* Ordinary samples first, each kind in its order. */
static void sort_samples(cak_exec *e)
{
    int64_t batch = e->p->slices.batch, n = 0, special = batch;
    for (int64_t b = 0; b < batch; b++)
        if (is_special(e, b)) e->order[--special] = b;
        else e->order[n++] = b;
    e->ordinary = n;
    for (int64_t i = n, k = batch - 1; i < k; i++, k--) { /* they were put down backwards */
        int64_t t = e->order[i];
        e->order[i] = e->order[k];
        e->order[k] = t;
    }
}

static void run_all(cak_exec *e, const cak_clock *clock, watch *seen, void *ctx)
{
    const cak_program *p = e->p;
    run r = { .e = e, .data = e->data, .scratch = e->slab + p->main.slab, .clock = clock };
    resolve(e);
    for (int i = 0; i < p->slots; i++) e->slot[i].failed = false;
    e->failed = !read_whole(e);
    if (!e->failed) sort_samples(e);
    for (int t = 0; t < p->main.n && !e->failed; t++) {
        const cak_job *j = &p->job[p->main.step[t].what];
        if (j->round >= 0) {
            if (run_round(e, &p->round[j->round], clock, seen, ctx)) return;
            continue;
        }
        run_job(&r, j);
        if (seen && seen(ctx, &r, j->unit.id[0])) return;
    }
}

bool cak_exec_run(cak_exec *e, const cak_clock *clock)
{
    run_all(e, clock, NULL, NULL);
    return !e->failed;
}

const real *cak_exec_data(const cak_exec *e, cak_ref out) { return cak_is_none(out) ? NULL : e->data[e->p->root[out.id]]; }

/* ---- where a number stopped being one ---- */

typedef struct search {
    cak_ref found;
    int64_t index;
    double bad;
} search;

static bool find_bad(const real *x, int64_t n, int64_t *index, double *bad)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return *index = i, *bad = (double)x[i], true;
    return false;
}

static bool look(void *ctx, const run *r, int id)
{
    search *s = ctx;
    cak_view y = view(r, id);
    if (!find_bad(y.data, cak_shape_size(&y.shape), &s->index, &s->bad)) return false;
    s->found.id = id;
    int64_t size = r->rows && has_rows(r->e, s->found.id) ? row_size(r->e, s->found.id) : 0;
    if (size) s->index = r->sample[s->index / size] * size + s->index % size;
    return true;
}

/* As it is bound in `from`. */
static void bind_as(cak_exec *e, const cak_exec *from, int id)
{
    const cak_row_reader *reader = &from->source[id].reader;
    if (reader->read && !from->source[id].whole) set_rows(e, id, reader);
    else e->data[id] = from->data[id];
}

/* Another program for the same values, in which every kernel stands alone, so that each result can be looked at. */
static void search_kernels(cak_exec *e, const cak_clock *clock, search *s)
{
    cak_arena *a = cak_arena_open("search");
    cak_plan_options o = { .plain = true, .whole = !e->p->slices.batch, .special = e->p->special };
    cak_exec *f = cak_exec_open(a, cak_plan_with(a, e->p->g, e->p->out, e->p->n_out, &o), NULL);
    for (int id = 0; id < cak_graph_size(e->p->g); id++)
        if (cak_value_name(e->p->g, (cak_ref){ id })) bind_as(f, e, id);
    run_all(f, clock, look, s);
    cak_exec_close(f);
    cak_arena_close(a);
}

static bool find_bad_input(const cak_exec *e, int id, search *s)
{
    const source *from = &e->source[id];
    if (e->data[id]) return find_bad(e->data[id], cak_shape_size(&value(e, id)->shape), &s->index, &s->bad);
    if (!from->reader.read || (size_t)row_size(e, id) * sizeof(real) > e->p->slot_rows)
        return false; /* the program does not read it */
    real *row = (real *)e->slot[0].rows;
    for (int64_t b = 0, size = row_size(e, id); b < value(e, id)->shape.dim[0]; b++) {
        if (!from->reader.read(from->reader.ctx, b, row)) return false;
        if (!find_bad(row, size, &s->index, &s->bad)) continue;
        s->index += b * size;
        return true;
    }
    return false;
}

cak_ref cak_exec_find_nonfinite(cak_exec *e, const cak_clock *clock, int64_t *index, double *bad)
{
    search s = { .found = CAK_NONE };
    for (int id = 0; id < cak_graph_size(e->p->g) && cak_is_none(s.found); id++) /* what came from outside first */
        if (cak_value_name(e->p->g, (cak_ref){ id }) && find_bad_input(e, id, &s)) s.found.id = id;
    if (cak_is_none(s.found)) search_kernels(e, clock, &s);
    *index = s.index, *bad = s.bad;
    return s.found;
}
