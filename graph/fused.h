/* How a unit of fused values is laid out: the slots that its steps read and write, and the parts in which the steps run. */
#ifndef CAK_FUSED_H
#define CAK_FUSED_H

#include "graph/fuse.h"
#include "graph/sweep.h"
#include "nodes/kernels/tape.h"

typedef struct cak_slot { /* where a block of a value is found */
    int id;               /* index of its memory; -1: a block of the thread's scratch, as are operands that are laid out */
    int block;            /* number of that block; -1: none */
    cak_operand operand;  /* of what the unit reads; DENSE for its own values */
    int64_t move;         /* -1: element i of a block lies at i; 0: it is the same for all tiles */
} cak_slot;

typedef struct cak_step { /* y = map(in), or, without a map, a sum of in[0] */
    const cak_node *node;
    const void *attr;
    int in[CAK_MAX_IN], n_in;
    int y; /* slot, or number of the sum */
} cak_step;

typedef struct cak_part { /* steps that run one after the other over a block */
    int first, n;
    const cak_tape_step *tape; /* the same steps for the whole tiles of the block; NULL: there is no tape for them */
} cak_part;

/* Can the step be an instruction of a tape? */
bool cak_fused_on_tape(const cak_step *s);
/* An operand whose block holds the lanes of a tape over and over. */
static inline bool cak_fused_again(const cak_operand *o)
{
    return o->kind == CAK_OPERAND_PERIODIC && CAK_TAPE_LANES % o->period == 0;
}
/* Cuts n steps into parts, at most n; returns how many. */
int cak_fused_parts(cak_arena *a, const cak_step *step, int n, const cak_slot *slot, cak_part *part);

#endif
