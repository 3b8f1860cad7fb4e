/* Runs one primitive on given numbers, without a graph. */
#include "tests/support/kernel_test.h"

#include <math.h>
#include <string.h>

#include "graph/arena.h"
#include "graph/rng.h"

enum { GUARD = 256, MAX_VIEWS = 4096 };
static struct block {
    void *p;
    size_t bytes;
} blocks[MAX_VIEWS];
static int n_blocks;

cak_view empty_view(cak_shape shape)
{
    ck_assert_int_lt(n_blocks, MAX_VIEWS);
    struct block *b = &blocks[n_blocks++];
    b->bytes = (size_t)cak_shape_size(&shape) * sizeof(real) + 64;
    b->p = cak_slab_alloc(b->bytes, "test");
    memset(b->p, 0xff, b->bytes);
    return (cak_view){ shape, b->p };
}

void release_views(void)
{
    while (n_blocks) n_blocks--, cak_slab_free(blocks[n_blocks].p, blocks[n_blocks].bytes);
}

cak_view random_view(cak_shape shape, int seed)
{
    cak_view v = empty_view(shape);
    for (int64_t i = 0; i < cak_shape_size(&shape); i++)
        v.data[i] = (real)(2 * cak_rng_uniform((uint64_t)seed, 1, 2, (uint64_t)i) - 1);
    return v;
}

void run_kernel(const cak_node *node, const void *attr, const cak_view *in, int n_in, cak_view y)
{
    cak_site s = { .attr = attr, .n_in = n_in, .y_shape = y.shape };
    cak_work w = { .attr = attr, .n_in = n_in, .y = y };
    for (int i = 0; i < n_in; i++) s.in_shape[i] = in[i].shape, w.in[i] = in[i];
    size_t bytes = node->scratch ? node->scratch(&s) : 0;
    unsigned char *scratch = cak_slab_alloc(bytes + GUARD, "test");
    memset(scratch, 0xff, bytes + GUARD); /* 0xff... is a NaN */
    w.scratch = scratch;
    node->run(&w);
    for (size_t i = bytes; i < bytes + GUARD; i++) ck_assert_msg(scratch[i] == 0xff, "%s writes past its scratch", node->name);
    cak_slab_free(scratch, bytes + GUARD);
}

double worst_error(const real *got, const long double *want, const long double *scale, int64_t n)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
        long double error = fabsl((long double)got[i] - want[i]) / (scale[i] > 0 ? scale[i] : 1);
        if (!(error <= (long double)worst)) worst = isnan(error) ? HUGE_VAL : (double)error;
    }
    return worst;
}

double inner_product(cak_view a, cak_view b)
{
    ck_assert(cak_shape_equal(&a.shape, &b.shape));
    double sum = 0;
    for (int64_t i = 0; i < cak_shape_size(&a.shape); i++) sum += (double)a.data[i] * (double)b.data[i];
    return sum;
}

bool same_bits(cak_view a, cak_view b) { return !memcmp(a.data, b.data, (size_t)cak_shape_size(&a.shape) * sizeof(real)); }
