/* The inside of the builder, shared by build.c, expr.c and module.c. */
#ifndef CAK_BUILDER_H
#define CAK_BUILDER_H

#include "graph/build.h"
#include "graph/text.h"

typedef enum cak__state { CAK__NEW, CAK__VISITING, CAK__DONE, CAK__FAILED } cak__state;
typedef struct cak__entry { /* memory of one named node */
    cak__state state;
    const cak_port *out_port;
    cak_ref out[CAK_MAX_OUT];
} cak__entry;

typedef struct cak__modules cak__modules;

struct cak_builder {
    cak_graph *g;
    cak_arena *a;
    cak_diag *d;
    cak_yaml *nodes;
    const cak_binding *bind;
    int n_bind;
    cak__entry *entry; /* parallel to the children of nodes */
    int *visiting, n_visiting, cap_visiting;
    cak__modules *modules; /* shared with the builders of sub-graph modules */
    const char *prefix;    /* of labels and parameter names: the module whose nodes these are */
    bool repeat;           /* unknown keys were reported when these nodes were first built */
};

bool cak__build_nodes(cak_builder *b); /* every node, so that the errors of unused ones show too */
cak_ref cak__builder_name(cak_builder *b, const char *name, cak_pos at);
const char *cak__entry_type(cak_builder *b, cak_yaml *node);
const cak_node *cak__type_find(cak_builder *b, const char *type, cak_pos at);
bool cak__read_attr(cak_builder *b, cak_yaml *map, const cak_node *node, const char *const *extra, void **attr);

cak__modules *cak__modules_open(cak_builder *root, cak_yaml *map);
const cak_module *cak__module_find(cak_builder *b, const char *name, cak_pos at);
bool cak__modules_check(cak_builder *b); /* read every module, so that errors in unused ones show too */

#endif
