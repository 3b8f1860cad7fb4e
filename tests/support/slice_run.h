/* Programs that take a batch in slices: random graphs over a batch, and runs in which memory is watched. */
#ifndef TESTS_SLICE_RUN_H
#define TESTS_SLICE_RUN_H

#include "graph/exec.h"
#include "tests/support/graph_run.h"

enum { WIDE = 300, NARROW = 16 }; /* a row of WIDE is computed again in later rounds; WIDE x NARROW is a large sum */

/* About n random values over a batch on inputs "x", "u" [batch,5] and "c" [batch,1] (samples), "m" [batch,5] (no samples) and weights:
** rows that are kept and rows that are not, sums small and large, samples that meet, views of all of them. out[] receives n_out. */
void random_batch_graph(cak_graph *g, int seed, int n, int64_t batch, cak_ref *out, int n_out);

/* Data of an input: random numbers, then changed by this. */
typedef void edit_data(void *ctx, const char *name, const cak_shape *s, real *data);
typedef struct setting {
    cak_plan_options plan;
    int threads;
    edit_data *edit; /* NULL: none */
    void *ctx;
} setting;

/* Values of out[] computed in a slab of the caller, which is full of NaN before. Fails the test when memory behind the slab is touched,
** when a run allocates, or when a second run has other bits. */
const real **run_watched(cak_arena *a, const cak_graph *g, const cak_ref *out, int n, const setting *s);

void ck_equal_bits(const cak_graph *g, const cak_ref *out, int n, const real *const *x, const real *const *y, const char *what);
/* ... up to rounding, relative to 1 + |y| */
void ck_near(const cak_graph *g, const cak_ref *out, int n, const real *const *x, const real *const *y, const char *what);

#endif
