/* cak nodes: the registry, and one node in full from its tables. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/command.h"
#include "graph/number.h"
#include "graph/text.h"

static const char *const kinds[] = { "",       "int",   "number", "bool", "enum", "text", "list of ints", "list of numbers",
                                     "module", "value", "shape" };

/* The builder itself knows this type: its ports are those of the module. */
static const cak_node call = {
    .name = "call",
    .doc = "uses a module, which has its own parameters; calls of the same module share them",
    .formula = "{type: call, module: NAME, inputs: [...]}",
    .in = (const cak_port[]){ { .name = "...", .doc = "those of the module: a list in their order, or a map by name" }, { 0 } },
    .out = (const cak_port[]){ { .name = "...", .doc = "those of the module; of a call named q: q is the first, q.NAME any" },
                               { 0 } },
    .attr =
        (const cak_attr[]){ { .name = "module", .doc = "a name of the section `modules`", .kind = CAK_MODULE, .required = true },
                            { .kind = CAK_END } },
};

static const char *node_kind(const cak_node *n)
{
    return n == &call ? "module" : n->stage ? "data" : n->expand ? "composite" : "primitive";
}

static const char *node_group(const cak_node *n) { return n == &call ? "modules" : cak_node_dir(n); }

static const char *diff_text(const cak_node *n)
{
    static const char *const texts[] = { ", no gradient rule", ", differentiable, any order", ", gradient is zero",
                                         ", stops the gradient" };
    if (n->stage) return ""; /* that it is a data node says it */
    return n->expand || n == &call ? ", differentiated through its parts" : texts[n->diff];
}

/* ---- the types, by group and name ---- */

typedef struct types {
    const cak_node **node;
    int n;
} types;

static int by_group_and_name(const void *a, const void *b)
{
    const cak_node *x = *(const cak_node *const *)a, *y = *(const cak_node *const *)b;
    int order = strcmp(node_group(x), node_group(y));
    return order ? order : strcmp(x->name, y->name);
}

static types all_types(cak_arena *a)
{
    types t;
    const cak_node *const *registered = cak_node_all(&t.n);
    t.node = cak_arena_alloc(a, ((size_t)t.n + 1) * sizeof *t.node);
    memcpy(t.node, registered, (size_t)t.n * sizeof *t.node);
    t.node[t.n++] = &call;
    qsort(t.node, (size_t)t.n, sizeof *t.node, by_group_and_name);
    return t;
}

static const cak_node *find_type(const types *t, const char *name)
{
    for (int i = 0; i < t->n; i++)
        if (strcmp(t->node[i]->name, name) == 0) return t->node[i];
    return NULL;
}

static int unknown_type(cak_arena *a, const types *t, const char *name)
{
    const char **known = cak_arena_alloc(a, (size_t)t->n * sizeof *known);
    for (int i = 0; i < t->n; i++) known[i] = t->node[i]->name;
    const char *near = cak_suggest(name, known, t->n);
    if (near) return cak_usage("nodes", "unknown node type '%s'; did you mean '%s'?", name, near);
    return cak_usage("nodes", "unknown node type '%s'; `cak nodes` lists all", name);
}

/* ---- as text ---- */

static const char *default_text(cak_arena *a, const cak_attr *row)
{
    char buf[CAK_NUMBER_TEXT];
    if (row->required) return "required";
    if (row->optional) return "optional";
    switch (row->kind) {
    case CAK_INT:
    case CAK_NUM:
    case CAK_VALUE: return isnan(row->def) ? "auto" : cak_arena_text(a, cak_number_text(row->def, buf));
    case CAK_BOOL: return row->def != 0 ? "true" : "false";
    case CAK_ENUM: return row->choices[(int)row->def];
    default: return row->def_text ? row->def_text : "none";
    }
}

static const char *range_text(cak_arena *a, const cak_attr *row)
{
    cak_text_builder b = { .a = a };
    char lo[CAK_NUMBER_TEXT], hi[CAK_NUMBER_TEXT];
    if (row->kind == CAK_ENUM)
        for (int i = 0; row->choices[i]; i++) cak_text_add(&b, "%s%s", i ? " | " : "", row->choices[i]);
    else if (row->kind != CAK_BOOL && (row->min != 0 || row->max != 0))
        cak_text_add(&b, "%s .. %s", cak_number_text(row->min, lo), cak_number_text(row->max, hi));
    return cak_text_done(&b);
}

static int wider(int width, const char *text) { return (int)strlen(text) > width ? (int)strlen(text) : width; }

static void print_ports(const char *title, const cak_port *p)
{
    int width = 0;
    for (const cak_port *q = p; q && q->name; q++) width = wider(width, q->name);
    printf("\n%s\n", title);
    if (!p || !p->name) printf("  none\n");
    for (; p && p->name; p++) printf("  %-*s  %s%s\n", width, p->name, p->doc, p->optional ? " (optional)" : "");
}

static const char *presence_text(cak_arena *a, const cak_attr *r)
{
    const char *text = default_text(a, r);
    return r->required || r->optional ? text : cak_arena_print(a, "default %s", text);
}

static void print_attrs(cak_arena *a, const cak_attr *rows)
{
    int name = 0, kind = 0, presence = 0;
    for (const cak_attr *r = rows; r->kind != CAK_END; r++) {
        name = wider(name, r->name);
        kind = wider(kind, kinds[r->kind]);
        presence = wider(presence, presence_text(a, r));
    }
    for (const cak_attr *r = rows; r->kind != CAK_END; r++) {
        const char *range = range_text(a, r), *text = presence_text(a, r);
        printf("  %-*s  %-*s  ", name, r->name, kind, kinds[r->kind]);
        if (*range) printf("%-*s  %s", presence, text, range);
        else printf("%s", text);
        printf("%s%s\n  %-*s    %s\n", r->unit ? " " : "", r->unit ? r->unit : "", name, "", r->doc);
    }
}

static void print_node(cak_arena *a, const cak_node *n)
{
    printf("%s: %s\n\n", n->name, n->doc);
    if (n->formula) printf("  %s\n\n", n->formula);
    printf("%s node%s\n", node_kind(n), diff_text(n));
    print_ports("inputs", n->in);
    print_ports("outputs", n->out);
    printf("\nattributes\n");
    if (!n->attr || n->attr->kind == CAK_END) printf("  none\n");
    else print_attrs(a, n->attr);
}

static void list_types(const types *t)
{
    int width = 0;
    const char *group = "";
    for (int i = 0; i < t->n; i++) width = wider(width, t->node[i]->name);
    for (int i = 0; i < t->n; i++) {
        if (strcmp(group, node_group(t->node[i]))) printf("%s%s\n", *group ? "\n" : "", node_group(t->node[i]));
        group = node_group(t->node[i]);
        printf("  %-*s  %s\n", width, t->node[i]->name, t->node[i]->doc);
    }
    puts("\nany node without required attributes and without parameters can be written inline, e.g. mean(square(x))");
}

/* ---- as JSON ---- */

static json_t *ports_json(const cak_port *p)
{
    json_t *list = json_array();
    for (; p && p->name; p++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "name", p->name, "doc", p->doc, "optional", p->optional));
    return list;
}

static json_t *node_json(cak_arena *a, const cak_node *n)
{
    json_t *attrs = json_array();
    for (const cak_attr *r = n->attr; r && r->kind != CAK_END; r++)
        json_array_append_new(attrs, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", r->name, "doc", r->doc, "type",
                                               kinds[r->kind], "default", default_text(a, r), "range", range_text(a, r), "unit",
                                               r->unit ? r->unit : ""));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "name", n->name, "doc", n->doc, "formula",
                     n->formula ? n->formula : "", "kind", node_kind(n), "group", node_group(n), "inputs", ports_json(n->in),
                     "outputs", ports_json(n->out), "attributes", attrs);
}

static json_t *list_json(cak_arena *a, const types *t)
{
    json_t *list = json_array();
    for (int i = 0; i < t->n; i++) json_array_append_new(list, node_json(a, t->node[i]));
    return list;
}

int cak_cmd_nodes(int argc, char **argv)
{
    const char *json = NULL;
    int code = CAK_EXIT_OK;
    const cak_option options[] = { { "json", NULL, "print JSON", &json }, { 0 } };
    int n =
        cak_options(argc, argv, options, "[TYPE]", "List the node types that a configuration can use, or explain one.", &code);
    if (n < 0) return code;
    if (n > 1) return cak_usage("nodes", "one node type at a time");
    cak_arena *a = cak_arena_open("nodes");
    types all = all_types(a);
    const cak_node *node = n ? find_type(&all, argv[1]) : NULL;
    if (n && !node) {
        code = unknown_type(a, &all, argv[1]);
    } else if (json) {
        json_t *doc = node ? node_json(a, node) : list_json(a, &all);
        json_dumpf(doc, stdout, JSON_INDENT(2));
        puts("");
        json_decref(doc);
    } else if (node) {
        print_node(a, node);
    } else {
        list_types(&all);
    }
    cak_arena_close(a);
    return code;
}
