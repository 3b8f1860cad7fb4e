/* Runs one primitive on given numbers, without a graph, with scratch that is poisoned before and guarded behind. */
#ifndef TESTS_KERNEL_TEST_H
#define TESTS_KERNEL_TEST_H

#include "graph/node.h"
#include "tests/support/suite.h"

/* Random numbers in [-1, 1), equal for equal seeds; aligned memory that lives until the end of the program. */
cak_view random_view(cak_shape shape, int seed);
cak_view empty_view(cak_shape shape);

/* y.shape must be right; y.data is overwritten entirely. */
void run_kernel(const cak_node *node, const void *attr, const cak_view *in, int n_in, cak_view y);

/* The longest difference of two results relative to `scale`, element by element. */
double worst_error(const real *got, const long double *want, const long double *scale, int64_t n);
double inner_product(cak_view a, cak_view b);
bool same_bits(cak_view a, cak_view b);

void release_views(void); /* memory of all views so far */

#endif
