/* Graphs made in C: random ones, and a second way to run them in which every value has memory of its own. */
#ifndef TESTS_GRAPH_RUN_H
#define TESTS_GRAPH_RUN_H

#include "graph/exec.h"
#include "tests/support/suite.h"

/* A graph with its diagnostics. */
typedef struct bench {
    cak_diag *d;
    cak_graph *g;
    cak_arena *a;
} bench;
bench open_bench(void);
void close_bench(bench *b);

/* About n random values on inputs "x" [6,5] (samples), "p" [5], "s" [], "w" [5,5]; out[] receives n_out of them. */
void random_graph(cak_graph *g, int seed, int n, cak_ref *out, int n_out);
/* Reproducible numbers for an input or a parameter; kept in the arena. */
real *random_data(cak_arena *a, const char *name, int64_t n);

/* Value of out[0..n): planned, and with memory of its own for every value. Inputs and parameters get random_data. */
const real **run_planned(cak_arena *a, const cak_graph *g, const cak_ref *out, int n);
const real **run_planned_with(cak_arena *a, const cak_graph *g, const cak_ref *out, int n, const cak_plan_options *o);
const real **run_plain(cak_arena *a, const cak_graph *g, const cak_ref *out, int n);

#endif
