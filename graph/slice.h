/* Batch slicing: which values are computed for a few samples at a time, so that the memory of a program does not grow with the batch.
**
** A *sliced* value is one that depends on the samples: a value with a row per sample, the contribution of some samples to a sum over
** all (a fold), or what linear nodes make of such contributions. All others are *whole*: computed once for the batch. The batch passes by
** in *rounds*: a value that reads the result of a sum can only be computed in the round after, and what it needs of an earlier round is
** computed again, or stored for the whole batch where it is small. Between rounds the whole values are computed. */
#ifndef CAK_SLICE_H
#define CAK_SLICE_H

#include "graph/exec.h"

typedef struct cak_slices {
    int64_t batch; /* samples; 0: the program cannot be sliced, every value is whole */
    int64_t rows;  /* samples of a slice; depends on the shapes alone */
    int rounds;
    bool *sliced; /* by id, as are the others */
    bool *total;  /* sliced: its contributions are added up over the slices; readers outside of the round see the sum */
    bool *stored; /* sliced, with a row per sample: has memory for the whole batch */
    int *stage;   /* whole: computed before this round; sliced: first round that can compute it */
} cak_slices;

/* live[id]: needed. out[]: values that must be complete after a run. early[id]: linear functions of sums that must stay sliced.
** whole = true: nothing is sliced. */
cak_slices cak_find_slices(cak_arena *a, const cak_graph *g, const bool *live, const cak_ref *out, int n_out, const bool *early,
                           bool whole);

/* early[] of a graph with special samples: values that only these have. */
const bool *cak_special_only(cak_arena *a, const cak_graph *g, const cak_ref *out, int n_out, const cak_special *f);

/* By id: what round k computes for a slice to have the values of roots[]. */
bool *cak_round_values(cak_arena *a, const cak_graph *g, const cak_slices *s, int k, const bool *roots);

/* Shape of a value in a slice of `rows` samples, and what its node's functions receive there; rows 0: the whole batch. */
cak_site cak_site_in_slice(const cak_graph *g, cak_ref r, int64_t rows);
cak_shape cak_shape_in_slice(const cak_graph *g, cak_ref r, int64_t rows);

/* Work of a value in a slice, as cak_graph_cost() has it: what a node does not tell is one operation for each element of its largest
** operand, the result or what a sum reads. */
double cak_value_cost(const cak_graph *g, cak_ref r, int64_t rows);

#endif
