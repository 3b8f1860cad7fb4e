/* Modules: named parameter sets. A module is one node type with attributes, or a sub-graph {inputs, nodes, outputs}; every call of it
** uses the same parameters. */
#include <string.h>

#include "graph/builder.h"

typedef struct impl {
    cak_builder *root;
    cak_yaml *yaml;
    const cak_node *node; /* typed module; NULL: sub-graph */
    void *attr;
    cak_yaml *nodes, *outputs;
    bool open, repeat; /* being expanded; expanded before */
} impl;

struct cak__modules {
    cak_builder *root;
    cak_yaml *map;
    cak_module *module; /* parallel to the children of map */
    cak__state *state;
};

cak__modules *cak__modules_open(cak_builder *root, cak_yaml *map)
{
    cak__modules *m = cak_arena_alloc(root->a, sizeof *m);
    size_t n = (size_t)(map ? map->n : 0) + 1;
    *m = (cak__modules){ .root = root, .map = map };
    m->module = cak_arena_alloc(root->a, n * sizeof *m->module);
    m->state = cak_arena_alloc(root->a, n * sizeof *m->state);
    return m;
}

static bool expand_typed(cak_graph *g, const cak_module *m, const cak_ref *in, int n, cak_ref *out)
{
    const impl *k = m->impl;
    const char *scope = cak_graph_scope(g, m->name);
    cak_where old = cak_graph_at(g, k->yaml->key_pos, m->name);
    bool ok = cak_apply(g, k->node, k->attr, in, n, out);
    cak_graph_scope(g, scope);
    cak_graph_restore(g, old);
    return ok;
}

static bool expand_nodes(cak_graph *g, const cak_module *m, const cak_ref *in, int n, cak_ref *out)
{
    impl *k = (impl *)m->impl;
    cak_builder *root = k->root;
    int n_in = 0;
    while (m->in[n_in].name) n_in++;
    cak_binding *bind = cak_arena_alloc(root->a, (size_t)(n_in + root->n_bind + 1) * sizeof *bind);
    for (int i = 0; i < n_in; i++) bind[i] = (cak_binding){ m->in[i].name, i < n ? in[i] : CAK_NONE };
    for (int i = 0; i < root->n_bind; i++) bind[n_in + i] = root->bind[i];
    cak_builder b = { .g = g,
                      .a = root->a,
                      .d = root->d,
                      .nodes = k->nodes,
                      .bind = bind,
                      .n_bind = n_in + root->n_bind,
                      .modules = root->modules,
                      .prefix = m->name,
                      .repeat = k->repeat };
    b.entry = cak_arena_alloc(root->a, ((size_t)(k->nodes ? k->nodes->n : 0) + 1) * sizeof *b.entry);
    bool ok = true;
    int i = 0;
    for (cak_yaml *o = k->outputs->child; o; o = o->next, i++) {
        out[i] = cak_builder_value(&b, o->text, o->pos);
        ok = ok && !cak_is_none(out[i]);
    }
    if (!k->repeat) ok = cak__build_nodes(&b) && ok;
    k->repeat = true;
    return ok;
}

static bool expand_module(cak_graph *g, const cak_module *m, const cak_ref *in, int n, cak_ref *out)
{
    impl *k = (impl *)m->impl;
    if (k->open) return cak_fail_code(g, CAK_E3003, "module '%s' calls itself", m->name);
    for (int i = 0; m->in[i].name; i++)
        if (!m->in[i].optional && (i >= n || cak_is_none(in[i])))
            return cak_fail_code(g, CAK_E3004, "module '%s' needs input '%s'", m->name, m->in[i].name);
    k->open = true;
    bool ok = k->node ? expand_typed(g, m, in, n, out) : expand_nodes(g, m, in, n, out);
    k->open = false;
    return ok;
}

/* A list of names -> ports. */
static cak_port *port_list(cak_builder *b, const cak_yaml *list, bool by_key)
{
    cak_port *p = cak_arena_alloc(b->a, ((size_t)(list ? list->n : 0) + 1) * sizeof *p);
    int i = 0;
    for (cak_yaml *c = list ? list->child : NULL; c; c = c->next) {
        c->used = true;
        p[i++] = (cak_port){ .name = by_key ? c->key : c->text, .doc = "" };
    }
    return p;
}

static bool input_name(cak_builder *b, const cak_yaml *list, const cak_yaml *name)
{
    for (const cak_yaml *c = list->child; c != name; c = c->next)
        if (!strcmp(c->text, name->text)) return cak_error(b->d, CAK_E1205, name->pos, "input '%s' is named twice", name->text);
    return cak_config_name(b->d, name->text, name->pos, "input", false);
}

static bool read_subgraph(cak_builder *b, cak_yaml *y, cak_module *m, impl *k)
{
    static const char *const known[] = { "type", "inputs", "nodes", "outputs", NULL };
    cak_yaml *inputs = cak_yaml_get(y, "inputs");
    k->nodes = cak_yaml_get(y, "nodes");
    k->outputs = cak_yaml_get(y, "outputs");
    if (inputs) inputs->used = true;
    if (k->nodes) k->nodes->used = true;
    if (k->outputs) k->outputs->used = true;
    bool ok = !k->outputs || /* most likely a type is missing, whose keys these are */
              cak_config_unused(b->d, y, cak_arena_print(b->a, "module '%s'", y->key), known);
    if (inputs && inputs->kind != CAK_YAML_LIST)
        ok = cak_error(b->d, CAK_E1201, inputs->pos, "`inputs` of a module is a list of names");
    for (cak_yaml *c = inputs ? inputs->child : NULL; c; c = c->next)
        if (c->kind != CAK_YAML_SCALAR) return cak_error(b->d, CAK_E1201, c->pos, "`inputs` of a module is a list of names");
        else ok = input_name(b, inputs, c) && ok;
    if (k->nodes && k->nodes->kind != CAK_YAML_MAP) return cak_error(b->d, CAK_E1201, k->nodes->pos, "`nodes` must be a mapping");
    if (!k->outputs || k->outputs->kind != CAK_YAML_MAP || !k->outputs->n || k->outputs->n > CAK_MAX_OUT)
        return cak_error(b->d, CAK_E1204, y->key_pos, "module '%s' needs a `type`, or `outputs`: {name: expression} of 1 to %d",
                         y->key, CAK_MAX_OUT);
    for (cak_yaml *c = k->outputs->child; c; c = c->next)
        if (c->kind != CAK_YAML_SCALAR) return cak_error(b->d, CAK_E1201, c->pos, "an output is an expression");
    if (inputs && inputs->n > CAK_MAX_IN)
        return cak_error(b->d, CAK_E3004, inputs->pos, "a module has at most %d inputs", CAK_MAX_IN);
    m->in = port_list(b, inputs, false);
    m->out = port_list(b, k->outputs, true);
    return ok;
}

static bool read_module(cak_builder *b, cak_yaml *y, cak_module *m)
{
    static const char *const known[] = { "type", NULL };
    impl *k = cak_arena_alloc(b->a, sizeof *k);
    k->root = b;
    k->yaml = y;
    *m = (cak_module){ .name = y->key, .expand = expand_module, .impl = k };
    if (!cak_config_name(b->d, y->key, y->key_pos, "module", false)) return false;
    if (y->kind != CAK_YAML_MAP) return cak_error(b->d, CAK_E1201, y->pos, "module '%s' must be a mapping", y->key);
    if (!cak_yaml_get(y, "type")) return read_subgraph(b, y, m, k);
    const char *type = cak__entry_type(b, y);
    k->node = type ? cak__type_find(b, type, cak_yaml_get(y, "type")->pos) : NULL;
    if (!k->node) return false;
    static const cak_port none[] = { { 0 } };
    m->in = k->node->in ? k->node->in : none;
    m->out = k->node->out;
    cak_where old = cak_graph_at(b->g, y->key_pos, y->key);
    bool ok = cak__read_attr(b, y, k->node, known, &k->attr);
    cak_graph_restore(b->g, old);
    return ok;
}

const cak_module *cak__module_find(cak_builder *b, const char *name, cak_pos at)
{
    cak__modules *ms = b->modules;
    int i = 0, n = 0;
    const char **known = cak_arena_alloc(b->a, ((size_t)(ms->map ? ms->map->n : 0) + 1) * sizeof *known);
    for (cak_yaml *y = ms->map ? ms->map->child : NULL; y; y = y->next, i++) {
        known[n++] = y->key;
        if (strcmp(y->key, name)) continue;
        if (ms->state[i] == CAK__VISITING) return cak_error(b->d, CAK_E3003, at, "module '%s' refers to itself", name), NULL;
        if (ms->state[i] == CAK__NEW) {
            ms->state[i] = CAK__VISITING;
            ms->state[i] = read_module(ms->root, y, &ms->module[i]) ? CAK__DONE : CAK__FAILED;
        }
        return ms->state[i] == CAK__DONE ? &ms->module[i] : NULL;
    }
    const char *near = cak_suggest(name, known, n);
    if (near) cak_error(b->d, CAK_E3002, at, "module '%s' does not exist; did you mean '%s'?", name, near);
    else cak_error(b->d, CAK_E3002, at, "module '%s' does not exist", name);
    return NULL;
}

static bool unseen(const cak__modules *ms, int i)
{
    const impl *k = ms->module[i].impl;
    return ms->state[i] == CAK__DONE && !k->node && !k->repeat;
}

/* Sub-graphs that no call has expanded: their nodes are built once over inputs without value, in a graph of their own, so that their
** mistakes show and their parameters do not. */
static void check_unseen(cak_builder *b)
{
    cak__modules *ms = b->modules;
    cak_graph *g = cak_graph_open(b->d);
    cak_binding *bind = cak_arena_alloc(b->a, ((size_t)b->n_bind + 1) * sizeof *bind);
    cak_ref out[CAK_MAX_OUT];
    for (int i = 0; i < b->n_bind; i++) bind[i] = (cak_binding){ b->bind[i].name, CAK_NONE };
    cak_builder *apart = cak_builder_open(g, NULL, ms->map, bind, b->n_bind);
    int i = 0;
    for (cak_yaml *y = ms->map->child; y; y = y->next, i++) {
        const cak_module *m = unseen(ms, i) ? cak__module_find(apart, y->key, y->key_pos) : NULL;
        if (!m) continue;
        impl *k = (impl *)m->impl;
        k->open = true;
        expand_nodes(g, m, NULL, 0, out);
        k->open = false;
    }
    cak_graph_close(g);
}

bool cak__modules_check(cak_builder *b)
{
    const cak__modules *ms = b->modules;
    bool ok = true, all_seen = true;
    int i = 0, before = cak_diag_errors(b->d);
    for (cak_yaml *y = ms->map ? ms->map->child : NULL; y; y = y->next, i++) {
        ok = cak__module_find(b, y->key, y->key_pos) && ok;
        all_seen = all_seen && !unseen(ms, i);
    }
    if (!all_seen) check_unseen(b);
    return ok && cak_diag_errors(b->d) == before;
}
