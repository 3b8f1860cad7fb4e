/* Every node that keeps samples apart computes a sample alone as it does in its batch: kernels take sizes from the shapes of a run. */
#include <stdint.h>
#include <string.h>

#include "nodes/prim/conv2d.h"
#include "nodes/prim/stft.h"
#include "tests/support/graph_run.h"

extern const cak_node cak_node_wino_forward, cak_node_wino_dx, cak_node_wino_filter, cak_node_wino_filter_dx,
    cak_node_few_forward, cak_node_few_dx;

enum { B = 3 };

static cak_ref image(cak_graph *g, int64_t c, int64_t h, int64_t w) { return cak_input(g, "x", &CAK_SHAPE(B, c, h, w), true); }
static cak_ref filters(cak_graph *g, int64_t o, int64_t c, int64_t k) { return cak_input(g, "w", &CAK_SHAPE(o, c, k, k), false); }
static cak_ref blocks(cak_graph *g, int64_t c, int64_t h, int64_t w)
{
    return cak_input(g, "x", &CAK_SHAPE(B, c / 16, h, w, 16), true);
}

static cak_ref conv2d(cak_graph *g) { return cak_conv2d(g, image(g, 3, 9, 11), filters(g, 5, 3, 3), 1, 1, 1); }
static cak_ref conv2d_dx(cak_graph *g)
{
    return cak_conv2d_dx(g, image(g, 5, 5, 6), filters(g, 5, 3, 3), 2, 1, 1, &CAK_SHAPE(B, 3, 9, 11));
}
static cak_ref conv2d_dx_wide(cak_graph *g)
{
    return cak_conv2d_dx(g, image(g, 8, 16, 17), filters(g, 8, 40, 4), 2, 1, 1, &CAK_SHAPE(B, 40, 33, 34));
}

static cak_ref two(cak_graph *g, const cak_node *node, const void *attr, cak_ref a, cak_ref b)
{
    return cak_append(g, node, attr, (const cak_ref[]){ a, b }, 2);
}

static cak_ref wino_forward(cak_graph *g)
{
    cak_ref w = filters(g, 32, 16, 4), u = cak_append(g, &cak_node_wino_filter, NULL, &w, 1);
    return two(g, &cak_node_wino_forward, &(int64_t){ 32 }, blocks(g, 16, 21, 18), u);
}
static cak_ref wino_dx(cak_graph *g)
{
    cak_ref w = filters(g, 32, 16, 4), u = cak_append(g, &cak_node_wino_filter_dx, NULL, &w, 1);
    return two(g, &cak_node_wino_dx, &CAK_SHAPE(B, 1, 21, 18, 16), blocks(g, 32, 10, 9), u);
}
static cak_ref few_forward(cak_graph *g)
{
    return two(g, &cak_node_few_forward, &(cak_conv2d_attr){ .c = { 2, 1, 1 } }, image(g, 1, 21, 18), filters(g, 32, 1, 4));
}
static cak_ref few_dx(cak_graph *g)
{
    cak_conv2d_attr a = { { 2, 1, 1 }, CAK_SHAPE(B, 1, 21, 18) };
    return two(g, &cak_node_few_dx, &a, blocks(g, 32, 10, 9), filters(g, 32, 1, 4));
}
static cak_ref matmul(cak_graph *g)
{
    return cak_matmul(g, cak_input(g, "x", &CAK_SHAPE(B, 37), true), cak_input(g, "w", &CAK_SHAPE(9, 37), false), false, true);
}
static cak_ref permute(cak_graph *g) { return cak_permute(g, image(g, 4, 5, 6), &(cak_ints){ 4, { 0, 2, 3, 1 } }); }
static cak_ref slice(cak_graph *g) { return cak_slice(g, image(g, 4, 5, 6), 2, 1, 3); }
static cak_ref pad(cak_graph *g) { return cak_pad(g, image(g, 4, 5, 6), 3, 2, 1); }
static cak_ref expand(cak_graph *g) { return cak_expand(g, image(g, 1, 5, 1), &CAK_SHAPE(B, 4, 5, 6)); }
static cak_ref sum(cak_graph *g) { return cak_sum_axes(g, image(g, 4, 67, 71), 1 << 2 | 1 << 3); }
static cak_ref sum_blocks(cak_graph *g) { return cak_sum_axes(g, blocks(g, 32, 67, 71), 1 << 2 | 1 << 3); }
static cak_ref scaled(cak_graph *g) { return cak_mul(g, image(g, 4, 5, 6), cak_input(g, "w", &CAK_SHAPE(1, 4, 1, 1), false)); }
static cak_ref spectrum(cak_graph *g)
{
    return cak_stft(g, cak_input(g, "x", &CAK_SHAPE(B, 300), true), &(cak_stft_attr){ .n_fft = 64, .hop = 16, .center = true });
}
static cak_ref overlap(cak_graph *g)
{
    cak_stft_attr a = { .n_fft = 64, .hop = 16, .center = true, .length = 300 };
    return cak_stft_adjoint(g, image(g, 2, 33, 19), &a);
}

/* One run of the node on sample `b` alone, with the scratch that was planned for the batch. */
static void run_sample(bench *b, const cak_value *v, real *const *data, int64_t sample, cak_view y)
{
    cak_site s = { .attr = v->attr, .n_in = v->n_in, .y_shape = v->shape };
    cak_work w = { .n_in = v->n_in, .attr = v->attr, .y = y, .sample = &sample };
    for (int k = 0; k < v->n_in; k++) {
        const cak_value *in = cak_graph_value(b->g, v->in[k]);
        s.in_shape[k] = in->shape;
        w.in[k] = (cak_view){ in->shape, data[k] };
        if (in->rows != CAK_ROWS_SAMPLE) continue;
        w.in[k].shape.dim[0] = 1;
        w.in[k].data += sample * (cak_shape_size(&in->shape) / B);
    }
    size_t bytes = v->node->scratch ? v->node->scratch(&s) : 0;
    w.scratch = cak_slab_alloc(bytes + 64, "scratch");
    v->node->run(&w);
    cak_slab_free(w.scratch, bytes + 64);
}

START_TEST(samples_alone)
{
    static cak_ref (*const makers[])(cak_graph *) = { conv2d, conv2d_dx, conv2d_dx_wide, wino_forward, wino_dx,   few_forward,
                                                      few_dx, matmul,    permute,        slice,        pad,       expand,
                                                      sum,    scaled,    spectrum,       overlap,      sum_blocks };
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) {
        bench b = open_bench();
        cak_ref y = makers[i](b.g), out[CAK_MAX_IN + 1] = { y };
        ck_assert(!cak_is_none(y));
        const cak_value *v = cak_graph_value(b.g, y);
        ck_assert_int_eq(v->rows, CAK_ROWS_SAMPLE);
        for (int k = 0; k < v->n_in; k++) out[k + 1] = v->in[k];
        const real **value = run_planned(b.a, b.g, out, v->n_in + 1);
        real *data[CAK_MAX_IN];
        for (int k = 0; k < v->n_in; k++) { /* kernels want aligned rows */
            size_t bytes = (size_t)cak_shape_size(cak_shape_of(b.g, out[k + 1])) * sizeof(real);
            data[k] = memcpy(cak_slab_alloc(bytes, "input"), value[k + 1], bytes);
        }
        cak_shape one = v->shape;
        one.dim[0] = 1;
        size_t bytes = (size_t)cak_shape_size(&one) * sizeof(real);
        real *row = cak_slab_alloc(bytes, "row");
        for (int64_t s = 0; s < B; s++) {
            memset(row, 0xff, bytes);
            run_sample(&b, v, data, s, (cak_view){ one, row });
            ck_assert_msg(!memcmp(row, value[0] + s * cak_shape_size(&one), bytes), "%s, case %zu, sample %d", v->node->name, i,
                          (int)s);
        }
        cak_slab_free(row, bytes);
        for (int k = 0; k < v->n_in; k++)
            cak_slab_free(data[k], (size_t)cak_shape_size(cak_shape_of(b.g, out[k + 1])) * sizeof(real));
        close_bench(&b);
    }
}
END_TEST

SUITE(slices, samples_alone)
