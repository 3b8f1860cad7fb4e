/* All node types, from nodes/nodes.def. */
#include <string.h>

#include "graph/build.h"

#define NODE(dir, id) extern const cak_node cak_node_##id;
#define NODE_IN(dir, file, id) extern const cak_node cak_node_##id;
#include "nodes/nodes.def"
#undef NODE
#undef NODE_IN

static const cak_node *const all_nodes[] = {
#define NODE(dir, id) &cak_node_##id,
#define NODE_IN(dir, file, id) &cak_node_##id,
#include "nodes/nodes.def"
#undef NODE
#undef NODE_IN
};

static const char *const all_dirs[] = {
#define NODE(dir, id) #dir,
#define NODE_IN(dir, file, id) #dir,
#include "nodes/nodes.def"
};

enum { N_NODES = sizeof all_nodes / sizeof *all_nodes };

const cak_node *const *cak_node_all(int *n)
{
    *n = N_NODES;
    return all_nodes;
}

const cak_node *cak_node_find(const char *name)
{
    for (int i = 0; i < N_NODES; i++)
        if (!strcmp(all_nodes[i]->name, name)) return all_nodes[i];
    return NULL;
}

const char *cak_node_suggest(const char *name)
{
    const char *names[N_NODES];
    for (int i = 0; i < N_NODES; i++) names[i] = all_nodes[i]->name;
    return cak_suggest(name, names, N_NODES);
}

const char *cak_node_dir(const cak_node *node)
{
    for (int i = 0; i < N_NODES; i++)
        if (all_nodes[i] == node) return all_dirs[i];
    return "";
}
