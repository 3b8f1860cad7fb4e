/* Which convolutions can be computed on blocked channels, what that saves, and the nodes that do it. */
#ifndef CAK_LOWER_CONV_H
#define CAK_LOWER_CONV_H

#include "graph/graph.h"

typedef struct cak_lowering {
    const struct cak_conv_row *row;
    bool wino;          /* else few */
    bool in_blocked[2]; /* inputs that are read as blocked channels; filters never are */
    bool y_blocked;     /* the result is blocked */
    int64_t gain;       /* what it saves, as the number of elements that could be copied to another layout instead; may be < 0 */
} cak_lowering;

/* False: v is no convolution, or has no blocked form. */
bool cak_lowering_of(const cak_graph *g, const cak_value *v, cak_lowering *l);
/* Append the nodes; in: the inputs in the layout they are read in. Returns the result, blocked if y_blocked. */
cak_ref cak_lower(cak_graph *to, const cak_value *v, const cak_lowering *l, const cak_ref *in);

#endif
