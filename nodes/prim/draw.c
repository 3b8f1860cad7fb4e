/* Random values: a pure function of (seed, stream, step, index); axis 0 counts samples. */
#include <math.h>

#include "graph/attr_types.h"
#include "graph/ops.h"
#include "graph/par.h"
#include "graph/rng.h"

static bool draw_shape(cak_graph *g, const cak_site *s, cak_shape *y)
{
    const cak_draw_attr *a = s->attr;
    *y = (cak_shape){ .rank = a->shape.n };
    if (a->shape.n > CAK_MAX_DIM) return cak_fail(g, "a tensor has at most %d axes", CAK_MAX_DIM);
    for (int i = 0; i < a->shape.n; i++) {
        if (a->shape.v[i] < 1) return cak_fail(g, "axis %d of a random tensor needs an extent of at least 1", i);
        y->dim[i] = a->shape.v[i];
    }
    return true;
}

/* A sample draws the same numbers in any slice of the batch. */
static void draw_run(const cak_work *w)
{
    const cak_draw_attr *a = w->attr;
    uint64_t stream = cak_rng_stream(a->stream), seed = w->clock->seed, step = w->clock->step;
    int64_t n = cak_shape_size(&w->y.shape), row = w->y.shape.rank ? n / w->y.shape.dim[0] : 1;
    CAK_PARALLEL_FOR (i, n, n) {
        uint64_t index = (uint64_t)(w->sample ? w->sample[i / row] * row + i % row : i);
        w->y.data[i] = (real)(a->dist ? cak_rng_normal(seed, stream, step, index) : cak_rng_uniform(seed, stream, step, index));
        if (!a->dist && w->y.data[i] >= 1) w->y.data[i] = CAK_MATH(nextafter)(1, 0); /* rounding to float must not reach 1 */
    }
}

static void draw_grad(cak_graph *g, const cak_site *s, cak_ref gy, cak_ref *gin) { (void)g, (void)s, (void)gy, (void)gin; }

static cak_rows draw_rows(const cak_site *s, const cak_rows *in)
{
    (void)in;
    return s->y_shape.rank ? CAK_ROWS_SAMPLE : CAK_ROWS_SHARED;
}

static const char *const dists[] = { "uniform", "normal", NULL };
static const cak_port one_out[] = { { "y", "random values, new ones at every step", false }, { 0 } };
static const cak_attr draw_attrs[] = {
    { .name = "stream",
      .doc = "name of the random stream; equal names draw equal values",
      .kind = CAK_TEXT,
      .offset = offsetof(cak_draw_attr, stream),
      .required = true },
    { .name = "shape",
      .doc = "shape; axis 0 counts samples",
      .kind = CAK_INTS,
      .offset = offsetof(cak_draw_attr, shape),
      .required = true },
    { .name = "dist",
      .doc = "uniform on [0,1) or standard normal",
      .kind = CAK_ENUM,
      .offset = offsetof(cak_draw_attr, dist),
      .choices = dists },
    { .kind = CAK_END },
};
CAK_NODE(draw) = {
    .name = "draw",
    .doc = "random values from a named stream (Philox4x32-10)",
    .formula = "y[i] = random(seed, stream, step, i)",
    .out = one_out,
    .attr = draw_attrs,
    .attr_size = sizeof(cak_draw_attr),
    .shape = draw_shape,
    .run = draw_run,
    .rows = draw_rows,
    .diff = CAK_DIFF_RULE,
    .grad = draw_grad,
};
