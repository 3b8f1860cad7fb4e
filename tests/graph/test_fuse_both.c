/* Fusion: the same bits as one kernel per value, on any number of threads, instruction set and part of a batch; units are legal; what
** is stored and how many bytes are moved. */
#include <string.h>
#include <time.h>

#include "graph/fuse.h"
#include "graph/par.h"
#include "graph/rng.h"
#include "nodes/kernels/gemm.h"
#include "tests/support/graph_run.h"

enum { OUTS = 6, GUARD = 4096 };
static const cak_clock start = { 1, 0 };
static unsigned char scratch[1 << 22] __attribute__((aligned(64)));

/* ---- running a partition, unit by unit ---- */

typedef struct program {
    const cak_graph *g;
    cak_arena *a;
    cak_units units;
    bool *run, *keep;
    int *stage;
    real **data;
    int64_t samples; /* 0: all */
    int over;        /* values that took over the memory of another one */
} program;

static const cak_value *value(const program *p, int id) { return cak_graph_value(p->g, (cak_ref){ id }); }
static int64_t size_of(const program *p, int id) { return cak_shape_size(&value(p, id)->shape); }
static int root_of(const program *p, int id)
{
    while (value(p, id)->node->alias) id = value(p, id)->in[0].id;
    return id;
}

static program open_program(cak_arena *a, const cak_graph *g, const cak_ref *out, int n)
{
    program p = { .g = g, .a = a };
    size_t room = (size_t)cak_graph_size(g) + 1;
    bool *live = cak_arena_alloc(a, room);
    p.run = cak_arena_alloc(a, room);
    p.keep = cak_arena_alloc(a, room);
    p.stage = cak_arena_alloc(a, room * sizeof *p.stage);
    p.data = cak_arena_alloc(a, room * sizeof *p.data);
    for (int i = 0; i < n; i++) live[out[i].id] = p.keep[out[i].id] = true;
    for (int id = cak_graph_size(g) - 1; id >= 0; id--) {
        for (int k = 0; live[id] && k < value(&p, id)->n_in; k++) live[value(&p, id)->in[k].id] = true;
        p.run[id] = live[id] && !value(&p, id)->node->alias && !cak_value_name(g, (cak_ref){ id });
    }
    return p;
}

/* Memory for what is stored, full of NaN. */
static void give_memory(program *p)
{
    for (int id = 0; id < cak_graph_size(p->g); id++) {
        const char *name = cak_value_name(p->g, (cak_ref){ id });
        int64_t n = size_of(p, id);
        p->data[id] = NULL;
        if (name) p->data[id] = random_data(p->a, name, n);
        else if (value(p, id)->node->alias) p->data[id] = p->data[value(p, id)->in[0].id];
        else if (p->units.stored[id])
            p->data[id] = memset(cak_arena_alloc(p->a, (size_t)n * sizeof(real)), 0xff, (size_t)n * sizeof(real));
    }
}

/* Is `write`, a value of unit i, allowed to lie where `read` lies? Nothing after it reads that, and before it all element by element. */
static bool may_take_over(const program *p, int i, int write, int read)
{
    for (int id = 0; id < cak_graph_size(p->g); id++)
        if (p->keep[id] && root_of(p, id) == read) return false;
    for (int j = i; j < p->units.n; j++)
        for (int k = 0; k < p->units.unit[j].n; k++) {
            int id = p->units.unit[j].id[k];
            for (int m = 0; m < value(p, id)->n_in; m++) {
                int in = value(p, id)->in[m].id;
                if (root_of(p, in) == read && (j > i || id > write || size_of(p, in) != size_of(p, write))) return false;
            }
        }
    return true;
}

/* Give values the memory of what they are the last to read, wherever that is allowed. */
static void take_over(program *p)
{
    bool *taken = cak_arena_alloc(p->a, (size_t)cak_graph_size(p->g) + 1);
    for (int i = 0; i < p->units.n; i++)
        for (int k = 0; k < p->units.unit[i].n; k++) {
            int write = p->units.unit[i].id[k];
            bool done = !p->units.stored[write] || !value(p, write)->node->in_place;
            for (int m = 0; m <= k && !done; m++) {
                const cak_value *v = value(p, p->units.unit[i].id[m]);
                for (int j = 0; j < v->n_in && !done; j++) {
                    int read = root_of(p, v->in[j].id);
                    if (!p->data[read] || taken[read] || read == write || !may_take_over(p, i, write, read)) continue;
                    p->data[write] = p->data[read];
                    p->over += done = taken[read] = true;
                }
            }
        }
    for (int id = 0; id < cak_graph_size(p->g); id++)
        if (value(p, id)->node->alias) p->data[id] = p->data[value(p, id)->in[0].id];
}

static cak_view view_of(const program *p, int id)
{
    cak_view v = { value(p, id)->shape, p->data[id] };
    if (p->samples && value(p, id)->rows == CAK_ROWS_SAMPLE) v.shape.dim[0] = p->samples;
    return v;
}

static void run_one(const program *p, int id)
{
    const cak_value *v = value(p, id);
    cak_work w = { .n_in = v->n_in, .attr = v->attr, .y = view_of(p, id), .clock = &start, .scratch = scratch };
    cak_site s = { .attr = v->attr, .n_in = v->n_in, .y_shape = v->shape };
    for (int k = 0; k < v->n_in; k++) {
        w.in[k] = view_of(p, v->in[k].id);
        s.in_shape[k] = value(p, v->in[k].id)->shape;
    }
    ck_assert_uint_le(v->node->scratch ? v->node->scratch(&s) : 0, sizeof scratch);
    v->node->run(&w);
}

static void run_fused(const program *p, const cak_unit *u)
{
    const cak_fused *f = cak_fused_open(p->a, p->g, u, p->units.stored);
    size_t bytes = cak_fused_scratch(f);
    ck_assert_uint_eq(bytes % 64, 0);
    ck_assert_uint_le(bytes + GUARD, sizeof scratch);
    memset(scratch, 0xff, bytes + GUARD);
    long allocations = cak_alloc_count();
    cak_fused_run(f, p->data, p->samples, &start, scratch);
    ck_assert_int_eq(cak_alloc_count(), allocations);
    for (size_t i = bytes; i < bytes + GUARD; i++) ck_assert_msg(scratch[i] == 0xff, "a unit writes past its scratch");
}

/* Units run when what they read is there; memory was given. `alone`: units of one element-wise value run as fused ones too. */
static void run_program(program *p, bool alone)
{
    bool *ready = cak_arena_alloc(p->a, (size_t)cak_graph_size(p->g) + 1);
    for (int i = 0; i < p->units.n; i++) {
        const cak_unit *u = &p->units.unit[i];
        for (int k = 0; k < u->n; k++) {
            ck_assert(p->run[u->id[k]] && (k == 0 || u->id[k] > u->id[k - 1]));
            ck_assert(!p->units.stored[u->id[k]] || !ready[u->id[k]]); /* computed once */
        }
        for (int k = 0; k < u->n; k++)
            for (int j = 0; j < value(p, u->id[k])->n_in; j++) {
                int root = root_of(p, value(p, u->id[k])->in[j].id);
                bool inside = false;
                for (int m = 0; m < k; m++) inside |= u->id[m] == root;
                ck_assert_msg(inside || ready[root] || !p->run[root], "%%%d is not there yet", root);
            }
        if (u->n > 1 || (alone && value(p, u->id[0])->node->map)) run_fused(p, u);
        else run_one(p, u->id[0]);
        for (int k = 0; k < u->n; k++) ready[u->id[k]] |= p->units.stored[u->id[k]];
    }
    for (int id = 0; id < cak_graph_size(p->g); id++)
        if (p->keep[id]) ck_assert(!p->run[root_of(p, id)] || ready[root_of(p, id)]);
}

static program run_as(cak_arena *a, const cak_graph *g, const cak_ref *out, bool fuse, int64_t samples)
{
    program p = open_program(a, g, out, OUTS);
    p.samples = samples;
    p.units = cak_fuse(a, g, p.run, p.keep, p.stage, fuse);
    give_memory(&p);
    run_program(&p, fuse);
    return p;
}

/* ---- random graphs: all patterns of broadcasting, sums, views, kernels that cannot be fused ---- */

typedef struct dice {
    uint64_t seed, throws;
} dice;
static int roll(dice *d, int sides) { return (int)cak_rng_below(d->seed, 1, 2, d->throws++, (uint64_t)sides); }

typedef struct maker {
    cak_graph *g;
    dice d;
    cak_shape full;
    bool folds; /* sums over axis 0 too */
} maker;

static const cak_shape shapes[] = { CAK_SHAPE(3, 2, 37, 41), CAK_SHAPE(2, 3, 9, 21, 16), CAK_SHAPE(5, 1037),
                                    CAK_SHAPE(20011),        CAK_SHAPE(3, 700, 5),       CAK_SHAPE(2, 1, 129, 161),
                                    CAK_SHAPE(4, 3),         CAK_SHAPE(3, 1, 1, 1),      CAK_SHAPE(3, 2, 1, 8, 16),
                                    CAK_SHAPE(2, 2, 2, 3, 2) };
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* An input of the full shape or of one that broadcasts to it. */
static cak_ref leaf(maker *m, int k)
{
    char *name = cak_arena_print(cak_graph_arena(m->g), "in%d", k);
    cak_shape s = m->full;
    if (k < 2) return cak_input(m->g, name, &s, true);
    bool samples = roll(&m->d, 2);
    for (int i = 0; i < s.rank; i++)
        if ((i > 0 || !samples) && roll(&m->d, 2)) s.dim[i] = 1;
    if (!samples) s.dim[0] = 1; /* what is not of the samples has no row for each */
    return cak_input(m->g, name, &s, samples);
}

static cak_ref unary(maker *m, cak_ref x)
{
    static cak_ref (*const ops[])(cak_graph *,
                                  cak_ref) = { cak_neg, cak_abs, cak_sign, cak_square, cak_tanh, cak_sigmoid, cak_sin };
    return ops[roll(&m->d, 7)](m->g, x);
}

static cak_ref masked(maker *m, cak_ref x) { return cak_mul(m->g, x, cak_leaky_mask(m->g, x, 0.2)); }
static cak_ref clipped(maker *m, cak_ref x) { return cak_clip(m->g, x, -0.5, 0.6); }
static cak_ref widened(maker *m, cak_ref x) { return cak_expand(m->g, x, &m->full); }
static cak_ref detached(maker *m, cak_ref x) { return cak_detach(m->g, x); }

static cak_ref summed(maker *m, cak_ref x)
{
    int rank = m->full.rank, axes = roll(&m->d, 1 << rank);
    if (rank == 5 && roll(&m->d, 2)) axes = 1 << 2 | 1 << 3;
    if (rank >= 4 && roll(&m->d, 2)) axes |= 1 << 2 | 1 << 3;
    if (roll(&m->d, 4) == 0) axes = (1 << rank) - 2;
    return cak_mean_axes(m->g, x, m->folds ? axes : axes & ~1);
}

/* Two axes become one and are taken apart again by what comes after. */
static cak_ref flattened(maker *m, cak_ref x)
{
    cak_shape flat = CAK_SHAPE(m->full.dim[0], cak_shape_size(&m->full) / m->full.dim[0]);
    cak_ref y = cak_reshape(m->g, widened(m, x), &flat);
    return cak_reshape(m->g, roll(&m->d, 2) ? cak_neg(m->g, y) : y, &m->full);
}

static cak_ref shifted(maker *m, cak_ref x)
{
    int axis = m->full.rank - 1;
    return axis ? cak_slice(m->g, cak_pad(m->g, x, axis, 1, 0), axis, 0, cak_dim(m->g, x, axis)) : x;
}

static void random_values(maker *m, int n, cak_ref *out)
{
    static cak_ref (*const one[])(maker *, cak_ref) = { unary,    unary,  masked, clipped,   widened,
                                                        detached, summed, summed, flattened, shifted };
    static cak_ref (*const two[])(cak_graph *, cak_ref, cak_ref) = { cak_add, cak_sub, cak_mul };
    cak_ref *pool = cak_arena_alloc(cak_graph_arena(m->g), ((size_t)n + 6) * sizeof *pool);
    int size = 0;
    while (size < 5) pool[size] = leaf(m, size), size++;
    pool[size++] = cak_const(m->g, 0.3);
    while (size < n + 6) {
        cak_ref x = pool[size - 1 - roll(&m->d, size < 9 ? size : 9)], y = pool[roll(&m->d, size)];
        if (cak_shape_of(m->g, x)->rank == 0) x = pool[0];
        if (roll(&m->d, 2)) pool[size++] = one[roll(&m->d, (int)(sizeof one / sizeof *one))](m, x);
        else pool[size++] = cak_scale(m->g, two[roll(&m->d, 3)](m->g, x, y), 0.5);
    }
    for (int i = 0; i < OUTS; i++) out[i] = pool[size - 1 - roll(&m->d, size / 2)];
    ck_assert(!cak_graph_failed(m->g));
}

static bench random_bench(int seed, bool folds, cak_ref *out)
{
    bench b = open_bench();
    maker m = { b.g, { (uint64_t)seed, 0 }, shapes[seed % SHAPES], folds };
    random_values(&m, 8 + seed % 60, out);
    return b;
}

static void compare(const program *p, const program *q, const cak_ref *out, const char *what, int seed)
{
    for (int i = 0; i < OUTS; i++) {
        if (q->samples && value(q, out[i].id)->rows == CAK_ROWS_MIXED) continue; /* has no part that belongs to a sample */
        cak_view v = view_of(q, out[i].id);
        size_t bytes = (size_t)cak_shape_size(&v.shape) * sizeof(real);
        ck_assert_msg(!memcmp(p->data[out[i].id], v.data, bytes), "seed %d, %s: output %d (%%%d)", seed, what, i, out[i].id);
    }
}

START_TEST(fused_values_have_the_same_bits)
{
    static const char *const isa[] = { "generic", "avx2", "avx512" };
    int threads = cak_threads();
    const char *best = cak_isa_get()->name;
    for (int seed = 0; seed < 180 / FEWER; seed++) {
        cak_ref out[OUTS];
        bench b = random_bench(seed, true, out);
        cak_isa_set("generic");
        program plain = run_as(b.a, b.g, out, false, 0);
        cak_threads_set(1 + seed % 4);
        bool have = cak_isa_set(isa[seed / 4 % 3]);
        program fused = run_as(b.a, b.g, out, true, 0);
        compare(&plain, &fused, out, have ? isa[seed / 4 % 3] : "generic", seed);
        cak_threads_set(threads);
        close_bench(&b);
    }
    cak_isa_set(best);
}
END_TEST

START_TEST(some_samples_of_a_batch)
{
    for (int seed = 0; seed < 60 / FEWER; seed++) {
        cak_ref out[OUTS];
        bench b = random_bench(seed, false, out);
        program plain = run_as(b.a, b.g, out, false, 0);
        for (int64_t samples = 1; samples < cak_min64(4, shapes[seed % SHAPES].dim[0]); samples++) {
            program fused = run_as(b.a, b.g, out, true, samples);
            compare(&plain, &fused, out, "some samples", seed);
        }
        close_bench(&b);
    }
}
END_TEST

START_TEST(memory_taken_over_in_place)
{
    int over = 0;
    for (int seed = 0; seed < 120 / FEWER; seed++) {
        cak_ref out[OUTS];
        bench b = random_bench(seed, true, out);
        program plain = run_as(b.a, b.g, out, false, 0), fused = open_program(b.a, b.g, out, OUTS);
        fused.units = cak_fuse(b.a, b.g, fused.run, fused.keep, fused.stage, true);
        give_memory(&fused);
        take_over(&fused);
        run_program(&fused, true);
        compare(&plain, &fused, out, "in place", seed);
        over += fused.over;
        close_bench(&b);
    }
    ck_assert_int_gt(over, 200 / FEWER);
}
END_TEST

/* ---- what becomes a unit, what is stored ---- */

static program partition(const bench *b, const cak_ref *out, int n)
{
    program p = open_program(b->a, b->g, out, n);
    p.units = cak_fuse(b->a, b->g, p.run, p.keep, p.stage, true);
    give_memory(&p);
    run_program(&p, true);
    return p;
}

/* Units that compute a value, whether they store it or not. */
static int times(const program *p, cak_ref r)
{
    int n = 0;
    for (int i = 0; i < p->units.n; i++)
        for (int k = 0; k < p->units.unit[i].n; k++) n += p->units.unit[i].id[k] == r.id;
    return n;
}

static bool together(const program *p, cak_ref x, cak_ref y)
{
    for (int i = 0; i < p->units.n; i++) {
        bool has[2] = { false };
        for (int k = 0; k < p->units.unit[i].n; k++) {
            has[0] |= p->units.unit[i].id[k] == x.id;
            has[1] |= p->units.unit[i].id[k] == y.id;
        }
        if (has[0] && has[1]) return true;
    }
    return false;
}

static cak_ref image(cak_graph *g, const char *name) { return cak_input(g, name, &CAK_SHAPE(2, 3, 70, 90), true); }
enum { HW = 1 << 2 | 1 << 3 };

START_TEST(a_path_through_a_sum_splits)
{
    bench b = open_bench();
    cak_ref x = image(b.g, "x"), y = cak_tanh(b.g, x), mean = cak_mean_axes(b.g, y, HW), z = cak_sub(b.g, y, mean);
    cak_ref sum = cak_sum_axes(b.g, y, HW), far = cak_sum_axes(b.g, cak_square(b.g, x), HW), both = cak_mul(b.g, z, far);
    program p = partition(&b, &both, 1);
    ck_assert(together(&p, y, sum) && together(&p, y, far) && !together(&p, sum, z) && together(&p, z, both));
    ck_assert_int_eq(times(&p, y), 1);
    ck_assert(p.units.stored[y.id] && p.units.stored[sum.id] && !p.units.stored[z.id]);
    close_bench(&b);
}
END_TEST

START_TEST(cheap_values_are_computed_again)
{
    bench b = open_bench();
    cak_ref x = image(b.g, "x"), w = image(b.g, "w"), d = cak_sub(b.g, x, cak_mean_axes(b.g, x, HW)), m = cak_mul(b.g, d, w);
    cak_ref three = cak_add(b.g, m, image(b.g, "v")), s = cak_mean_axes(b.g, cak_square(b.g, three), HW);
    cak_ref out[] = { cak_mul(b.g, cak_add(b.g, m, three), s), cak_sum_axes(b.g, m, HW) };
    program p = partition(&b, out, 2);
    ck_assert(!p.units.stored[d.id] && times(&p, d) == 2);
    ck_assert(!p.units.stored[m.id] && times(&p, m) == 2);
    ck_assert(p.units.stored[three.id] && times(&p, three) == 1); /* too many values to read again */
    close_bench(&b);
}
END_TEST

START_TEST(what_others_read_is_stored)
{
    bench b = open_bench();
    cak_ref x = image(b.g, "x"), kept = cak_neg(b.g, x), padded = cak_abs(b.g, kept), staged = cak_sign(b.g, padded);
    cak_ref flat = cak_square(b.g, cak_input(b.g, "f", &CAK_SHAPE(2, 3, 70, 90), false));
    cak_ref narrow = cak_neg(b.g, cak_input(b.g, "n", &CAK_SHAPE(2, 1, 70, 90), true));
    cak_ref out[] = { kept, cak_pad(b.g, padded, 3, 1, 0), cak_add(b.g, staged, narrow),
                      cak_add(b.g, flat,
                              cak_reshape(b.g, cak_reshape(b.g, flat, &CAK_SHAPE(6, 6300)), &CAK_SHAPE(2, 3, 70, 90))) };
    program p = open_program(b.a, b.g, out, 4);
    p.stage[out[2].id] = 1;
    p.units = cak_fuse(b.a, b.g, p.run, p.keep, p.stage, true);
    give_memory(&p);
    run_program(&p, true);
    const cak_ref stored[] = { kept, padded, staged, flat, narrow };
    for (int i = 0; i < 5; i++) ck_assert_msg(p.units.stored[stored[i].id] && times(&p, stored[i]) == 1, "value %d", i);
    ck_assert(together(&p, kept, padded) && !together(&p, staged, out[2]) && !together(&p, flat, out[3]));
    close_bench(&b);
}
END_TEST

START_TEST(units_have_a_limit)
{
    bench b = open_bench();
    cak_ref y = image(b.g, "x"), z = y, sums = cak_const(b.g, 0);
    for (int i = 0; i < 200; i++) y = i % 2 ? cak_tanh(b.g, y) : cak_add(b.g, y, cak_const(b.g, i));
    for (int i = 0; i < 120; i++) z = cak_add(b.g, z, image(b.g, cak_arena_print(b.a, "x%d", i)));
    for (int i = 0; i < 100; i++) sums = cak_add(b.g, sums, cak_sum_axes(b.g, cak_scale(b.g, image(b.g, "x"), i + 2), HW));
    cak_ref out[] = { y, z, sums };
    program p = partition(&b, out, 3);
    int most = 0;
    for (int i = 0; i < p.units.n; i++) most = p.units.unit[i].n > most ? p.units.unit[i].n : most;
    ck_assert(most > CAK_FUSE_VALUES / 2 && most <= CAK_FUSE_VALUES);
    close_bench(&b);
}
END_TEST

/* Tensors of the full size that the units read and write. */
static void count_traffic(const program *p, int64_t full, int *reads, int *writes)
{
    *reads = *writes = 0;
    for (int i = 0; i < p->units.n; i++) {
        const cak_unit *u = &p->units.unit[i];
        bool *seen = cak_arena_alloc(p->a, (size_t)cak_graph_size(p->g));
        for (int k = 0; k < u->n; k++) seen[u->id[k]] = true;
        for (int k = 0; k < u->n; k++) {
            *writes += p->units.stored[u->id[k]] && size_of(p, u->id[k]) == full;
            for (int j = 0; j < value(p, u->id[k])->n_in; j++) {
                int root = root_of(p, value(p, u->id[k])->in[j].id);
                *reads += !seen[root] && size_of(p, root) == full;
                seen[root] = true;
            }
        }
    }
}

/* Instance normalisation and leaky ReLU of a blocked tensor: y, its gradient, and the two gradients of that gradient. */
static cak_graph *normalisation(cak_graph *g, cak_ref out[4])
{
    const cak_shape shape = CAK_SHAPE(2, 2, 24, 25, 16);
    cak_ref z = cak_input(g, "z", &shape, true), gy = cak_input(g, "gy", &shape, true), v = cak_input(g, "v", &shape, true);
    cak_ref d = cak_sub(g, z, cak_mean_axes(g, z, HW)), var = cak_mean_axes(g, cak_square(g, d), HW);
    cak_ref n = cak_mul(g, d, cak_rsqrt(g, cak_shift(g, var, 1e-5))), x[] = { z, gy };
    out[0] = cak_mul(g, n, cak_leaky_mask(g, n, 0.2));
    out[1] = cak_grad(g, cak_mul(g, out[0], gy), z);
    ck_assert(cak_gradients(g, cak_sum(g, cak_add(g, cak_mul(g, out[1], v), out[0])), x, 2, out + 2));
    return cak_pass_fold(g, out, 4);
}

START_TEST(normalisation_moves_few_bytes)
{
    bench b = open_bench();
    cak_ref out[4];
    cak_graph *g = normalisation(b.g, out);
    program fused = open_program(b.a, g, out, 4), plain = open_program(b.a, g, out, 4);
    fused.units = cak_fuse(b.a, g, fused.run, fused.keep, fused.stage, true);
    plain.units = cak_fuse(b.a, g, plain.run, plain.keep, plain.stage, false);
    give_memory(&fused), give_memory(&plain);
    run_program(&fused, true), run_program(&plain, false);
    int reads[2], writes[2];
    count_traffic(&fused, 2 * 2 * 24 * 25 * 16, &reads[0], &writes[0]);
    count_traffic(&plain, 2 * 2 * 24 * 25 * 16, &reads[1], &writes[1]);
    ck_assert_int_le(writes[0], 5);
    ck_assert_int_le(reads[0], 17);
    ck_assert_int_ge(reads[1] + writes[1], 4 * (reads[0] + writes[0]));
    for (int i = 0; i < 4; i++)
        ck_assert(!memcmp(fused.data[out[i].id], plain.data[out[i].id], (size_t)size_of(&fused, out[i].id) * sizeof(real)));
    cak_graph_close(g);
    close_bench(&b);
}
END_TEST

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

START_TEST(five_thousand_values_are_partitioned_fast)
{
    bench b = open_bench();
    cak_ref all = image(b.g, "x"), x = all, out[1];
    for (int i = 0; cak_graph_size(b.g) < 5000; i++) {
        x = cak_add(b.g, cak_mul(b.g, x, all), cak_mean_axes(b.g, i % 3 ? x : cak_tanh(b.g, x), HW));
        if (i % 50 == 0) all = cak_add(b.g, all, x);
    }
    out[0] = x;
    program p = open_program(b.a, b.g, out, 1);
    double from = now();
    p.units = cak_fuse(b.a, b.g, p.run, p.keep, p.stage, true);
    ck_assert_double_lt(now() - from, 0.5);
    ck_assert_int_gt(p.units.n, 100);
    close_bench(&b);
}
END_TEST

SUITE(fuse, fused_values_have_the_same_bits, some_samples_of_a_batch, memory_taken_over_in_place, a_path_through_a_sum_splits,
      cheap_values_are_computed_again, what_others_read_is_stored, units_have_a_limit, normalisation_moves_few_bytes,
      five_thousand_values_are_partitioned_fast)
