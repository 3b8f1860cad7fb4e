/* Convolution in direct form, by Winograd and for few channels. */
#include "bench/forms.h"

#include "nodes/kernels/conv.h"

/* ---- direct, on plain layout ---- */

static cak_conv_attr attr(const bench_problem *p) { return (cak_conv_attr){ p->stride, 1, 1 }; }
static cak_shape shape_x(const bench_problem *p) { return CAK_SHAPE(p->batch, p->c, p->height, p->width); }
static cak_shape shape_w(const bench_problem *p) { return CAK_SHAPE(p->o, p->c, p->kernel, p->kernel); }
static cak_shape shape_y(const bench_problem *p) { return CAK_SHAPE(p->batch, p->o, p->h, p->w); }

static bool always(const bench_problem *p)
{
    (void)p;
    return true;
}

static size_t direct_scratch(const bench_problem *p)
{
    cak_shape w = shape_w(p);
    return cak_conv_scratch(&w);
}
static size_t direct_dx_scratch(const bench_problem *p)
{
    cak_conv_attr a = attr(p);
    cak_shape x = shape_x(p), w = shape_w(p), y = shape_y(p);
    return cak_conv_dx_scratch(&a, &x, &w, &y);
}
static size_t direct_dw_scratch(const bench_problem *p)
{
    cak_shape w = shape_w(p), y = shape_y(p);
    return cak_conv_dw_scratch(&w, &y);
}

/* The three share their arguments: two operands in, one out. */
typedef void direct(const cak_conv_attr *a, const cak_shape *xs, const cak_shape *ws, const cak_shape *ys, const real *in0,
                    const real *in1, real *out, void *scratch);
static void run_direct(bench_conv *s, direct *f, const real *in0, const real *in1)
{
    cak_conv_attr a = attr(&s->p);
    cak_shape x = shape_x(&s->p), w = shape_w(&s->p), y = shape_y(&s->p);
    f(&a, &x, &w, &y, in0, in1, s->out, s->scratch);
}
static void direct_forward(bench_conv *s) { run_direct(s, cak_conv_forward, s->x.data, s->w.data); }
static void direct_dx(bench_conv *s) { run_direct(s, cak_conv_dx, s->y.data, s->w.data); }
static void direct_dw(bench_conv *s) { run_direct(s, cak_conv_dw, s->x.data, s->y.data); }

const bench_form bench_forms[] = {
    { .name = "direct",
      .fits = always,
      .scratch = { direct_scratch, direct_dx_scratch, direct_dw_scratch },
      .run = { direct_forward, direct_dx, direct_dw } },
};
const int bench_n_forms = sizeof bench_forms / sizeof *bench_forms;
