/* Random graphs over a batch, and runs in which memory is watched. */
#include "tests/support/slice_run.h"

#include <math.h>
#include <string.h>

#include "graph/par.h"
#include "graph/rng.h"

static const cak_clock clock_now = { 3, 4 };

/* ---- random graphs: values by kind, each bounded by about one ---- */

/* Two kinds of each kind of rows: kept between rounds and computed again, small sums and large ones. */
typedef enum kind { ROW, COLUMN, WIDE_ROW, NARROW_ROW, MEAN, NUMBER, SUM, MIXED, KINDS } kind;
enum { RECENT = 6, COLUMNS = 5 };
static const int64_t width[KINDS] = { COLUMNS, 1, WIDE, NARROW };

typedef struct maker {
    cak_graph *g;
    int64_t batch;
    uint64_t seed, throws;
    cak_ref *pool[KINDS];
    int n[KINDS];
} maker;

static int roll(maker *m, int sides) { return (int)cak_rng_below(m->seed, 1, 2, m->throws++, (uint64_t)sides); }

static cak_ref pick(maker *m, kind k)
{
    int n = m->n[k], recent = n < RECENT ? n : RECENT;
    return m->pool[k][roll(m, 3) ? n - 1 - roll(m, recent) : roll(m, n)];
}

static cak_ref squash(maker *m, cak_ref x, double scale) { return cak_tanh(m->g, cak_scale(m->g, x, scale)); }

static cak_ref apply(maker *m, cak_ref x)
{
    static cak_ref (*const ops[])(cak_graph *, cak_ref) = { cak_tanh, cak_sin, cak_neg, cak_sigmoid, cak_abs, cak_square };
    return ops[roll(m, 6)](m->g, x);
}

static cak_ref unary(maker *m, kind a, kind b) { return (void)b, apply(m, pick(m, a)); }

static cak_ref binary(maker *m, kind a, kind b)
{
    static cak_ref (*const ops[])(cak_graph *, cak_ref, cak_ref) = { cak_add, cak_sub, cak_mul };
    cak_ref x = pick(m, a), y = pick(m, b);
    return cak_scale(m->g, ops[roll(m, 3)](m->g, x, y), 0.5);
}

/* Rows of kind a times weights: rows of kind b. */
static cak_ref dense(maker *m, kind a, kind b)
{
    const char *name = cak_arena_print(cak_graph_arena(m->g), "w%dx%d", a, b);
    cak_ref w = cak_param(m->g, name, &CAK_SHAPE(width[a], width[b]), (cak_init){ 0 });
    return squash(m, cak_matmul(m->g, pick(m, a), w, false, false), 1 / sqrt((double)width[a]));
}

/* The same elements as a view, or in another shape for a moment. */
static cak_ref view(maker *m, kind a, kind b)
{
    cak_ref x = pick(m, a);
    const cak_shape s = *cak_shape_of(m->g, x);
    cak_shape flat = b == MEAN ? CAK_SHAPE(s.dim[0] * s.dim[1]) : CAK_SHAPE(s.dim[0], 1, s.dim[1]);
    if (!roll(m, 3)) return cak_detach(m->g, x);
    return cak_reshape(m->g, apply(m, cak_reshape(m->g, x, &flat)), &s);
}

static cak_ref draw(maker *m, kind a, kind b)
{
    (void)b;
    return cak_uniform(m->g, roll(m, 2) ? "one" : "two", &CAK_SHAPE(m->batch, width[a]));
}

static cak_ref mean_row(maker *m, kind a, kind b) { return (void)b, cak_mean_axes(m->g, pick(m, a), 1 << 1); }
static cak_ref mean_batch(maker *m, kind a, kind b) { return (void)b, cak_mean_axes(m->g, pick(m, a), 1 << 0); }
static cak_ref mean_all(maker *m, kind a, kind b) { return (void)b, cak_mean(m->g, pick(m, a)); }

/* Losses are often sums over one number for each sample. */
static cak_ref mean_flat(maker *m, kind a, kind b)
{
    (void)b;
    return cak_mean(m->g, apply(m, cak_flat(m->g, cak_mean_axes(m->g, pick(m, a), 1 << 1))));
}

/* A large sum over the samples, and linear functions of one. */
static cak_ref fold(maker *m, kind a, kind b)
{
    cak_ref x = pick(m, a), y = pick(m, b);
    return cak_scale(m->g, cak_matmul(m->g, x, y, true, false), 1 / (double)m->batch);
}

static cak_ref weigh(maker *m, kind a, kind b)
{
    return (void)b, cak_mul(m->g, pick(m, a), cak_param(m->g, "weight", &CAK_SHAPE(WIDE, NARROW), (cak_init){ 0 }));
}

static cak_ref turn(maker *m, kind a, kind b)
{
    cak_ref k = cak_param(m->g, "turn", &CAK_SHAPE(NARROW, NARROW), (cak_init){ 0 });
    return (void)b, cak_scale(m->g, cak_matmul(m->g, pick(m, a), k, false, false), 0.25);
}

static cak_ref use_sum(maker *m, kind a, kind b)
{
    cak_ref x = pick(m, a), w = pick(m, b);
    return squash(m, cak_matmul(m->g, x, w, false, false), 0.1);
}

/* Samples meet. */
static cak_ref transposed(maker *m, kind a, kind b)
{
    const cak_ints order = { 2, { 1, 0 } };
    return (void)b, cak_permute(m->g, apply(m, cak_permute(m->g, pick(m, a), &order)), &order);
}

static cak_ref attend(maker *m, kind a, kind b)
{
    cak_ref x = pick(m, a), y = pick(m, b), all = cak_matmul(m->g, x, y, false, true);
    return cak_scale(m->g, cak_matmul(m->g, all, y, false, false), 1 / (double)m->batch);
}

static cak_ref one_sample(maker *m, kind a, kind b)
{
    int64_t at = roll(m, (int)m->batch);
    return (void)b, cak_pad(m->g, cak_slice(m->g, pick(m, a), 0, at, 1), 0, at, m->batch - 1 - at);
}

static cak_ref meet_rows(maker *m, kind a, kind b)
{
    return (void)b, cak_mul(m->g, pick(m, a), cak_param(m->g, "m", &CAK_SHAPE(m->batch, COLUMNS), (cak_init){ 0 }));
}

static const struct rule {
    kind y;
    cak_ref (*make)(maker *m, kind a, kind b);
    kind a, b;
} rules[] = {
    { ROW, unary, ROW, ROW },
    { ROW, binary, ROW, ROW },
    { ROW, binary, ROW, MEAN },
    { ROW, binary, COLUMN, ROW },
    { ROW, binary, ROW, NUMBER },
    { ROW, dense, ROW, ROW },
    { ROW, dense, WIDE_ROW, ROW },
    { ROW, view, ROW, ROW },
    { ROW, draw, ROW, ROW },
    { ROW, binary, ROW, MEAN },
    { WIDE_ROW, unary, WIDE_ROW, ROW },
    { WIDE_ROW, binary, WIDE_ROW, NUMBER },
    { WIDE_ROW, dense, ROW, WIDE_ROW },
    { WIDE_ROW, binary, COLUMN, WIDE_ROW },
    { NARROW_ROW, dense, ROW, NARROW_ROW },
    { NARROW_ROW, use_sum, WIDE_ROW, SUM },
    { NARROW_ROW, view, NARROW_ROW, ROW },
    { ROW, dense, NARROW_ROW, ROW },
    { COLUMN, mean_row, ROW, ROW },
    { COLUMN, mean_row, WIDE_ROW, ROW },
    { COLUMN, binary, COLUMN, COLUMN },
    { MEAN, mean_batch, ROW, ROW },
    { MEAN, mean_batch, MIXED, ROW },
    { MEAN, binary, MEAN, NUMBER },
    { MEAN, view, MEAN, MEAN },
    { NUMBER, mean_all, ROW, ROW },
    { NUMBER, mean_all, WIDE_ROW, ROW },
    { NUMBER, mean_all, COLUMN, ROW },
    { NUMBER, mean_all, SUM, ROW },
    { NUMBER, mean_flat, ROW, ROW },
    { NUMBER, binary, NUMBER, NUMBER },
    { SUM, fold, WIDE_ROW, NARROW_ROW },
    { SUM, fold, WIDE_ROW, NARROW_ROW },
    { SUM, weigh, SUM, ROW },
    { SUM, turn, SUM, ROW },
    { SUM, view, SUM, MEAN },
    { SUM, binary, SUM, SUM },
    { SUM, binary, SUM, NUMBER },
    { MIXED, transposed, ROW, ROW },
    { MIXED, attend, ROW, ROW },
    { MIXED, one_sample, ROW, ROW },
    { MIXED, meet_rows, ROW, ROW },
    { MIXED, binary, MIXED, ROW },
    { MIXED, binary, MIXED, MEAN },
};

static void put(maker *m, kind k, cak_ref x) { m->pool[k][m->n[k]++] = x; }

static void open_pools(maker *m, int n)
{
    cak_graph *g = m->g;
    for (int k = 0; k < KINDS; k++) m->pool[k] = cak_arena_alloc(cak_graph_arena(g), ((size_t)n + 4) * sizeof(cak_ref));
    put(m, ROW, cak_input(g, "x", &CAK_SHAPE(m->batch, COLUMNS), true));
    put(m, ROW, cak_input(g, "u", &CAK_SHAPE(m->batch, COLUMNS), true));
    put(m, COLUMN, cak_input(g, "c", &CAK_SHAPE(m->batch, 1), true));
    put(m, MEAN, cak_param(g, "p", &CAK_SHAPE(1, COLUMNS), (cak_init){ 0 }));
    put(m, NUMBER, cak_param(g, "s", &CAK_SCALAR, (cak_init){ 0 }));
    put(m, WIDE_ROW, dense(m, ROW, WIDE_ROW));
    put(m, NARROW_ROW, dense(m, ROW, NARROW_ROW));
    put(m, SUM, fold(m, WIDE_ROW, NARROW_ROW));
    put(m, MIXED, meet_rows(m, ROW, ROW));
}

void random_batch_graph(cak_graph *g, int seed, int n, int64_t batch, cak_ref *out, int n_out)
{
    maker m = { .g = g, .batch = batch, .seed = (uint64_t)seed };
    open_pools(&m, n);
    for (int i = 0; i < n; i++) {
        const struct rule *r = &rules[roll(&m, (int)(sizeof rules / sizeof *rules))];
        put(&m, r->y, r->make(&m, r->a, r->b));
    }
    for (int i = 0; i < n_out; i++) out[i] = pick(&m, (kind)roll(&m, KINDS));
    ck_assert(!cak_graph_failed(g));
}

/* ---- runs ---- */

enum { GUARD = 4096, PATTERN = 0x5a };

static void bind_edited(cak_arena *a, const cak_graph *g, cak_exec *e, const setting *s)
{
    for (int id = 0; id < cak_graph_size(g); id++) {
        const cak_ref r = { id };
        const char *name = cak_value_name(g, r);
        if (!name) continue;
        real *data = random_data(a, name, cak_shape_size(cak_shape_of(g, r)));
        if (s->edit) s->edit(s->ctx, name, cak_shape_of(g, r), data);
        ck_assert(cak_exec_bind(e, name, data));
    }
}

static const real **copy_outputs(cak_arena *a, const cak_graph *g, const cak_exec *e, const cak_ref *out, int n)
{
    const real **y = cak_arena_alloc(a, (size_t)n * sizeof *y);
    for (int i = 0; i < n; i++) {
        size_t bytes = (size_t)cak_shape_size(cak_shape_of(g, out[i])) * sizeof(real);
        y[i] = memcpy(cak_arena_alloc(a, bytes), cak_exec_data(e, out[i]), bytes);
    }
    return y;
}

const real **run_watched(cak_arena *a, const cak_graph *g, const cak_ref *out, int n, const setting *s)
{
    int before = cak_threads();
    cak_threads_set(s->threads);
    cak_program *p = cak_plan_with(a, g, out, n, &s->plan);
    cak_plan_info info = cak_program_info(p);
    size_t bytes = info.slab + info.scratch;
    char *slab = cak_slab_alloc(bytes + GUARD, "watched");
    cak_exec *e = cak_exec_open(a, p, slab);
    bind_edited(a, g, e, s);
    const real **y = NULL;
    for (int k = 0; k < 2; k++) {
        memset(slab, 0xff, bytes); /* NaN */
        memset(slab + bytes, PATTERN, GUARD);
        long count = cak_alloc_count();
        cak_exec_run(e, &clock_now);
        ck_assert_int_eq(cak_alloc_count(), count);
        for (int i = 0; i < GUARD; i++)
            ck_assert_msg(slab[bytes + (size_t)i] == PATTERN, "byte %d behind the slab was written", i);
        const real **again = copy_outputs(a, g, e, out, n);
        if (y) ck_equal_bits(g, out, n, again, y, "second run");
        y = again;
    }
    cak_exec_close(e);
    cak_slab_free(slab, bytes + GUARD);
    cak_threads_set(before);
    return y;
}

void ck_equal_bits(const cak_graph *g, const cak_ref *out, int n, const real *const *x, const real *const *y, const char *what)
{
    for (int i = 0; i < n; i++)
        for (int64_t j = 0; j < cak_shape_size(cak_shape_of(g, out[i])); j++)
            ck_assert_msg(!memcmp(&x[i][j], &y[i][j], sizeof(real)), "%s: output %d, %%%d[%lld] is %.9g and not %.9g", what, i,
                          out[i].id, (long long)j, (double)x[i][j], (double)y[i][j]);
}

void ck_near(const cak_graph *g, const cak_ref *out, int n, const real *const *x, const real *const *y, const char *what)
{
    const double tolerance = sizeof(real) == sizeof(double) ? 1e-11 : 1e-4;
    for (int i = 0; i < n; i++)
        for (int64_t j = 0; j < cak_shape_size(cak_shape_of(g, out[i])); j++) {
            double have = (double)x[i][j], want = (double)y[i][j];
            ck_assert_msg(fabs(have - want) <= tolerance * (1 + fabs(want)), "%s: output %d, %%%d[%lld] is %.9g and not %.9g",
                          what, i, out[i].id, (long long)j, have, want);
        }
}
