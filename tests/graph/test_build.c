/* From YAML to graphs: names, ports, expressions, modules, and a place for every error. */
#include <stdio.h>
#include <string.h>

#include "tests/support/graph_test.h"

/* ---- what is accepted ---- */

static const double x[] = { 1, 4 };

static double value_of(const char *yaml, const char *out)
{
    graph_case c = { .yaml = yaml, .out = out, .in = { { "x", CAK_SHAPE(2), .data = x }, { "batch.c", CAK_SCALAR, 3, 3 } } };
    return (double)graph_eval(&c, NULL)[1];
}

START_TEST(accepted)
{
    static const struct {
        const char *yaml, *out;
        double want;
    } cases[] = {
        { "nodes: {}", "x", 4 },
        { "{}", "add(x, x)", 8 },
        { "nodes: {}", " add( x , 1.5e+1 ) ", 19 },
        { "nodes: {}", "add(x, .5)", 4.5 },
        { "nodes: {}", "add(x, -2)", 2 },
        { "nodes: {}", "sub(sqrt(x), mul(batch.c, 2))", -4 },
        { "nodes: {y: {type: sub, inputs: [x, 1]}}", "y", 3 },
        { "nodes: {y: {type: sub, inputs: [x, 1]}}", "y.y", 3 },
        { "nodes: {y: {type: sub, inputs: {y: x, x: 1}}}", "y", -3 },
        { "nodes: {b: {type: add, inputs: [a, 1]}, a: {type: exp, inputs: ['sub(x, x)']}}", "b", 2 },
        { "nodes: {y: {type: pow, p: 2, inputs: [x]}}", "y", 16 },
        { "nodes: {g: {type: soft_gate, tau: 0, temperature: 'sub(x, 4)', inputs: [x]}}", "g", 0.5 },
        { "modules: {m: {type: leaky_relu, slope: 0.5}}\nnodes: {y: {type: call, module: m, inputs: [neg(x)]}}", "y", -2 },
        { "modules: {m: {inputs: [a], nodes: {h: {type: add, inputs: [a, batch.c]}}, outputs: {first: h, second: neg(h)}}}\n"
          "nodes: {y: {type: call, module: m, inputs: [x]}}",
          "y.second", -7 },
        { "modules: {m: {inputs: [a], outputs: {y: 'add(a, 1)'}}, n: {inputs: [a], nodes: {k: {type: call, module: m, inputs: "
          "[a]}}, "
          "outputs: {y: k}}}\nnodes: {y: {type: call, module: n, inputs: {a: x}}}",
          "y", 5 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_close(value_of(cases[i].yaml, cases[i].out), cases[i].want, 1e-6);
}
END_TEST

/* ---- what is refused ---- */

#define MODULE "modules:\n  m: {inputs: [a], outputs: {y: exp(a)}}\n"
static const struct refusal {
    const char *yaml, *out, *text; /* a part of what is printed */
} refusals[] = {
    /* names */
    { "nodes:\n  y: {type: exp, inputs: [xx]}", "y", "case.yaml:2:27: error: 'xx' does not exist; did you mean 'x'? [E3002]" },
    { "nodes:\n  y: {type: exp, inputs: [nothing]}", "y", "case.yaml:2:27: error: 'nothing' does not exist [E3002]" },
    { "nodes:\n  y: {type: exp, inputs: [x]}", "y.z", "'y' has no output 'z'; its outputs: y [E3002]" },
    { "nodes:\n  2: {type: exp, inputs: [x]}", "x", "case.yaml:2:3: error: '2' is a number and cannot name a node [E1205]" },
    { "nodes:\n  x: {type: exp, inputs: [x]}", "x",
      "case.yaml:2:3: error: 'x' is the name of an input and cannot name a node [E1205]" },
    { "nodes:\n  a b: {type: exp, inputs: [x]}", "x", "case.yaml:2:3: error: 'a b' is no node name" },
    { "nodes:\n  a.b: {type: exp, inputs: [x]}", "x", "case.yaml:2:3: error: 'a.b' is no node name" },
    /* entries */
    { "nodes:\n  y: exp", "y", "case.yaml:2:6: error: 'y' must be a mapping with a `type` [E1201]" },
    { "nodes:\n  y: {inputs: [x]}", "y", "case.yaml:2:3: error: 'y' has no `type` [E1204]" },
    { "nodes:\n  y: {type: [exp], inputs: [x]}", "y", "case.yaml:2:13: error: `type` must be the name of a node type [E1201]" },
    { "nodes:\n  y: {type: sigmid, inputs: [x]}", "y",
      "case.yaml:2:13: error: unknown node type 'sigmid'; did you mean 'sigmoid'? [E3001]" },
    { "nodes:\n  y: {type: frobnicate, inputs: [x]}", "y", "unknown node type 'frobnicate'; `cak nodes` lists all [E3001]" },
    { "nodes:\n  y: {type: conv2d_dx, inputs: [x, x]}", "y", "node type 'conv2d_dx' is made by the engine [E3001]" },
    { "nodes:\n  y: {type: exp, inputs: [x], slop: 1}", "y", "case.yaml:2:31: error: unknown key 'slop'" },
    { "nodes:\n  y: {type: pow, inputs: [x]}", "y", "case.yaml:2:3: error: " },
    { "nodes:\n  y: {type: soft_gate, tau: wide, inputs: [x]}", "y", "case.yaml:2:29: error: " },
    { "nodes:\n  y: {type: soft_gate, temperature: [1], inputs: [x]}", "y",
      "'temperature' must be a name or an expression [E1201]" },
    { "nodes:\n  y: {type: soft_gate, temperature: t, inputs: [x]}", "y", "case.yaml:2:37: error: 't' does not exist" },
    { "nodes:\n  y: {type: synth}", "y", "y: synth reads data and belongs into the `data` section [E3007]" },
    /* inputs */
    { "nodes:\n  y: {type: exp, inputs: x}", "y", "case.yaml:2:26: error: inputs must be a list: write [x] [E1201]" },
    { "nodes:\n  y: {type: exp, inputs: [[x]]}", "y", "case.yaml:2:27: error: an input is a name, a number or an expression" },
    { "nodes:\n  y: {type: exp, inputs: [x, x]}", "y", "case.yaml:2:30: error: exp takes 1 input, got 2 [E3004]" },
    { "nodes:\n  y: {type: add, inputs: [x]}", "y",
      "case.yaml:2:3: error: y: add needs input 'y' (a shape that broadcasts with x) [E3004]" },
    { "nodes:\n  y: {type: add}", "y", "y: add needs input 'x' (any shape) [E3004]" },
    { "nodes:\n  y: {type: add, inputs: {x: x, z: x}}", "y", "case.yaml:2:33: error: add has no input 'z' [E3004]" },
    { "nodes:\n  y: {type: add, inputs: {y: x}}", "y", "y: add needs input 'x' (any shape) [E3004]" },
    /* cycles */
    { "nodes:\n  a: {type: exp, inputs: [b]}\n  b: {type: exp, inputs: [c]}\n  c: {type: exp, inputs: [b]}", "a",
      "case.yaml:4:27: error: cycle: b -> c -> b [E3003]" },
    { "nodes:\n  a: {type: exp, inputs: [a]}", "a", "case.yaml:2:27: error: cycle: a -> a [E3003]" },
    /* expressions */
    { "nodes: {y: {type: exp, inputs: ['add(x']}}", "y", "malformed expression 'add(x': ')' expected [E3006]" },
    { "nodes: {y: {type: exp, inputs: ['exp(x))']}}", "y",
      "malformed expression 'exp(x))': something follows after its end [E3006]" },
    { "nodes: {y: {type: exp, inputs: ['']}}", "y", "malformed expression '': a name or a number expected [E3006]" },
    { "nodes: {y: {type: exp, inputs: ['add(x,)']}}", "y",
      "malformed expression 'add(x,)': a name or a number expected [E3006]" },
    { "nodes: {y: {type: exp, inputs: ['1e999']}}", "y", "malformed expression '1e999': a number is out of range [E3006]" },
    { "nodes: {y: {type: exp, inputs: [inf]}}", "y", "'inf' does not exist" },
    { "nodes: {y: {type: exp, inputs: [0x10]}}", "y", "'0x10' does not exist" },
    { "nodes: {y: {type: exp, inputs: ['expp(x)']}}", "y", "unknown node type 'expp'; did you mean 'exp'? [E3001]" },
    { "nodes: {y: {type: exp, inputs: ['pow(x)']}}", "y", "pow needs the attribute 'p'; give it a node of its own [E3006]" },
    { "nodes: {y: {type: exp, inputs: ['audit_critic(image)']}}", "y",
      "audit_critic has parameters; give it a node of its own [E3006]" },
    { "nodes: {y: {type: exp, inputs: ['add(x, x, x)']}}", "y", "add takes 2 inputs, got 3 [E3004]" },
    { "nodes: {y: {type: exp, inputs: ['add(1,1,1,1,1,1,1,1,1)']}}", "y", "too many inputs [E3006]" },
    { "nodes: {y: {type: exp, inputs: "
      "['neg(neg(neg(neg(neg(neg(neg(neg(neg(neg(neg(neg(neg(neg(neg(neg(neg(x)))))))))))))))))']}}",
      "y", "nested deeper than 16 [E3006]" },
    { "nodes:\n  y: {type: exp, inputs: ['add(x, image)']}", "y",
      "case.yaml:2:27: error: add(x, image): shapes [2] and [1,1,16,16] do not" },
    /* modules */
    { "nodes:\n  y: {type: call, module: m, inputs: [x]}", "y", "case.yaml:2:27: error: module 'm' does not exist [E3002]" },
    { MODULE "nodes:\n  y: {type: call, module: mm, inputs: [x]}", "y",
      "case.yaml:4:27: error: module 'mm' does not exist; did you mean 'm'? [E3002]" },
    { MODULE "nodes:\n  y: {type: call, inputs: [x]}", "y", "case.yaml:4:3: error: 'y' (type call) needs `module` [E1204]" },
    { MODULE "nodes:\n  y: {type: call, module: m}", "y", "case.yaml:4:3: error: y: module 'm' needs input 'a' [E3004]" },
    { MODULE "nodes:\n  y: {type: call, module: m, inputs: [x, x]}", "y", "module 'm' takes 1 input, got 2 [E3004]" },
    { MODULE "nodes:\n  y: {type: call, module: m, input: [x]}", "y", "unknown key 'input'" },
    { "modules:\n  m: {type: exp}\n  a b: {type: exp}", "x", "case.yaml:3:3: error: 'a b' is no module name" },
    { "modules:\n  m: exp", "x", "case.yaml:2:6: error: module 'm' must be a mapping [E1201]" },
    { "modules:\n  m: {type: epx}", "x", "case.yaml:2:13: error: unknown node type 'epx'; did you mean 'exp'? [E3001]" },
    { "modules:\n  m: {inputs: [a]}", "x",
      "case.yaml:2:3: error: module 'm' needs a `type`, or `outputs`: {name: expression} of 1 to 8 [E1204]" },
    { "modules:\n  m: {inputs: a, outputs: {y: exp(a)}}", "x",
      "case.yaml:2:15: error: `inputs` of a module is a list of names [E1201]" },
    { "modules:\n  m: {inputs: [[a]], outputs: {y: exp(a)}}", "x",
      "case.yaml:2:16: error: `inputs` of a module is a list of names [E1201]" },
    { "modules:\n  m: {inputs: [a, a], outputs: {y: exp(a)}}", "x", "case.yaml:2:19: error: input 'a' is named twice [E1205]" },
    { "modules:\n  m: {inputs: [a.b], outputs: {y: exp(a)}}", "x", "case.yaml:2:16: error: 'a.b' is no input name" },
    { "modules:\n  m: {inputs: [a,b,c,d,e,f,g,h,i], outputs: {y: exp(a)}}", "x", "a module has at most 8 inputs [E3004]" },
    { "modules:\n  m: {inputs: [a], nodes: [], outputs: {y: exp(a)}}", "x",
      "case.yaml:2:27: error: `nodes` must be a mapping [E1201]" },
    { "modules:\n  m: {inputs: [a], outputs: {y: [a]}}", "x", "case.yaml:2:33: error: an output is an expression [E1201]" },
    { "modules:\n  m: {inputs: [a], outputs: {y: a}, output: b}", "x", "case.yaml:2:37: error: unknown key 'output'" },
    { "modules:\n  m: {inputs: [a], nodes: {h: {type: call, module: m, inputs: [a]}}, outputs: {y: h}}\n"
      "nodes: {y: {type: call, module: m, inputs: [x]}}",
      "y", "module 'm' calls itself [E3003]" },
    { "modules:\n  m: {type: audit_critic, detector: m}", "x", "case.yaml:2:37: error: module 'm' refers to itself [E3003]" },
    { "modules:\n  m: {inputs: [a], nodes: {unused: {type: epx, inputs: [a]}}, outputs: {y: a}}\n"
      "nodes: {y: {type: call, module: m, inputs: [x]}}",
      "y", "case.yaml:2:43: error: unknown node type 'epx'" },
};

START_TEST(refused)
{
    int wrong = 0;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        graph_case c = { .yaml = refusals[i].yaml,
                         .out = refusals[i].out,
                         .in = { { "x", CAK_SHAPE(2), .data = x }, { "image", CAK_SHAPE(1, 1, 16, 16), 0, 1 } } };
        const char *got = graph_errors(&c);
        if (strstr(got, refusals[i].text)) continue;
        printf("wanted '%s' for\n%s\ngot\n%s\n", refusals[i].text, refusals[i].yaml, got);
        wrong++;
    }
    ck_assert_int_eq(wrong, 0);
}
END_TEST

START_TEST(all_errors_in_one_go)
{
    graph_case c = { .yaml = "nodes:\n"
                             "  a: {type: epx, inputs: [x]}\n"
                             "  b: {type: add, inputs: [x, nothing]}\n"
                             "  c: {type: sub, inputs: [x, long]}\n"
                             "  d: {type: exp, inputs: [c]}\n" /* no error of its own */
                             "  e: {type: exp, inputs: [x], k: 1}\n"
                             "modules:\n"
                             "  m: {type: leaky_relu, slope: 1e9}\n",
                     .out = "d",
                     .in = { { "x", CAK_SHAPE(2), .data = x }, { "long", CAK_SHAPE(3), 0, 1 } } };
    const char *got = graph_errors(&c);
    static const char *const lines[] = { "case.yaml:2:", "case.yaml:3:", "case.yaml:4:",
                                         "case.yaml:6:", "case.yaml:8:", "5 errors\n" };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        ck_assert_msg(strstr(got, lines[i]) != NULL, "%s in\n%s", lines[i], got);
    ck_assert_ptr_null(strstr(got, "case.yaml:5:"));
}
END_TEST

START_TEST(a_printed_error)
{
    graph_case c = { .yaml = "nodes:\n  y: {type: add, inputs: [x, z]}\n",
                     .out = "y",
                     .in = { { "x", CAK_SHAPE(2), .data = x }, { "z", CAK_SHAPE(3), 0, 1 } } };
    ck_assert_str_eq(graph_errors(&c), "case.yaml:2:3: error: y: shapes [2] and [3] do not broadcast [E3005]\n"
                                       "    2 |   y: {type: add, inputs: [x, z]}\n"
                                       "      |   ^\n"
                                       "1 error\n");
}
END_TEST

/* ---- sharing ---- */

static int parameters_of(const char *yaml, const char **first)
{
    cak_diag *d = cak_diag_open();
    cak_graph *g = cak_graph_open(d);
    cak_binding bind = { "x", cak_input(g, "x", &CAK_SHAPE(2, 3), true) };
    cak_yaml *root = cak_yaml_parse(cak_graph_arena(g), d, "case.yaml", yaml, strlen(yaml));
    cak_builder *b = cak_builder_open(g, cak_yaml_get(root, "nodes"), cak_yaml_get(root, "modules"), &bind, 1);
    ck_assert(cak_builder_all(b));
    int n = cak_graph_params(g);
    static char name[64];
    strcpy(name, cak_graph_param(g, 0)->name);
    *first = name;
    cak_graph_close(g);
    cak_diag_close(d);
    return n;
}

START_TEST(calls_share_parameters)
{
    static const struct {
        const char *yaml, *first;
        int n;
    } cases[] = {
        { "nodes: {a: {type: linear, out: 3, inputs: [x]}, b: {type: linear, out: 3, inputs: [a]}}", "a.weight", 4 },
        { "modules: {f: {type: linear, out: 3}}\n"
          "nodes: {a: {type: call, module: f, inputs: [x]}, b: {type: call, module: f, inputs: [a]}}",
          "f.weight", 2 },
        { "modules: {f: {inputs: [v], nodes: {h: {type: linear, out: 3, inputs: [v]}, k: {type: linear, out: 3, inputs: [h]}}, "
          "outputs: {y: k}}}\n"
          "nodes: {a: {type: call, module: f, inputs: [x]}, b: {type: call, module: f, inputs: [a]}}",
          "f.h.weight", 4 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *first;
        ck_assert_int_eq(parameters_of(cases[i].yaml, &first), cases[i].n);
        ck_assert_str_eq(first, cases[i].first);
    }
}
END_TEST

START_TEST(registry)
{
    int n;
    const cak_node *const *all = cak_node_all(&n);
    ck_assert_int_gt(n, 50);
    for (int i = 0; i < n; i++) {
        ck_assert_ptr_eq(cak_node_find(all[i]->name), all[i]);
        ck_assert_str_ne(cak_node_dir(all[i]), "");
        ck_assert_msg(all[i]->doc && all[i]->out && all[i]->out[0].name, "%s", all[i]->name);
        ck_assert_msg(!!all[i]->expand + !!all[i]->shape + !!all[i]->stage == 1, "%s", all[i]->name);
        for (int k = 0; all[i]->attr && all[i]->attr[k].kind != CAK_END; k++)
            ck_assert_msg(all[i]->attr[k].offset < all[i]->attr_size, "%s.%s", all[i]->name, all[i]->attr[k].name);
    }
    ck_assert_ptr_null(cak_node_find("nothing"));
    ck_assert_str_eq(cak_node_suggest("leaky_rel"), "leaky_relu");
    ck_assert_str_eq(cak_node_dir(cak_node_find("cak")), "cond");
}
END_TEST

SUITE(build, accepted, refused, all_errors_in_one_go, a_printed_error, calls_share_parameters, registry)
