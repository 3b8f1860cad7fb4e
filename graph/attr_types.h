/* Attribute structs that the engine fills and a node of nodes/prim reads. */
#ifndef CAK_ATTR_TYPES_H
#define CAK_ATTR_TYPES_H

#include "graph/node.h"

typedef struct cak_leaf_attr { /* input, param */
    const char *name;
    cak_shape shape;
    bool per_sample;
} cak_leaf_attr;

typedef struct cak_draw_attr { /* draw, random */
    const char *stream;
    cak_ints shape;
    int32_t dist; /* 0: uniform, 1: normal */
} cak_draw_attr;

typedef struct cak_expand_attr { /* expand */
    cak_ints shape;
    bool per_sample;
} cak_expand_attr;

#endif
