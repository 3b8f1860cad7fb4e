/* cak ls, cak show, cak inspect, cak nodes: what they print and how they end. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "experiments/command.h"
#include "graph/io.h"
#include "graph/safetensors.h"
#include "tests/support/run_test.h"
#include "tests/support/suite.h"

static cak_arena *a;
static cak_diag *d;
static const char *root;      /* of the runs */
static const char *out, *err; /* what it printed */

static void begin(void)
{
    a = cak_arena_open("test");
    d = cak_diag_open();
    root = temp_dir();
}

static void end(void)
{
    cak_diag_close(d);
    cak_arena_close(a);
}

static const char *in(const char *name) { return cak_arena_print(a, "%s/%s", root, name); }

static int call(command *c, const char *verb, const char *first, const char *second)
{
    called r = call_command(a, d, c, (const char *const[]){ verb, first, second, NULL });
    out = r.out, err = r.err;
    return r.code;
}

/* Each part comes after the one before it. */
static void in_order(const char *text, const char *const *part)
{
    for (; *part; part++) {
        const char *at = strstr(text, *part);
        ck_assert_msg(at != NULL, "'%s' is missing or comes too early", *part);
        text = at + 1;
    }
}

static void write_text(const char *name, const char *text) { write_file(a, d, in(name), text); }

/* Two runs and a directory whose run.json is broken. */
static void make_runs(void)
{
    static const char doc[] =
        "{\"schema\":1,\"id\":\"i-%s\",\"name\":\"n\",\"state\":\"%s\",\"seed\":7,\"argv\":[\"cak\",\"train\"],"
        "\"time\":{\"created\":\"2026-11-24T01:15:02Z\"},\"host\":{\"cpu\":\"fast\\u001b[2J\"},\"parent\":null,"
        "\"program\":{\"version\":\"1\",\"libs\":{\"fftw\":\"3.3\",\"gsl\":\"2.7\\u0007\"}},"
        "\"history\":[[\"created\",\"2026-11-24T01:15:02Z\"]]}";
    write_text("a/run.json", cak_arena_print(a, doc, "a", "finished"));
    write_text("a/metrics.jsonl", "{\"t\":\"step\",\"step\":49,\"epoch\":1}\n"
                                  "{\"t\":\"epoch\",\"epoch\":1,\"step\":50,\"wall\":3,\"g_loss\":-0.25,\"c_loss\":null}\n");
    write_text("b/run.json", cak_arena_print(a, doc, "b", "running"));
    write_text("c/run.json", "{");
}

START_TEST(ls_as_a_table)
{
    begin();
    make_runs();
    ck_assert_int_eq(call(cak_cmd_ls, "ls", root, NULL), CAK_EXIT_OK);
    must_have(out, "RUN ");
    must_have(out, "  SIZE  g_loss  c_loss\n");
    must_have(out, cak_arena_print(a, "%s  finished      2    50", in("a")));
    must_have(out, " B   -0.25     nan\n");
    must_have(out, cak_arena_print(a, "%s  crashed       0     0", in("b")));
    must_have(out, " B       -       -\n");
    ck_assert_ptr_null(strstr(out, "/c "));
    must_have(err, "left out: ");
    ck_assert_int_eq(call(cak_cmd_ls, "ls", in("absent"), NULL), CAK_EXIT_IO);
    must_have(err, "No such file");
    ck_assert_str_eq(out, "");
    const char *empty = temp_dir();
    ck_assert_int_eq(call(cak_cmd_ls, "ls", empty, NULL), CAK_EXIT_OK);
    must_have(err, cak_arena_print(a, "no runs found in %s\n", empty));
    end();
}
END_TEST

START_TEST(ls_without_a_directory_looks_into_runs)
{
    begin();
    write_text("runs/x", "");
    char *before = getcwd(NULL, 0);
    ck_assert_int_eq(chdir(temp_dir()), 0);
    ck_assert_int_eq(call(cak_cmd_ls, "ls", NULL, NULL), CAK_EXIT_OK);
    must_have(err, "no runs found: there is no ./runs and no ./sweeps here; name a directory\n");
    ck_assert_int_eq(chdir(root), 0);
    ck_assert_int_eq(call(cak_cmd_ls, "ls", NULL, NULL), CAK_EXIT_OK);
    must_have(err, "no runs found in ./runs\n");
    make_runs();
    ck_assert_int_eq(rename("a", "runs/a"), 0);
    write_text("sweeps/x", "");
    ck_assert_int_eq(rename("b", "sweeps/b"), 0);
    ck_assert_int_eq(call(cak_cmd_ls, "ls", NULL, NULL), CAK_EXIT_OK);
    must_have(out, "runs/a    finished");
    must_have(out, "sweeps/b  crashed");
    ck_assert_int_eq(chdir(before), 0);
    free(before);
    end();
}
END_TEST

START_TEST(ls_as_json)
{
    begin();
    make_runs();
    ck_assert_int_eq(call(cak_cmd_ls, "ls", "--json", root), CAK_EXIT_OK);
    json_t *list = json_loads(out, JSON_REJECT_DUPLICATES, NULL), *first = json_array_get(list, 0);
    ck_assert_int_eq(json_array_size(list), 2);
    ck_assert_str_eq(json_string_value(json_object_get(first, "dir")), in("a"));
    ck_assert_int_eq(json_integer_value(json_object_get(first, "step")), 50);
    ck_assert(json_real_value(json_object_get(json_object_get(first, "metrics"), "g_loss")) == -0.25);
    ck_assert(json_is_null(json_object_get(json_object_get(first, "metrics"), "c_loss")));
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 1), "state")), "crashed");
    ck_assert_int_eq(json_integer_value(json_object_get(first, "epoch")), 2);
    ck_assert_ptr_null(json_object_get(json_object_get(first, "metrics"), "epoch")); /* counted from 0 there */
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 1), "epoch")), 0);
    json_decref(list);
    ck_assert_int_eq(call(cak_cmd_ls, "ls", "--json", temp_dir()), CAK_EXIT_OK);
    ck_assert_str_eq(out, "[]\n");
    end();
}
END_TEST

START_TEST(show_a_run)
{
    begin();
    make_runs();
    ck_assert_int_eq(call(cak_cmd_show, "show", in("a"), NULL), CAK_EXIT_OK);
    const char *head =
        cak_arena_print(a, "dir            %s\nstate          finished\nepoch          2\nstep           50\n", in("a"));
    ck_assert_msg(strncmp(out, head, strlen(head)) == 0, "%s", out);
    must_have(out, "program.libs   fftw 3.3, gsl 2.7\\x07\n");
    in_order(out,
             (const char *const[]){ "step  ", "last epoch", "g_loss", "provenance", "host.cpu", "history", "files (", NULL });
    ck_assert_ptr_null(strstr(out, "  step "));
    must_have(out, "host.cpu       fast\\x1b[2J\n");
    must_have(out, "argv           cak train\n");
    must_have(out, "  created      2026-11-24T01:15:02Z\n");
    must_have(out, "  g_loss                            -0.25\n");
    must_have(out, "metrics.jsonl\n");
    ck_assert_ptr_null(strstr(out, "parent"));
    ck_assert_int_eq(call(cak_cmd_show, "show", in("a"), "--json"), CAK_EXIT_OK);
    json_t *json = json_loads(out, 0, NULL);
    ck_assert_int_gt(json_integer_value(json_object_get(json_object_get(json, "files"), "metrics.jsonl")), 100);
    json_decref(json);
    ck_assert_int_eq(call(cak_cmd_show, "show", root, NULL), CAK_EXIT_USAGE);
    must_have(err, "E4011");
    ck_assert_int_eq(call(cak_cmd_show, "show", NULL, NULL), CAK_EXIT_USAGE);
    must_have(err, "one run is needed");
    end();
}
END_TEST

START_TEST(show_finds_the_run_that_is_meant)
{
    begin();
    make_runs();
    for (int i = 1; i <= 5; i++)
        write_text(
            cak_arena_print(a, "runs/%d/run.json", i),
            cak_arena_print(a, "{\"schema\":1,\"id\":\"id-%d\",\"name\":\"n\",\"state\":\"finished\",\"history\":[],\"time\":{}}",
                            i < 5 ? i : 4));
    char *before = getcwd(NULL, 0);
    ck_assert_int_eq(chdir(root), 0);
    ck_assert_int_eq(call(cak_cmd_show, "show", "id-2", NULL), CAK_EXIT_OK);
    must_have(out, "dir            runs/2\n");
    ck_assert_int_eq(call(cak_cmd_show, "show", "id-4", NULL), CAK_EXIT_USAGE);
    must_have(err, "2 runs have the id id-4: runs/4, runs/5 [E4011]");
    ck_assert_int_eq(call(cak_cmd_show, "show", "runs/", NULL), CAK_EXIT_USAGE);
    must_have(err, "runs/ is not a run directory; runs below it: runs/1, runs/2, runs/3 (and 2 more) [E4011]");
    static const char *const no_run[] = { "i-a", "absent", "a/run.json", "id" };
    for (size_t i = 0; i < sizeof no_run / sizeof *no_run; i++) {
        ck_assert_int_eq(call(cak_cmd_show, "show", no_run[i], NULL), CAK_EXIT_USAGE);
        must_have(err, cak_arena_print(a, "%s is not a run directory (it has no run.json), nor the id of a run below ./runs",
                                       no_run[i]));
    }
    ck_assert_int_eq(chdir(temp_dir()), 0);
    ck_assert_int_eq(call(cak_cmd_show, "show", "id-2", NULL), CAK_EXIT_USAGE);
    ck_assert_int_eq(chdir(before), 0);
    free(before);
    end();
}
END_TEST

START_TEST(the_step_that_diverged_is_not_completed)
{
    begin();
    write_text("run.json", "{\"schema\":1,\"id\":\"i\",\"name\":\"n\",\"state\":\"diverged\",\"diverged\":{\"step\":7},"
                           "\"history\":[],\"time\":{}}");
    write_text("metrics.jsonl", "{\"t\":\"step\",\"step\":7,\"epoch\":0}\n");
    ck_assert_int_eq(call(cak_cmd_show, "show", root, NULL), CAK_EXIT_OK);
    must_have(out, "\nstep           7\n");
    write_text("metrics.jsonl", "{\"t\":\"step\",\"step\":6,\"epoch\":0}\n"); /* the record of the step was lost */
    ck_assert_int_eq(call(cak_cmd_show, "show", root, NULL), CAK_EXIT_OK);
    must_have(out, "\nstep           7\n");
    end();
}
END_TEST

START_TEST(inspect_a_file)
{
    begin();
    static const float w[] = { 1, -2, 4, (float)NAN };
    const cak_tensor t[] = { { "param/w", "F32", CAK_SHAPE(2, 2), w, sizeof w },
                             { "none", "F64", CAK_SHAPE(0), w, 0 },
                             { "odd", "F8_E4M3", CAK_SHAPE(1), w, 1 } };
    const cak_pair meta = { "note", "a\x1b[2J" };
    ck_assert(cak_tensors_save(d, in("x"), t, 3, &meta, 1));
    ck_assert_int_eq(call(cak_cmd_inspect, "inspect", in("x"), NULL), CAK_EXIT_OK);
    must_have(out, "param/w  F32      [2,2]                           -2             4             1          1\n");
    must_have(out, "none     F64      [0]                              -             -             -          0\n");
    must_have(out, "odd      F8_E4M3  [1]                              -             -             -          -\n");
    must_have(out, "3 tensors, 5 elements\n");
    must_have(out, "a\\x1b[2J\n");
    ck_assert_int_eq(call(cak_cmd_inspect, "inspect", in("x"), "--json"), CAK_EXIT_OK);
    json_t *json = json_loads(out, 0, NULL), *first = json_array_get(json_object_get(json, "tensors"), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(first, "nonfinite")), 1);
    ck_assert(json_real_value(json_object_get(first, "mean")) == 1);
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(json, "metadata"), "note")), "a\x1b[2J");
    json_decref(json);
    end();
}
END_TEST

START_TEST(inspect_what_is_no_such_file)
{
    begin();
    write_text("x", "1234567");
    ck_assert_int_eq(call(cak_cmd_inspect, "inspect", in("x"), NULL), CAK_EXIT_CHECKPOINT);
    must_have(err, "too short");
    ck_assert_str_eq(out, "");
    write_text("x", "# A title and a text\n");
    ck_assert_int_eq(call(cak_cmd_inspect, "inspect", in("x"), NULL), CAK_EXIT_CHECKPOINT);
    must_have(err, "is not a safetensors file");
    ck_assert_int_eq(call(cak_cmd_inspect, "inspect", in("absent"), NULL), CAK_EXIT_IO);
    ck_assert_int_eq(call(cak_cmd_inspect, "inspect", NULL, NULL), CAK_EXIT_USAGE);
    must_have(err, "one file");
    end();
}
END_TEST

static int place(const char *part)
{
    must_have(out, part);
    return (int)(strstr(out, part) - out);
}

START_TEST(nodes_by_group_and_name)
{
    begin();
    ck_assert_int_eq(call(cak_cmd_nodes, "nodes", NULL, NULL), CAK_EXIT_OK);
    ck_assert_int_eq(place("audio\n"), 0);
    ck_assert_int_lt(place("\n\nmodules\n  call "), place("\n\nprim\n  abs "));
    ck_assert_int_lt(place("\n  clip_mask "), place("\n  conv2d "));
    ck_assert_int_lt(place("\n  const "), place("\n  conv2d "));
    must_have(out, "  window_square_sum  sum of the squared windows");
    must_have(out, "can be written inline, e.g. mean(square(x))\n");
    ck_assert_int_eq(call(cak_cmd_nodes, "nodes", "--json", NULL), CAK_EXIT_OK);
    json_t *list = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
    int n;
    cak_node_all(&n);
    ck_assert_int_eq(json_array_size(list), n + 1);
    json_decref(list);
    end();
}
END_TEST

START_TEST(one_node)
{
    begin();
    ck_assert_int_eq(call(cak_cmd_nodes, "nodes", "pair_loader", NULL), CAK_EXIT_OK);
    must_have(out, "\n\ndata node\n\n");
    must_have(out, "\n  batch               int     default 16        1 .. 65536\n                        samples of a batch\n");
    must_have(out, "\n  repair_every_epoch  bool    default false\n");
    ck_assert_int_eq(call(cak_cmd_nodes, "nodes", "conv_layer", NULL), CAK_EXIT_OK);
    must_have(out, "\n\ncomposite node, differentiated through its parts\n");
    must_have(out, "\n  out       int     required               1 .. 65536\n");
    ck_assert_int_eq(call(cak_cmd_nodes, "nodes", "sign", NULL), CAK_EXIT_OK);
    must_have(out, "\n\nprimitive node, gradient is zero\n");
    ck_assert_int_eq(call(cak_cmd_nodes, "nodes", "call", NULL), CAK_EXIT_OK);
    must_have(out, "\n  {type: call, module: NAME, inputs: [...]}\n\nmodule node, differentiated through its parts\n");
    must_have(out, "those of the module");
    ck_assert_int_eq(call(cak_cmd_nodes, "nodes", "synth", NULL), CAK_EXIT_OK);
    must_have(out, "  0.001 .. 3600 s\n");
    ck_assert_int_eq(call(cak_cmd_nodes, "nodes", "call", "--json"), CAK_EXIT_OK);
    must_have(out, "\"group\": \"modules\"");
    end();
}
END_TEST

START_TEST(no_such_node)
{
    begin();
    static const char *const typing[][2] = { { "mena", "mean" }, { "smu", "sum" },      { "clal", "call" },
                                             { "caal", "call" }, { "conv2", "conv2d" }, { "sotf_gate", "soft_gate" } };
    for (size_t i = 0; i < sizeof typing / sizeof *typing; i++) {
        ck_assert_int_eq(call(cak_cmd_nodes, "nodes", typing[i][0], NULL), CAK_EXIT_USAGE);
        must_have(err, cak_arena_print(a, "unknown node type '%s'; did you mean '%s'?", typing[i][0], typing[i][1]));
    }
    ck_assert_int_eq(call(cak_cmd_nodes, "nodes", "quaternion", NULL), CAK_EXIT_USAGE);
    must_have(err, "unknown node type 'quaternion'; `cak nodes` lists all");
    ck_assert_int_eq(call(cak_cmd_nodes, "nodes", "add", "sub"), CAK_EXIT_USAGE);
    must_have(err, "one node type at a time");
    end();
}
END_TEST

START_TEST(help)
{
    begin();
    static command *const commands[] = { cak_cmd_ls, cak_cmd_show, cak_cmd_inspect, cak_cmd_nodes };
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(call(commands[i], "verb", "--help", NULL), CAK_EXIT_OK);
        must_have(out, "usage: cak verb ");
        must_have(out, "--json");
        ck_assert_int_eq(call(commands[i], "verb", "--jsan", NULL), CAK_EXIT_USAGE);
        must_have(err, "--json");
    }
    end();
}
END_TEST

SUITE(run_commands, ls_as_a_table, ls_without_a_directory_looks_into_runs, ls_as_json, show_a_run,
      show_finds_the_run_that_is_meant, the_step_that_diverged_is_not_completed, inspect_a_file, inspect_what_is_no_such_file,
      nodes_by_group_and_name, one_node, no_such_node, help)
