/* From YAML nodes to graph nodes: names, expressions, modules. */
#ifndef CAK_BUILD_H
#define CAK_BUILD_H

#include "graph/config.h"
#include "graph/graph.h"

typedef struct cak_binding {
    const char *name;
    cak_ref ref;
} cak_binding; /* "batch.input" -> value; CAK_NONE: known to fail, names that begin with it are no errors of their own */

typedef struct cak_builder cak_builder;

/* A set of named nodes: a YAML map name -> {type: T, inputs: [...], attributes...}, whose names resolve to nodes of the map, to bindings,
** to "node.port". `modules` (may be NULL): YAML map of modules that `type: call` and MODULE attributes name. */
cak_builder *cak_builder_open(cak_graph *g, cak_yaml *nodes, cak_yaml *modules, const cak_binding *bind, int n_bind);

/* The value of an expression: `name`, `name.port`, a number, or type(expr, ...) with the default attributes of a node type. */
cak_ref cak_builder_value(cak_builder *b, const char *expr, cak_pos at);
bool cak_builder_all(cak_builder *b); /* build every node of the map, so that all its errors show */

/* Registry of node types. */
const cak_node *cak_node_find(const char *name);
const cak_node *const *cak_node_all(int *n); /* in the order of nodes.def */
const char *cak_node_suggest(const char *name);
const char *cak_node_dir(const cak_node *n); /* "prim", "loss", ... */

#endif
