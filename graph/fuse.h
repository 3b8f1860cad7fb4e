/* Fusion: element-wise values and the sums that read them are computed together, block by block, without a trip to memory.
**
** A unit is a list of values that one pass over their common elements computes. A value that is `stored` has memory of its own; one that
** is not lives in a register-sized block and is computed again by every unit that needs it. A fused program gives the same bits as one
** in which every value is a unit of its own. */
#ifndef CAK_FUSE_H
#define CAK_FUSE_H

#include "graph/graph.h"

enum { CAK_FUSE_VALUES = 48, CAK_FUSE_SLOTS = 96 }; /* most values of a unit; with the values it reads */

typedef struct cak_unit {
    int *id; /* ascending */
    int n;
} cak_unit;

typedef struct cak_units {
    cak_unit *unit; /* in an order in which they can run; a kernel that cannot be fused is a unit of one value */
    int n;
    bool *stored; /* by id */
} cak_units;

/* `run[id]`: values that need a kernel (alive, neither alias nor bound from outside). `keep[id]`: must be stored. `stage[id]`: only
** values of one stage are computed together, and a value is not computed again in another stage. fuse = false: each value is a unit. */
cak_units cak_fuse(cak_arena *a, const cak_graph *g, const bool *run, const bool *keep, const int *stage, bool fuse);

/* A unit of element-wise values and their sums (one value is enough) made ready to run. */
typedef struct cak_fused cak_fused;
cak_fused *cak_fused_open(cak_arena *a, const cak_graph *g, const cak_unit *u, const bool *stored);
size_t cak_fused_scratch(const cak_fused *f); /* bytes for cak_threads() threads */
/* data[id]: memory of each stored or bound value, aliases included. samples: rows of axis 0 that the values of rows kind SAMPLE have in
** this run (at most as many as in the graph; 0: as many). What a value writes may be memory that
** values after it do not read, element on element. */
void cak_fused_run(const cak_fused *f, real *const *data, int64_t samples, const cak_clock *clock, void *scratch);

#endif
