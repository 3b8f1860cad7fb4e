/* Running a unit of fused values: a tape of maps and sums over blocks that stay in the first-level cache. */
#include "graph/fused.h"

#include <string.h>

#include "nodes/kernels/isa.h"

extern const cak_node cak_node_reduce_sum;

enum { ALIGN = 64 };

typedef struct total {
    int id;
    const cak_ints *axes;
} total;

struct cak_fused {
    const cak_graph *g;
    cak_shape shape; /* of the sweep */
    bool sliced;     /* axis 0 has as many rows as the run has samples */
    int cut;
    cak_slot slot[CAK_FUSE_SLOTS];
    int n_operands, n_slots; /* operands come first */
    cak_step *step;
    int n_steps;
    cak_part *part;
    int n_parts;
    int64_t block; /* elements of a block: a chunk if all of the unit is on one tape */
    total *sum;
    int n_sums, n_blocks;
};

/* ---- opening: from values to slots and steps ---- */

typedef struct opener {
    cak_arena *a;
    const cak_graph *g;
    const cak_unit *u;
    const bool *stored;
    cak_fused *f;
    int of_slot[CAK_FUSE_SLOTS];  /* id of the value in each slot */
    int last_use[CAK_FUSE_SLOTS]; /* step that reads a value of the unit last; by position in the unit */
    bool busy[CAK_FUSE_SLOTS];    /* by block */
} opener;

static const cak_value *value(const cak_graph *g, int id) { return cak_graph_value(g, (cak_ref){ id }); }

/* An alias that keeps the shape is read like the value itself. */
static int same_as(const cak_graph *g, int id)
{
    while (value(g, id)->node->alias && cak_shape_equal(&value(g, id)->shape, cak_shape_of(g, value(g, id)->in[0])))
        id = value(g, id)->in[0].id;
    return id;
}

static int position(const cak_unit *u, int id)
{
    for (int i = 0; i < u->n; i++)
        if (u->id[i] == id) return i;
    return -1;
}

static const cak_value *sweep_value(const cak_graph *g, int id)
{
    const cak_value *v = value(g, id);
    return v->node->map ? v : cak_graph_value(g, v->in[0]);
}

static int find_slot(const opener *o, int id)
{
    for (int i = 0; i < o->f->n_slots; i++)
        if (o->of_slot[i] == id) return i;
    return -1;
}

static int add_slot(opener *o, int id, cak_slot s)
{
    cak_fused *f = o->f;
    CAK_CHECK(f->n_slots < CAK_FUSE_SLOTS);
    o->of_slot[f->n_slots] = id;
    f->slot[f->n_slots] = s;
    return f->n_slots++;
}

static int take_block(opener *o)
{
    int k = 0;
    while (o->busy[k]) k++;
    o->busy[k] = true;
    if (k >= o->f->n_blocks) o->f->n_blocks = k + 1;
    return k;
}

/* Everything the unit reads from memory becomes an operand. */
static void find_operands(opener *o)
{
    cak_fused *f = o->f;
    cak_shape shape[CAK_FUSE_SLOTS];
    for (int i = 0; i < o->u->n; i++) {
        const cak_value *v = value(o->g, o->u->id[i]);
        f->n_sums += !v->node->map;
        for (int k = 0; k < v->n_in; k++) {
            int id = same_as(o->g, v->in[k].id), at = position(o->u, id);
            if (at >= 0) o->last_use[at] = i;
            if (at >= 0 || find_slot(o, id) >= 0) continue;
            shape[f->n_slots] = value(o->g, id)->shape;
            add_slot(o, id, (cak_slot){ id, -1, { 0 }, -1 });
        }
    }
    f->n_operands = f->n_slots;
    f->cut = f->n_sums ? cak_row_axis(&f->shape) : cak_sweep_cut(&f->shape, shape, f->n_operands);
    for (int k = 0; k < f->n_operands; k++) {
        f->slot[k].operand = cak_operand_of(&shape[k], &f->shape, f->cut);
        if (f->slot[k].operand.kind >= CAK_OPERAND_PERIODIC) f->slot[k].block = take_block(o);
    }
}

/* The block of a value is free for the result of the step that reads it last: maps may work in place. */
static void release_inputs(opener *o, int i, const cak_step *s)
{
    for (int k = 0; k < s->n_in; k++) {
        const cak_slot *in = &o->f->slot[s->in[k]];
        int at = position(o->u, o->of_slot[s->in[k]]);
        if (at >= 0 && o->last_use[at] == i && in->block >= 0) o->busy[in->block] = false;
    }
}

static void add_step(opener *o, int i)
{
    cak_fused *f = o->f;
    int id = o->u->id[i];
    const cak_value *v = value(o->g, id);
    cak_step *s = &f->step[f->n_steps++];
    *s = (cak_step){ .node = v->node, .attr = v->attr, .n_in = v->n_in };
    for (int k = 0; k < v->n_in; k++) {
        s->in[k] = find_slot(o, same_as(o->g, v->in[k].id));
        CAK_CHECK(s->in[k] >= 0);
    }
    release_inputs(o, i, s);
    if (!v->node->map) {
        CAK_CHECK(v->node == &cak_node_reduce_sum && cak_shape_equal(cak_shape_of(o->g, v->in[0]), &f->shape));
        s->y = f->n_sums;
        f->sum[f->n_sums++] = (total){ id, v->attr };
        return;
    }
    CAK_CHECK(cak_shape_equal(&v->shape, &f->shape));
    s->y = add_slot(o, id, o->stored[id] ? (cak_slot){ id, -1, { 0 }, -1 } : (cak_slot){ -1, take_block(o), { 0 }, -1 });
}

/* All on one tape, and no operand is laid out again and again? */
static bool is_whole(const cak_fused *f)
{
    for (int i = 0; i < f->n_steps; i++)
        if (!cak_fused_on_tape(&f->step[i])) return false;
    for (int k = 0; k < f->n_operands; k++) {
        const cak_operand *o = &f->slot[k].operand;
        if (o->kind >= CAK_OPERAND_PERIODIC && !cak_fused_again(o)) return false;
    }
    return true;
}

/* The values of a tape that lie in the scratch are read before the next tile comes: one tile is enough for them. */
static void find_parts(cak_arena *a, cak_fused *f)
{
    bool whole = is_whole(f);
    f->block = whole ? CAK_SUM_CHUNK : CAK_SWEEP_BLOCK;
    for (int k = 0; k < f->n_slots; k++) {
        cak_slot *s = &f->slot[k];
        if (s->operand.kind == CAK_OPERAND_CONSTANT || (whole && s->block >= 0)) s->move = 0;
    }
    f->part = cak_arena_alloc(a, (size_t)f->n_steps * sizeof *f->part);
    f->n_parts = cak_fused_parts(a, f->step, f->n_steps, f->slot, f->part);
}

cak_fused *cak_fused_open(cak_arena *a, const cak_graph *g, const cak_unit *u, const bool *stored)
{
    cak_fused *f = cak_arena_alloc(a, sizeof *f);
    const cak_value *any = sweep_value(g, u->id[0]);
    opener o = { .a = a, .g = g, .u = u, .stored = stored, .f = f };
    CAK_CHECK(u->n <= CAK_FUSE_VALUES);
    *f = (cak_fused){ .g = g, .shape = any->shape, .sliced = any->rows == CAK_ROWS_SAMPLE };
    f->step = cak_arena_alloc(a, (size_t)u->n * sizeof *f->step);
    f->sum = cak_arena_alloc(a, (size_t)u->n * sizeof *f->sum);
    find_operands(&o);
    f->n_sums = 0; /* counted again as they are added */
    for (int i = 0; i < u->n; i++) add_step(&o, i);
    find_parts(a, f);
    return f;
}

/* ---- running ---- */

typedef struct running {
    const cak_fused *f;
    real *const *data;
    cak_sweep sweep;
    double *lanes;      /* [item][sum][CAK_SUM_LANES] */
    double *now, *next; /* for one sum after the other */
    real *blocks;       /* of all threads */
} running;

static size_t doubles_of(const cak_fused *f, const cak_sweep *s)
{
    int64_t room = 0;
    for (int k = 0; k < f->n_sums; k++) {
        cak_sum_plan p = cak_sum_plan_of(&s->shape, f->sum[k].axes);
        room = cak_max64(room, cak_sum_room(&p));
    }
    room = (room + 7) / 8 * 8; /* whole cache lines */
    return (size_t)(2 * room + s->rows * s->chunks * f->n_sums * CAK_SUM_LANES);
}

size_t cak_fused_scratch(const cak_fused *f)
{
    cak_sweep s = cak_sweep_of(&f->shape, f->cut);
    size_t blocks = (size_t)cak_threads() * (size_t)f->n_blocks * CAK_SWEEP_BLOCK * sizeof(real);
    return (blocks + doubles_of(f, &s) * sizeof(double) + ALIGN - 1) / ALIGN * ALIGN;
}

typedef struct chunk { /* what a thread knows about the chunk it works on */
    const running *r;
    const real *row[CAK_FUSE_SLOTS]; /* first element of the row */
    real *block;                     /* of this thread */
    double *lanes;
    int64_t from;
} chunk;

static void find_rows(chunk *c, int64_t row)
{
    const cak_fused *f = c->r->f;
    for (int k = 0; k < f->n_slots; k++) {
        const cak_slot *s = &f->slot[k];
        if (s->id < 0) continue;
        int64_t offset = k < f->n_operands ? cak_operand_offset(&s->operand, &c->r->sweep, row) : row * c->r->sweep.row;
        c->row[k] = c->r->data[s->id] + offset;
    }
}

/* Where each slot lies for the block at `at`. */
static void find_block(const chunk *c, int64_t at, int64_t n, real **x)
{
    const cak_fused *f = c->r->f;
    for (int k = 0; k < f->n_slots; k++) {
        const cak_slot *s = &f->slot[k];
        x[k] = s->block < 0 ? (real *)c->row[k] + (at & s->move) : c->block + s->block * CAK_SWEEP_BLOCK;
        if (s->operand.kind >= CAK_OPERAND_PERIODIC && (at == c->from || !cak_operand_stays(&s->operand)))
            cak_operand_lay(&s->operand, &c->r->sweep, c->row[k], at, cak_min64(n, CAK_SWEEP_BLOCK), x[k]);
    }
}

/* n elements from element `at` of the block, value by value. */
static void run_steps(const chunk *c, const cak_part *p, real *const *x, int64_t at, int64_t n)
{
    const cak_slot *slot = c->r->f->slot;
    const real *in[CAK_MAX_IN];
    int in_step[CAK_MAX_IN];
    for (const cak_step *s = c->r->f->step + p->first; s < c->r->f->step + p->first + p->n; s++) {
        for (int k = 0; k < s->n_in; k++) {
            in[k] = x[s->in[k]] + (at & slot[s->in[k]].move);
            in_step[k] = slot[s->in[k]].operand.kind != CAK_OPERAND_CONSTANT;
        }
        if (s->node->map) s->node->map(s->attr, in, in_step, x[s->y] + (at & slot[s->y].move), n);
        else cak_sum_lanes(in[0], n, c->lanes + s->y * CAK_SUM_LANES);
    }
}

static void run_block(const chunk *c, int64_t at, int64_t n)
{
    static cak_tape_run *const run_tape[CAK_ISAS] = { cak_tape_generic, cak_tape_avx2, cak_tape_avx512 };
    const cak_fused *f = c->r->f;
    real *x[CAK_FUSE_SLOTS];
    find_block(c, at, n, x);
    for (const cak_part *p = f->part; p < f->part + f->n_parts; p++) {
        int64_t done = 0;
        if (p->tape) done = run_tape[cak_isa_level()](p->tape, &(cak_tape_data){ x, c->lanes }, n);
        if (done < n) run_steps(c, p, x, done, n - done);
    }
}

static void run_chunk(const running *r, int64_t item)
{
    const cak_sweep *s = &r->sweep;
    chunk c = { .r = r, .from = item % s->chunks * CAK_SUM_CHUNK };
    int64_t end = cak_min64(c.from + CAK_SUM_CHUNK, s->row), block = r->f->block;
    c.block = r->blocks + cak_thread() * r->f->n_blocks * (int64_t)CAK_SWEEP_BLOCK;
    c.lanes = r->lanes + item * r->f->n_sums * CAK_SUM_LANES;
    memset(c.lanes, 0, (size_t)r->f->n_sums * CAK_SUM_LANES * sizeof *c.lanes);
    find_rows(&c, item / s->chunks);
    for (int64_t at = c.from; at < end; at += block) run_block(&c, at, cak_min64(block, end - at));
}

static void finish_sum(const running *r, int k)
{
    const cak_sweep *s = &r->sweep;
    const cak_fused *f = r->f;
    cak_sum_plan p = cak_sum_plan_of(&s->shape, f->sum[k].axes);
    cak_sum_rows(r->lanes + k * CAK_SUM_LANES, f->n_sums * CAK_SUM_LANES, s->rows, s->chunks, p.group[0].inner > 1, r->now);
    cak_sum_finish(&p, r->now, r->next, r->data[f->sum[k].id]);
}

void cak_fused_run(const cak_fused *f, real *const *data, int64_t samples, const cak_clock *clock, void *scratch)
{
    cak_shape shape = f->shape;
    if (f->sliced && samples) shape.dim[0] = samples;
    running r = { .f = f, .data = data, .sweep = cak_sweep_of(&shape, f->cut), .blocks = scratch };
    size_t doubles = doubles_of(f, &r.sweep), lanes = (size_t)(r.sweep.rows * r.sweep.chunks * f->n_sums * CAK_SUM_LANES);
    (void)clock; /* no value that draws is fused */
    r.lanes = (double *)(r.blocks + (size_t)cak_threads() * (size_t)f->n_blocks * CAK_SWEEP_BLOCK);
    r.now = r.lanes + lanes;
    r.next = r.now + (doubles - lanes) / 2;
    CAK_PARALLEL_FOR (item, r.sweep.rows * r.sweep.chunks, r.sweep.rows * r.sweep.row) run_chunk(&r, item);
    for (int k = 0; k < f->n_sums; k++) finish_sum(&r, k);
}
