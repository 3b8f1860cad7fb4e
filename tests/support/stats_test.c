/* What tests of statistics share. */
#include "tests/support/stats_test.h"

#include "graph/rng.h"

void draw_values(double *x, int n, int case_, double span, bool whole)
{
    uint64_t stream = cak_rng_stream("test/stats");
    for (int i = 0; i < n; i++) {
        double v = (2 * cak_rng_uniform(7, stream, (uint64_t)case_, (uint64_t)i) - 1) * span;
        x[i] = whole ? round(v) : v;
    }
}
