/* Tests of nodes: a case is a few lines of YAML, a set of inputs and an expression to look at.
**
**   static const graph_case c = { .yaml = "nodes: {y: {type: exp, inputs: [x]}}", .out = "y", .in = { { "x", CAK_SHAPE(2, 3), -1, 1 } } };
**   gradcheck(&c);
**
** `modules:` may stand beside `nodes:`. Inputs and parameters get reproducible random values; parameters are differentiated too. */
#ifndef TESTS_GRAPH_TEST_H
#define TESTS_GRAPH_TEST_H

#include "graph/exec.h"
#include "graph/build.h"
#include "tests/support/suite.h"

enum { GRAPH_CASE_INPUTS = 6, GRAPH_CASE_PARAMS = 4 };

typedef struct graph_input {
    const char *name;
    cak_shape shape;
    double lo, hi;      /* uniform in [lo, hi); lo == hi: constant lo */
    double gap;         /* values nearer to 0 than this move away from it: no kinks */
    const double *data; /* instead of random values */
    bool fixed;         /* not differentiated */
    bool per_sample;
} graph_input;

typedef struct graph_case {
    const char *yaml, *out;
    cak_ref (*make)(cak_graph *g, const cak_ref *in); /* instead of YAML; the inputs in order */
    graph_input in[GRAPH_CASE_INPUTS];
    int seed;
    double h;          /* step of the differences; 0: 1e-4 */
    double param_size; /* parameters are uniform in +-param_size; 0: 0.5 */
    struct {
        const char *name;
        const double *data;
    } param[GRAPH_CASE_PARAMS]; /* parameters with given values */
} graph_case;

/* Value of case->out in static memory that is good until the next call but one. Fails the test on a diagnostic. */
const real *graph_eval(const graph_case *c, cak_shape *shape);

/* Worst relative error of directional derivatives of order 1 or 2 over several directions (5-point differences). */
double gradcheck_error(const graph_case *c, int order);
/* Asserts that orders 1 and 2 are within 1e-6, and that evaluating twice gives the same bits. */
void gradcheck(const graph_case *c);

/* Builds the case and returns the printed diagnostics ("" when there are none). */
const char *graph_errors(const graph_case *c);

#endif
