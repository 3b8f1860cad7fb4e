/* Convolution in direct form, by Winograd and for few channels. */
#include "bench/forms.h"

#include "nodes/kernels/conv.h"
#include "nodes/kernels/few.h"

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

/* ---- Winograd; transforming the filters belongs to the run ---- */

static cak_wino wino(const bench_problem *p) { return (cak_wino){ p->batch, p->c, p->height, p->width, p->o, p->h, p->w }; }

static bool wino_fits(const bench_problem *p)
{
    return p->kernel == 4 && p->stride == 2 && p->c % CAK_LANES == 0 && p->o % CAK_LANES == 0;
}

static size_t wino_aux(const bench_problem *p) { return (size_t)cak_wino_filter_reals(p->c, p->o) * sizeof(real); }

static size_t wino_forward_scratch(const bench_problem *p)
{
    cak_wino g = wino(p);
    return cak_wino_forward_scratch(&g);
}
static size_t wino_dx_scratch(const bench_problem *p)
{
    cak_wino g = wino(p);
    return cak_wino_dx_scratch(&g);
}

static size_t wino_dw_scratch(const bench_problem *p)
{
    cak_wino g = wino(p);
    return cak_wino_dw_scratch(&g);
}

static void wino_forward(bench_conv *s)
{
    cak_wino g = wino(&s->p);
    cak_wino_filter(s->p.c, s->p.o, s->w.data, s->aux);
    cak_wino_forward(&g, s->x.data, s->aux, s->out, s->scratch);
}
static void wino_dx(bench_conv *s)
{
    cak_wino g = wino(&s->p);
    cak_wino_filter_dx(s->p.c, s->p.o, s->w.data, s->aux);
    cak_wino_dx(&g, s->y.data, s->aux, s->out, s->scratch);
}
static void wino_dw(bench_conv *s)
{
    cak_wino g = wino(&s->p);
    cak_wino_dw(&g, s->x.data, s->y.data, s->aux, s->scratch);
    cak_wino_filter_dw(s->p.c, s->p.o, s->aux, s->out);
}

/* Of the products, without the transforms, which only add. */
static double wino_executed(const bench_problem *p)
{
    int64_t rows = (p->h + CAK_WINO_OUT - 1) / CAK_WINO_OUT, columns = (p->w + CAK_WINO_OUT - 1) / CAK_WINO_OUT;
    return 2.0 * (double)(p->batch * rows * columns * CAK_WINO_POSITIONS * CAK_WINO_PHASES * p->c * p->o);
}

/* ---- few channels ---- */

static cak_few few(const bench_problem *p)
{
    return (cak_few){ attr(p), p->batch, p->c, p->height, p->width, p->o, p->h, p->w, p->kernel, p->kernel };
}

static bool few_fits(const bench_problem *p) { return p->c <= CAK_FEW && p->o % CAK_LANES == 0; }

static size_t few_forward_scratch(const bench_problem *p)
{
    cak_few g = few(p);
    return cak_few_forward_scratch(&g);
}
static size_t few_dx_scratch(const bench_problem *p)
{
    cak_few g = few(p);
    return cak_few_dx_scratch(&g);
}
static size_t few_dw_scratch(const bench_problem *p)
{
    cak_few g = few(p);
    return cak_few_dw_scratch(&g);
}

static void run_few(bench_conv *s, void (*f)(const cak_few *g, const real *in0, const real *in1, real *out, void *scratch),
                    const real *in0, const real *in1)
{
    cak_few g = few(&s->p);
    f(&g, in0, in1, s->out, s->scratch);
}
static void few_forward(bench_conv *s) { run_few(s, cak_few_forward, s->x.data, s->w.data); }
static void few_dx(bench_conv *s) { run_few(s, cak_few_dx, s->y.data, s->w.data); }
static void few_dw(bench_conv *s) { run_few(s, cak_few_dw, s->x.data, s->y.data); }

const bench_form bench_forms[] = {
    { .name = "direct",
      .fits = always,
      .scratch = { direct_scratch, direct_dx_scratch, direct_dw_scratch },
      .run = { direct_forward, direct_dx, direct_dw } },
    { .name = "wino",
      .blocked_x = true,
      .blocked_y = true,
      .fits = wino_fits,
      .scratch = { wino_forward_scratch, wino_dx_scratch, wino_dw_scratch },
      .run = { wino_forward, wino_dx, wino_dw },
      .aux = wino_aux,
      .executed = wino_executed },
    { .name = "few",
      .blocked_y = true,
      .fits = few_fits,
      .scratch = { few_forward_scratch, few_dx_scratch, few_dw_scratch },
      .run = { few_forward, few_dx, few_dw } },
};
const int bench_n_forms = sizeof bench_forms / sizeof *bench_forms;
