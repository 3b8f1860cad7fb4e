/* cak nodes: the registry, and one node in full from its tables. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "experiments/command.h"
#include "graph/number.h"
#include "graph/text.h"

static const char *const kinds[] = { "",       "int",   "number", "bool", "enum", "text", "list of ints", "list of numbers",
                                     "module", "value", "shape" };

static const char *node_kind(const cak_node *n) { return n->stage ? "data" : n->expand ? "composite" : "primitive"; }

static const char *diff_text(const cak_node *n)
{
    if (n->stage) return "reads data";
    if (n->expand) return "composite: differentiated through its parts";
    static const char *const texts[] = { "no gradient rule", "differentiable, any order", "gradient is zero",
                                         "stops the gradient" };
    return texts[n->diff];
}

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

static void print_ports(const char *title, const cak_port *p)
{
    printf("\n%s\n", title);
    if (!p || !p->name) printf("  none\n");
    for (; p && p->name; p++) printf("  %-12s %s%s\n", p->name, p->doc, p->optional ? " (optional)" : "");
}

static void print_node(cak_arena *a, const cak_node *n)
{
    printf("%s: %s\n\n  %s\n\n%s node, %s\n", n->name, n->doc, n->formula ? n->formula : "", node_kind(n), diff_text(n));
    print_ports("inputs", n->in);
    print_ports("outputs", n->out);
    printf("\nattributes\n");
    if (!n->attr || n->attr->kind == CAK_END) printf("  none\n");
    for (const cak_attr *r = n->attr; r && r->kind != CAK_END; r++) {
        const char *range = range_text(a, r);
        printf("  %-12s %-15s default %-12s %s%s%s\n", r->name, kinds[r->kind], default_text(a, r), range, r->unit ? " " : "",
               r->unit ? r->unit : "");
        printf("  %-12s   %s\n", "", r->doc);
    }
}

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
                     n->formula ? n->formula : "", "kind", node_kind(n), "group", cak_node_dir(n), "inputs", ports_json(n->in),
                     "outputs", ports_json(n->out), "attributes", attrs);
}

static void print_json(json_t *j)
{
    json_dumpf(j, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(j);
}

static void list_nodes(void)
{
    int n;
    const cak_node *const *all = cak_node_all(&n);
    const char *dir = "";
    for (int i = 0; i < n; i++) {
        if (strcmp(dir, cak_node_dir(all[i]))) printf("%s%s\n", *dir ? "\n" : "", cak_node_dir(all[i]));
        dir = cak_node_dir(all[i]);
        printf("  %-17s %s\n", all[i]->name, all[i]->doc);
    }
    printf("\ngraph and modules\n  %-17s %s\n", "call", "use a module: {type: call, module: NAME, inputs: [...]}");
}

int cak_cmd_nodes(int argc, char **argv)
{
    const char *json = NULL;
    const cak_option options[] = { { "json", NULL, "print JSON", &json }, { 0 } };
    int code, n_all,
        n = cak_options(argc, argv, options, "[TYPE]", "List the node types that a configuration can use, or explain one.",
                        &code);
    if (n < 0) return code;
    if (n > 1) return cak_usage("nodes", "one node type at a time");
    cak_arena *a = cak_arena_open("nodes");
    const cak_node *const *all = cak_node_all(&n_all), *node = n ? cak_node_find(argv[1]) : NULL;
    code = CAK_EXIT_OK;
    if (n && !node) {
        const char *near = cak_node_suggest(argv[1]);
        code = cak_usage("nodes", "unknown node type '%s'%s%s%s", argv[1], near ? "; did you mean '" : "", near ? near : "",
                         near ? "'?" : "");
    } else if (node && json) {
        print_json(node_json(a, node));
    } else if (node) {
        print_node(a, node);
    } else if (json) {
        json_t *list = json_array();
        for (int i = 0; i < n_all; i++) json_array_append_new(list, node_json(a, all[i]));
        print_json(list);
    } else {
        list_nodes();
    }
    cak_arena_close(a);
    return code;
}
