/* Speed of the convolutions of the critic: GFLOP/s and the share of the peak that plain multiply-adds reach in the same process.
**
** bench_conv [seconds per case [part of a name]]; threads from OMP_NUM_THREADS, instruction set from CAK_ISA. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "graph/arena.h"
#include "graph/node.h"
#include "nodes/kernels/conv.h"
#include "nodes/kernels/gemm.h"

extern const cak_node cak_node_conv2d, cak_node_conv2d_dx, cak_node_conv2d_dw;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Independent multiply-adds in registers, enough of them to hide their latency; the empty asm keeps them apart. */
enum { CHAINS = 12, ROUNDS = 4000000 };
#define PEAK(name, bytes, features)                                                                                     \
    typedef real name##_vec __attribute__((vector_size(bytes)));                                                        \
    __attribute__((target(features), optimize("O3", "fp-contract=fast"), noinline)) static double name##_chains(real x) \
    {                                                                                                                   \
        name##_vec a[CHAINS] = { 0 }, b = { x, x }, c = { 1 };                                                          \
        _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) __asm__("" : "+x"(a[i]));                             \
        for (int r = 0; r < ROUNDS; r++) _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) a[i] = a[i] * b + c; \
        for (int i = 1; i < CHAINS; i++) a[0] += a[i];                                                                  \
        return (double)a[0][0] + (double)a[0][1];                                                                       \
    }
PEAK(generic, 16, "sse2")
PEAK(avx2, 32, "avx2,fma")
PEAK(avx512, 64, "avx512f,fma")

static const struct peak {
    const char *isa;
    double (*chains)(real x);
    int bytes;
} peaks[] = { { "generic", generic_chains, 16 }, { "avx2", avx2_chains, 32 }, { "avx512", avx512_chains, 64 } };

/* Operations per second of all threads with the instruction set in use. */
static double peak(void)
{
    const struct peak *p = peaks;
    int threads = cak_threads();
    volatile double sink[256];
    while (strcmp(p->isa, cak_isa_get()->name) != 0) p++;
    double start = now();
    CAK_PARALLEL_FOR (t, threads, CAK_SMALL) sink[t % 256] = p->chains((real)0.5);
    (void)sink[0];
    return 2.0 * CHAINS * ROUNDS * (p->bytes / (int)sizeof(real)) * threads / (now() - start);
}

typedef struct problem {
    const char *name;
    int64_t batch, c, h, w, o, k, stride;
} problem;

static const problem problems[] = {
    { "conv1 64x64", 16, 1, 64, 64, 32, 4, 2 },        { "conv2 64x64", 16, 32, 32, 32, 64, 4, 2 },
    { "conv3 64x64", 16, 64, 16, 16, 128, 4, 2 },      { "detector 64x64", 16, 1, 64, 64, 1, 3, 1 },
    { "conv1 128x128", 16, 1, 128, 128, 32, 4, 2 },    { "conv2 128x128", 16, 32, 64, 64, 64, 4, 2 },
    { "conv3 128x128", 16, 64, 32, 32, 128, 4, 2 },    { "detector 128x128", 16, 1, 128, 128, 1, 3, 1 },
    { "conv1 1025x1292", 1, 1, 1025, 1292, 32, 4, 2 }, { "conv2 1025x1292", 1, 32, 512, 646, 64, 4, 2 },
    { "conv3 1025x1292", 1, 64, 256, 323, 128, 4, 2 }, { "detector 1025x1292", 1, 1, 1025, 1292, 1, 3, 1 },
};

static real *numbers(const cak_shape *s)
{
    int64_t n = cak_shape_size(s);
    real *x = cak_slab_alloc((size_t)n * sizeof *x, "bench");
    for (int64_t i = 0; i < n; i++) x[i] = (real)(i * 7919 % 1009 - 504) / 504;
    return x;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median time of one run. */
static double measure(const cak_node *node, const void *attr, const cak_view *a, const cak_view *b, const cak_view *y,
                      double seconds)
{
    enum { MOST = 1000 };
    static double times[MOST];
    cak_site s = { .attr = attr, .in_shape = { a->shape, b->shape }, .y_shape = y->shape, .n_in = 2 };
    size_t bytes = node->scratch(&s);
    cak_work w = { .attr = attr, .in = { *a, *b }, .y = *y, .n_in = 2, .scratch = cak_slab_alloc(bytes, "bench") };
    int n = 0;
    node->run(&w);
    for (double end = now() + seconds; n < 3 || (n < MOST && now() < end); n++) {
        double start = now();
        node->run(&w);
        times[n] = now() - start;
    }
    cak_slab_free(w.scratch, bytes);
    qsort(times, (size_t)n, sizeof *times, by_value);
    return times[n / 2];
}

static void bench(const problem *p, double seconds, double best)
{
    struct {
        cak_conv_attr a;
        cak_shape like;
    } attr = { .a = { p->stride, 1, 1 } };
    int64_t h = (p->h + 2 - p->k) / p->stride + 1, w = (p->w + 2 - p->k) / p->stride + 1;
    cak_view x = { .shape = CAK_SHAPE(p->batch, p->c, p->h, p->w) }, f = { .shape = CAK_SHAPE(p->o, p->c, p->k, p->k) };
    cak_view y = { .shape = CAK_SHAPE(p->batch, p->o, h, w) };
    x.data = numbers(&x.shape), f.data = numbers(&f.shape), y.data = numbers(&y.shape);
    double flops = 2.0 * (double)(cak_shape_size(&y.shape) * p->c * p->k * p->k);
    double t[3] = { measure(&cak_node_conv2d, &attr, &x, &f, &y, seconds),
                    measure(&cak_node_conv2d_dx, &attr, &y, &f, &x, seconds),
                    measure(&cak_node_conv2d_dw, &attr, &x, &y, &f, seconds) };
    printf("%-20s", p->name);
    for (int i = 0; i < 3; i++)
        printf("  %8.3f ms %6.1f GFLOP/s %4.0f %%", t[i] * 1e3, flops / t[i] * 1e-9, 100 * flops / t[i] / best);
    printf("\n");
    cak_slab_free(x.data, (size_t)cak_shape_size(&x.shape) * sizeof(real));
    cak_slab_free(f.data, (size_t)cak_shape_size(&f.shape) * sizeof(real));
    cak_slab_free(y.data, (size_t)cak_shape_size(&y.shape) * sizeof(real));
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 0.3;
    const char *only = argc > 2 ? argv[2] : "";
    peak();
    double before = peak();
    printf("%s, %s, %d threads, peak %.1f GFLOP/s\n%-20s  %-34s  %-34s  %s\n", cak_isa_get()->name, CAK_REAL_NAME, cak_threads(),
           before * 1e-9, "", "conv2d", "conv2d_dx", "conv2d_dw");
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++)
        if (strstr(problems[i].name, only)) bench(&problems[i], seconds, before);
    double after = peak();
    printf("peak afterwards %.1f GFLOP/s (%+.1f %%)\n", after * 1e-9, 100 * (after / before - 1));
    return 0;
}
