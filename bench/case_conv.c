/* Cases: the convolutions of the critic and the detector, forward and both adjoints, in every form there is. */
#include "bench/bench.h"

#include <string.h>

#include "bench/forms.h"

static const struct layer {
    const char *name;
    int64_t c, o, kernel, stride, halvings; /* halvings: of the picture before this layer */
} layers[] = {
    { "conv1", 1, 32, 4, 2, 0 }, { "conv2", 32, 64, 4, 2, 1 }, { "conv3", 64, 128, 4, 2, 2 }, { "detector", 1, 1, 3, 1, 0 }
};

static const struct size {
    const char *name;
    int64_t batch, h, w;
} sizes[] = { { "64x64", 16, 64, 64 }, { "128x128", 16, 128, 128 }, { "1025x64", 16, 1025, 64 }, { "1025x1292", 1, 1025, 1292 } };

static const char *const op_names[BENCH_OPS] = { "forward", "dx", "dw" };

typedef struct plan { /* what a case measures */
    bench_problem p;
    bench_op op;
    const bench_form *form;
} plan;

static int64_t numbers_of(const int64_t dim[4]) { return dim[0] * dim[1] * dim[2] * dim[3]; }

/* ---- one number of the result, in double ---- */

static double at(const bench_operand *a, int64_t b, int64_t c, int64_t i, int64_t j)
{
    return (double)a->plain[((b * a->dim[1] + c) * a->dim[2] + i) * a->dim[3] + j];
}

static double forward_at(const bench_conv *s, const int64_t y[4])
{
    const bench_problem *p = &s->p;
    double sum = 0;
    for (int64_t c = 0; c < p->c; c++)
        for (int64_t k = 0; k < p->kernel * p->kernel; k++) {
            int64_t i = y[2] * p->stride - 1 + k / p->kernel, j = y[3] * p->stride - 1 + k % p->kernel;
            if (i < 0 || j < 0 || i >= p->height || j >= p->width) continue;
            sum += at(&s->x, y[0], c, i, j) * at(&s->w, y[1], c, k / p->kernel, k % p->kernel);
        }
    return sum;
}

static double dx_at(const bench_conv *s, const int64_t x[4])
{
    const bench_problem *p = &s->p;
    double sum = 0;
    for (int64_t o = 0; o < p->o; o++)
        for (int64_t k = 0; k < p->kernel * p->kernel; k++) {
            int64_t i = x[2] + 1 - k / p->kernel, j = x[3] + 1 - k % p->kernel;
            if (i < 0 || j < 0 || i % p->stride || j % p->stride || i / p->stride >= p->h || j / p->stride >= p->w) continue;
            sum += at(&s->y, x[0], o, i / p->stride, j / p->stride) * at(&s->w, o, x[1], k / p->kernel, k % p->kernel);
        }
    return sum;
}

static double dw_at(const bench_conv *s, const int64_t w[4])
{
    const bench_problem *p = &s->p;
    double sum = 0;
    for (int64_t b = 0; b < p->batch; b++)
        for (int64_t i = 0; i < p->h; i++)
            for (int64_t j = 0; j < p->w; j++) {
                int64_t row = i * p->stride - 1 + w[2], column = j * p->stride - 1 + w[3];
                if (row < 0 || column < 0 || row >= p->height || column >= p->width) continue;
                sum += at(&s->y, b, w[0], i, j) * at(&s->x, b, w[1], row, column);
            }
    return sum;
}

static double (*const reference[BENCH_OPS])(const bench_conv *s, const int64_t at[4]) = { forward_at, dx_at, dw_at };

/* ---- a case ---- */

/* Where element (b, c, i, j) stands when channels are in blocks of 16. */
static int64_t blocked_index(const int64_t dim[4], const int64_t k[4])
{
    return (((k[0] * (dim[1] / CAK_LANES) + k[1] / CAK_LANES) * dim[2] + k[2]) * dim[3] + k[3]) * CAK_LANES + k[1] % CAK_LANES;
}

static void open_operand(bench_operand *a, bool blocked, uint64_t seed)
{
    int64_t n = numbers_of(a->dim), k[4], i = 0;
    a->data = a->plain = bench_numbers(n, seed);
    a->blocked = blocked;
    if (!blocked) return;
    a->data = cak_slab_alloc((size_t)n * sizeof(real), "bench");
    for (k[0] = 0; k[0] < a->dim[0]; k[0]++)
        for (k[1] = 0; k[1] < a->dim[1]; k[1]++)
            for (k[2] = 0; k[2] < a->dim[2]; k[2]++)
                for (k[3] = 0; k[3] < a->dim[3]; k[3]++) a->data[blocked_index(a->dim, k)] = a->plain[i++];
}

static void close_operand(bench_operand *a)
{
    size_t bytes = (size_t)numbers_of(a->dim) * sizeof(real);
    if (a->data != a->plain) cak_slab_free(a->data, bytes);
    cak_slab_free(a->plain, bytes);
}

static bool conv_open(bench_run *r, const void *arg)
{
    const plan *q = arg;
    const bench_problem *p = &q->p;
    bench_conv *s = r->state = cak_arena_alloc(r->arena, sizeof *s);
    *s = (bench_conv){ .p = *p,
                       .x = { .dim = { p->batch, p->c, p->height, p->width } },
                       .w = { .dim = { p->o, p->c, p->kernel, p->kernel } },
                       .y = { .dim = { p->batch, p->o, p->h, p->w } } };
    open_operand(&s->x, q->form->blocked_x, 1);
    open_operand(&s->w, false, 2);
    open_operand(&s->y, q->form->blocked_y, 3);
    bench_operand *const result[BENCH_OPS] = { &s->y, &s->x, &s->w };
    s->result = *result[q->op];
    s->result.data = s->out = cak_slab_alloc((size_t)numbers_of(s->result.dim) * sizeof(real), "bench");
    s->aux_bytes = q->form->aux ? q->form->aux(p) : 0;
    s->aux = s->aux_bytes ? cak_slab_alloc(s->aux_bytes, "bench") : NULL;
    s->scratch_bytes = q->form->scratch[q->op](p);
    s->scratch = cak_slab_alloc(s->scratch_bytes, "bench");
    s->run = q->form->run[q->op];
    s->op = q->op;
    r->effective = 2.0 * (double)(p->batch * p->o * p->h * p->w * p->c * p->kernel * p->kernel);
    r->executed = q->form->executed ? q->form->executed(p) : r->effective;
    return true;
}

static void conv_run(bench_run *r)
{
    bench_conv *s = r->state;
    s->run(s);
}

/* A few numbers of the result, corners among them. */
static void conv_check(bench_run *r)
{
    enum { SAMPLES = 64 };
    bench_conv *s = r->state;
    const bench_operand *y = &s->result;
    bench_error e = { 0 };
    for (uint64_t t = 0; t < SAMPLES; t++) {
        int64_t k[4];
        for (int i = 0; i < 4; i++) k[i] = (int64_t)(bench_mix(4 * t + (uint64_t)i) % (uint64_t)y->dim[i]);
        if (t < 4) k[2] = t & 1 ? y->dim[2] - 1 : 0, k[3] = t & 2 ? y->dim[3] - 1 : 0;
        int64_t plain = ((k[0] * y->dim[1] + k[1]) * y->dim[2] + k[2]) * y->dim[3] + k[3];
        bench_compare(&e, (double)s->out[y->blocked ? blocked_index(y->dim, k) : plain], reference[s->op](s, k));
    }
    bench_hash(r, s->out, (size_t)numbers_of(y->dim) * sizeof(real));
    bench_judge(r, &e, sizeof(real) == 4 ? 1.5e-6 : 1e-13);
}

static void conv_close(bench_run *r)
{
    bench_conv *s = r->state;
    close_operand(&s->x), close_operand(&s->w), close_operand(&s->y);
    cak_slab_free(s->out, (size_t)numbers_of(s->result.dim) * sizeof(real));
    cak_slab_free(s->aux, s->aux_bytes);
    cak_slab_free(s->scratch, s->scratch_bytes);
}

static bench_problem problem(const struct layer *l, const struct size *z)
{
    bench_problem p = { z->batch, l->c, z->h, z->w, l->o, 0, 0, l->kernel, l->stride };
    for (int i = 0; i < l->halvings; i++) p.height /= 2, p.width /= 2;
    p.h = (p.height + 2 - l->kernel) / l->stride + 1;
    p.w = (p.width + 2 - l->kernel) / l->stride + 1;
    return p;
}

void bench_add_convolutions(bench_list *l)
{
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
            for (bench_op op = 0; op < BENCH_OPS; op++)
                for (int f = 0; f < bench_n_forms; f++) {
                    plan *q = cak_arena_alloc(l->arena, sizeof *q);
                    *q = (plan){ problem(&layers[i], &sizes[z]), op, &bench_forms[f] };
                    if (!q->form->fits(&q->p)) continue;
                    const char *name =
                        cak_arena_print(l->arena, "%s/%s/%s/%s", layers[i].name, sizes[z].name, op_names[op], q->form->name);
                    bench_add(l, &(bench_case){ name, conv_open, conv_run, conv_check, conv_close, q, false });
                }
}
