/* cak compare, cak diff, and the choosing options of cak ls: what they print and how they end. */
#include <jansson.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "experiments/command.h"
#include "experiments/sweep_dir.h"
#include "graph/io.h"
#include "tests/support/run_test.h"
#include "tests/support/suite.h"

static cak_arena *a;
static cak_diag *d;
static const char *root;

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

static void make(made_run r)
{
    r.dir = in(r.dir);
    make_run(a, d, &r);
}

#define OVER(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define LOSS(...) ((const double[]){ __VA_ARGS__ })

/* Two rates, two seeds; the second run of the larger rate diverges. */
static void make_runs(void)
{
    for (int i = 0; i < 4; i++) {
        const char *lr = i < 2 ? "1e-4" : "1e-3";
        make((made_run){ .dir = cak_arena_print(a, "%d", i),
                         .seed = i % 2,
                         .lr = lr,
                         .over = OVER(cak_arena_print(a, "hp.lr=%s", lr)),
                         .epochs = 2,
                         .loss = LOSS(1, 0.5 + 0.125 * i),
                         .score = LOSS(0, i),
                         .batches = "b",
                         .init = "w",
                         .state = i == 3 ? "diverged" : NULL,
                         .diverged = 19 });
    }
}

static json_t *parsed(const char *text)
{
    json_error_t e;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &e);
    ck_assert_msg(json != NULL, "%s in %.500s", e.text, text);
    return json;
}

static double number(const json_t *json, const char *key, const char *part)
{
    const json_t *v = json_object_get(json, key);
    return json_number_value(part ? json_object_get(v, part) : v);
}

/* ---- compare ---- */

START_TEST(compare_as_text)
{
    begin();
    make_runs();
    called r = CALL(cak_cmd_compare, "compare", root, "--goal", "loss=min,score=min");
    ck_assert_int_eq(r.code, CAK_EXIT_OK);
    must_have(r.out, "4 runs in 2 arms\ndiffers: hp.lr  (the same in all runs: 4 keys; --all shows them)\n");
    must_have(r.out, "varies with hp.lr: train.phases.critic.optimizer.lr\n");
    must_have(r.out, "arm  lr    n  finished  diverged  failed  diverged % [95 %]  t_div step (epoch)  rank");
    must_have(r.out, "A    1e-4  2         2         0       0    0.0 [0.0, 65.8]                   -     1");
    must_have(r.out, "B    1e-3  2         1         1       0   50.0 [9.5, 90.5]              19 (2)     2");
    must_have(r.out, "0.562 ± 0.088");
    must_have(r.out, "0.75 (1)*");
    must_have(r.out, "* over that many runs, those that finished\n");
    must_have(r.out, "\npaired by seed: 2 pairs in each of 2 arms, data order identical: yes, initial values identical: yes\n");
    must_have(r.out, "A vs B  lr 1e-4 / 1e-3      2");
    must_lack(r.out, "stopped");
    must_lack(r.out, "running");
    for (const char *line = r.out; *line; line += strcspn(line, "\n") + 1)
        ck_assert_uint_le(strcspn(line, "\n"), 126); /* ± has two bytes */
    ck_assert_str_eq(r.err, "");
    r = CALL(cak_cmd_compare, "compare", "--all", root);
    must_have(r.out, "  train.epochs: 3\n");
    r = CALL(cak_cmd_compare, "compare", "--where", "seed=0 and loss<0.6", root);
    must_have(r.out, "1 run in 1 arm\ndiffers: nothing but seed");
    must_lack(r.out, "rank");
    r = CALL(cak_cmd_compare, "compare", root, "--goal", "score=max");
    must_have(r.out, "\ntested: divergence, its time, score; 1 metric without a goal is not (see --goal and --metric)\n");
    must_have(r.out, "score p\n");
    must_lack(r.out, "loss p");
    r = CALL(cak_cmd_compare, "compare", root);
    must_have(r.out, "\ntested: divergence, its time; 2 metrics without a goal are not (");
    must_lack(r.out, "  rank");
    must_lack(r.out, "rank:");
    must_lack(r.out, "loss p");
    end();
}
END_TEST

/* Few seeds cannot tell arms apart, and pairs of arms with p = 1 are counted. */
START_TEST(compare_few_seeds)
{
    begin();
    for (int i = 0; i < 12; i++)
        make((made_run){ .dir = cak_arena_print(a, "%02d", i),
                         .seed = i % 3,
                         .lr = cak_arena_print(a, "%d", i / 3),
                         .epochs = 1,
                         .loss = LOSS(i % 3 ? 1 : 1 + i),
                         .batches = "b" });
    called r = CALL(cak_cmd_compare, "compare", root, "--metric", "loss");
    must_have(r.out,
              "\nwith 3 pairs the smallest possible p of McNemar and Wilcoxon is 0.25 (1 after Holm over 6 tests); take more "
              "seeds\n");
    must_have(r.out, "\n\np is 1 in all tests of 6 pairs of arms: A B, A C, A D, B C, B D, C D\n");
    must_lack(r.out, "A vs B");
    must_have(CALL(cak_cmd_compare, "compare", root, "--all").out, "A vs B");
    must_have(CALL(cak_cmd_compare, "compare", root, "--csv", "--tests").out, "A vs B");
    r = CALL(cak_cmd_compare, "compare", root, "--where", "train.phases.critic.optimizer.lr<2");
    must_have(r.out, "\nwith 3 pairs the smallest possible p of McNemar and Wilcoxon is 0.25; take more seeds\n");
    must_have(r.out, "\nA vs B  "); /* one line is one line */
    r = CALL(cak_cmd_compare, "compare", root, "--where", "dir~/00 or dir~/04 or dir~/01 or dir~/05");
    must_have(r.out, "\nwith 1 pair the smallest possible p of McNemar and Wilcoxon is 1; take more seeds\n");
    r = CALL(cak_cmd_compare, "compare", root, "--where", "dir~/00 or dir~/04 or dir~/05");
    must_have(r.out, "\nwith 1 and 2 runs the smallest possible p of Fisher and Mann-Whitney is 0.33; take more seeds\n");
    r = CALL(cak_cmd_compare, "compare", root, "--where", "seed=0");
    must_have(r.out, "\nno tests: each run is an arm of its own; take more seeds, or --except "
                     "train.phases.critic.optimizer.lr for keys that make no arms\n");
    end();
}
END_TEST

/* One arm is better by every pair: p is 1/8, times five tests. */
START_TEST(compare_keeps_tests_that_tell)
{
    begin();
    for (int i = 0; i < 24; i++)
        make((made_run){ .dir = cak_arena_print(a, "%02d", i),
                         .seed = i % 4,
                         .lr = cak_arena_print(a, "%d", i / 4),
                         .epochs = 1,
                         .loss = LOSS(i / 4 == 5 ? 1 : 2),
                         .batches = "b" });
    const called r = CALL(cak_cmd_compare, "compare", root, "--metric", "loss", "--baseline", "lr=0");
    must_have(r.out,
              "\nA vs F  lr 0 / 5       4       0:0 1        1  F 0.62\n\np is 1 in all tests of 4 more pairs of arms: A B, "
              "A C, A D, A E\n");
    must_lack(r.out, "A vs B");
    end();
}
END_TEST

/* As many decimals as the deviation needs, and never a zero that has a sign. */
START_TEST(compare_shows_digits)
{
    begin();
    static const double loss[] = { -0.00311, 0.00309, -0.0, -0.0, 1.23456, 1.23466, 1234.5, 1500.25 };
    for (int i = 0; i < 8; i++)
        make((made_run){ .dir = cak_arena_print(a, "%d", i),
                         .seed = i % 2,
                         .lr = cak_arena_print(a, "%d", i / 2),
                         .epochs = 1,
                         .loss = &loss[i] });
    const called r = CALL(cak_cmd_compare, "compare", root);
    must_have(r.out, " -1e-05 ± 0.0044 ");
    must_have(r.out, " -1e-05 [-0.0031, 0.0031]\n");
    must_have(r.out, " 0 ± 0 ");
    must_have(r.out, " 0 [0, 0]\n");
    must_have(r.out, " 1.234610 ± 0.000071 ");
    must_have(r.out, " 1367 ± 188 ");
    end();
}
END_TEST

/* Points of a random sweep have nothing in common. */
START_TEST(compare_a_random_sweep)
{
    begin();
    static const char *const hash[] = { "h", "h" };
    write_file(a, d, in("t.yaml"),
               cak_arena_print(a, "base: %s\nmethod: random\nrun_cap: 2\nparameters: {hp.lr: {min: 0.1, max: 1.0}}\n",
                               source_path("configs/tiny/synth.yaml")));
    cak_sweep *sweep = cak_sweep_load(d, in("t.yaml"), 0);
    cak_sweep_dir *dir = sweep ? cak_sweep_dir_make(d, in("s"), sweep, hash) : NULL;
    ck_assert_msg(dir != NULL, "%s", cak_diag_errors(d) ? cak_diag_message(d, 0) : "");
    must_have(CALL(cak_cmd_compare, "compare", in("s")).err, "; points not started yet: 2 [E5001]");
    for (int i = 0; i < 2; i++)
        make((made_run){ .dir = cak_arena_print(a, "s/runs/%s", sweep->point[i].id),
                         .lr = sweep->point[i].value[0],
                         .over = OVER(cak_arena_print(a, "hp.lr=%s", sweep->point[i].value[0])) });
    must_have(CALL(cak_cmd_compare, "compare", in("s")).out,
              "\nno tests: each run is an arm of its own; summary.csv of the sweep has the points; take more seeds, or --except "
              "hp.lr for keys that make no arms\n");
    cak_sweep_dir_close(dir);
    cak_sweep_close(sweep);
    end();
}
END_TEST

START_TEST(compare_as_files)
{
    begin();
    make_runs();
    called r = CALL(cak_cmd_compare, "compare", "--csv", "--metric", "loss", root);
    must_have(
        r.out,
        "arm,hp.lr,n,finished,diverged,stopped,running,failed,diverged_percent.value,diverged_percent.low,diverged_percent.high,"
        "median_t_div.step,median_t_div.epoch,rank.place,rank.mean,loss.n,loss.mean,loss.sd,loss.iqm.value,loss.iqm.low,loss.iqm."
        "high\n"
        "A,0.0001,2,2,0,0,0,0,0,0,");
    must_have(r.out, "\nB,0.001,2,1,1,0,0,0,50,");
    r = CALL(cak_cmd_compare, "compare", "--csv", "--tests", root);
    must_have(r.out, "a,b,arms,differ,pairs,unpaired_because,complete_pairs,diverged.only_a,diverged.only_b,");
    must_have(r.out, "\nA,B,A vs B,lr 1e-4 / 1e-3,2,,2,0,1,");
    r = CALL(cak_cmd_compare, "compare", "--md", root, "--output", in("c.md"), "--metric", "loss");
    ck_assert_int_eq(r.code, CAK_EXIT_OK);
    ck_assert_str_eq(r.out, "");
    must_have(cak_io_read_all(a, d, CAK_E4002, in("c.md"), 0, NULL),
              "\n| A | 1e-4 | 2 | 2 | 0 | 0 | 0.0 [0.0, 65.8] | - | 1 | 0.562 ± 0.088 |");
    r = CALL(cak_cmd_compare, "compare", root, "-o", in("absent/c.md"));
    ck_assert_int_eq(r.code, CAK_EXIT_IO);
    end();
}
END_TEST

START_TEST(compare_as_json)
{
    begin();
    make_runs();
    json_t *all = parsed(CALL(cak_cmd_compare, "compare", "--json", root, "--baseline", "hp.lr=1e-3").out);
    const json_t *arm = json_array_get(json_object_get(all, "arms"), 1), *test = json_array_get(json_object_get(all, "tests"), 0);
    ck_assert_int_eq(json_array_size(json_object_get(all, "runs")), 4);
    ck_assert_str_eq(json_string_value(json_object_get(all, "baseline")), "B");
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(all, "streams"), "same_batches")), "yes");
    ck_assert(number(arm, "hp.lr", NULL) == 0.001);
    ck_assert(number(arm, "diverged_percent", "value") == 50);
    ck_assert(number(arm, "loss", "mean") == 0.75);
    ck_assert(json_is_null(json_object_get(json_object_get(arm, "loss"), "sd")));
    ck_assert(number(arm, "median_t_div", "step") == 19);
    ck_assert_str_eq(json_string_value(json_object_get(test, "a")), "B");
    ck_assert(number(test, "diverged", "only_a") == 1);
    ck_assert(number(test, "diverged", "p") == 1);
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(json_object_get(all, "keys"), "folded"),
                                                       "train.phases.critic.optimizer.lr")),
                     "hp.lr");
    const json_t *run = json_array_get(json_object_get(all, "runs"), 3);
    ck_assert_str_eq(json_string_value(json_object_get(run, "state")), "diverged");
    ck_assert_str_eq(json_string_value(json_object_get(run, "arm")), "B");
    ck_assert_str_eq(json_string_value(json_object_get(run, "seed")), "1");
    json_decref(all);
    end();
}
END_TEST

START_TEST(compare_without_runs)
{
    begin();
    ck_assert_int_eq(CALL(cak_cmd_compare, "compare").code, CAK_EXIT_USAGE);
    called r = CALL(cak_cmd_compare, "compare", root);
    ck_assert_int_eq(r.code, CAK_EXIT_USAGE);
    must_have(r.err, cak_arena_print(a, "no runs found in %s [E5001]", root));
    make_runs();
    r = CALL(cak_cmd_compare, "compare", root, "--where", "seed=7");
    must_have(r.err, "no run matches seed=7 (4 looked at) [E5001]");
    ck_assert_str_eq(r.out, "");
    must_have(CALL(cak_cmd_compare, "compare", root, in("absent")).err, "E4011");
    must_have(CALL(cak_cmd_compare, "compare", root, "--csv", "--json").err, "exclude each other");
    must_have(CALL(cak_cmd_compare, "compare", root, "--tests").err, "--tests goes with --csv");
    must_have(CALL(cak_cmd_compare, "compare", "--help").out, "--baseline EXPR");
    end();
}
END_TEST

/* Runs that have nothing to do with each other are compared with a warning, and keys that are too many for a line are counted. */
START_TEST(compare_strangers)
{
    begin();
    make((made_run){ .dir = "a", .lr = "1" });
    write_file(a, d, in("b/run.json"),
               "{\"schema\":1,\"id\":\"b\",\"name\":\"b\",\"state\":\"finished\",\"seed\":0,\"history\":[],\"time\":{}}");
    write_file(a, d, in("b/config.yaml"), "one: 1\ntwo: 2\nthree: {four: 4, five: []}\n");
    const called r = CALL(cak_cmd_compare, "compare", root);
    ck_assert_int_eq(r.code, CAK_EXIT_OK);
    must_have(r.err, "the runs have only 0 of 14 keys in common; they seem to be of different experiments");
    must_have(r.out, "differs: train.epochs, train.phases.critic.optimizer.type, train.phases.critic.optimizer.lr, "
                     "data.clips.type and 5 more");
    end();
}
END_TEST

/* ---- diff ---- */

START_TEST(diff_of_runs)
{
    begin();
    make_runs();
    write_file(a, d, in("0/graph.txt"), "phase critic\n%0 = input\n%1 = exp(%0)\nphase generator\n%0 = input\n");
    write_file(a, d, in("3/graph.txt"), "phase critic\n%0 = input\n%1 = abs(%0)\n%2 = exp(%1)\nphase generator\n%0 = input\n");
    called r = CALL(cak_cmd_diff, "diff", in("0"), in("3"));
    ck_assert_int_eq(r.code, CAK_EXIT_OK);
    must_have(r.out, cak_arena_print(a, "--- %s\n+++ %s\n\nconfig\n", in("0"), in("3")));
    must_have(r.out, "  train.phases.critic.optimizer.lr  1e-4 -> 1e-3\n");
    must_have(r.out, "  seed                              0 -> 1\n");
    must_have(r.out, "\noverrides\n  hp.lr  hp.lr=1e-4 -> hp.lr=1e-3\n");
    must_have(r.out, "\ngraph\n  critic: nodes             2 -> 3\n  critic: first difference  %1 = exp(%0) -> %1 = abs(%0)\n");
    must_have(r.out, "\noutcome\n  state ");
    must_have(r.out, "finished -> diverged\n");
    must_have(r.out, "0 -> 5\n");
    must_have(r.out, "\nmetrics\n  loss   0.5 -> 0.875\n  score  0 -> 3\n");
    must_have(r.out, ", program, data, streams\n");
    must_lack(r.out, "generator: ");
    json_t *json = parsed(CALL(cak_cmd_diff, "diff", "--json", in("0"), in("1")).out), *differ = json_object_get(json, "differ");
    ck_assert_ptr_null(json_object_get(differ, "overrides"));
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(json_object_get(differ, "config"), "seed"), 1)), "1");
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(json_object_get(differ, "metrics"), "loss"), 0)), "0.5");
    json_decref(json);
    r = CALL(cak_cmd_diff, "diff", in("1"), in("1"));
    ck_assert_int_eq(r.code, CAK_EXIT_OK);
    must_lack(r.out, "->");
    must_have(r.out, ", overrides, program, data, streams, outcome, metrics\n");
    end();
}
END_TEST

/* Digests are for programs. */
START_TEST(diff_of_streams)
{
    begin();
    static const struct {
        const char *batches, *init;
    } row[] = { { "b", "w" }, { "c", "v" }, { "b", "v" }, { "c", "w" }, { "b", NULL }, { "c", NULL }, { NULL, NULL } };
    for (int i = 0; i < 7; i++)
        make((made_run){ .dir = cak_arena_print(a, "%d", i), .lr = "1", .batches = row[i].batches, .init = row[i].init });
    must_have(CALL(cak_cmd_diff, "diff", in("0"), in("1")).out, "\nstreams\n  batches and 1 initial value differ\n");
    must_have(CALL(cak_cmd_diff, "diff", in("0"), in("2")).out, "\nstreams\n  1 initial value differs\n");
    must_have(CALL(cak_cmd_diff, "diff", in("0"), in("3")).out, "\nstreams\n  batches differ\n");
    must_have(CALL(cak_cmd_diff, "diff", in("0"), in("4")).out, "\nstreams\n  1 recorded on one side only\n");
    must_have(CALL(cak_cmd_diff, "diff", in("5"), in("0")).out, "\nstreams\n  batches differ, 1 recorded on one side only\n");
    must_have(CALL(cak_cmd_diff, "diff", in("6"), in("0")).out, "\nstreams\n  2 recorded on one side only\n");
    must_have(CALL(cak_cmd_diff, "diff", in("0"), in("1"), "--json").out, "\"init.detector.weight\": [");
    end();
}
END_TEST

START_TEST(diff_of_files)
{
    begin();
    make_runs();
    write_file(a, d, in("x.yaml"),
               "train: {epochs: 3, phases: {critic: {optimizer: {type: adam, lr: \"${hp.lr}\"}}}}\nhp: {lr: 1e-4}\nseed: 0\n"
               "data: {clips: {type: synth, seed: 0}, x: {type: normalise}}\nversion: 1\nname: n\n");
    write_file(a, d, in("y.yaml"), "a: 1\nb: [1, {c: 2}]\n");
    called r = CALL(cak_cmd_diff, "diff", in("x.yaml"), in("0"));
    ck_assert_int_eq(r.code, CAK_EXIT_OK);
    must_lack(r.out, "\nconfig"); /* what was resolved and what was found in the corpus are no differences */
    must_have(CALL(cak_cmd_diff, "diff", in("x.yaml"), in("2")).out, "  hp.lr                             1e-4 -> 1e-3\n");
    r = CALL(cak_cmd_diff, "diff", in("y.yaml"), in("x.yaml"));
    must_have(r.out, "[1, {c: 2}] -> (none)\n");
    must_have(r.out, "(none) -> 1e-4\n");
    ck_assert_int_eq(CALL(cak_cmd_diff, "diff", in("absent"), in("0")).code, CAK_EXIT_USAGE);
    write_file(a, d, in("z.yaml"), "a: [\n");
    r = CALL(cak_cmd_diff, "diff", in("0"), in("z.yaml"));
    ck_assert_int_eq(r.code, CAK_EXIT_CONFIG);
    ck_assert_str_eq(r.out, "");
    must_have(CALL(cak_cmd_diff, "diff", in("0")).err, "two runs or configuration files are needed");
    end();
}
END_TEST

/* ---- ls ---- */

START_TEST(ls_with_a_filter)
{
    begin();
    make_runs();
    called r = CALL(cak_cmd_ls, "ls", root, "--where", "state=diverged or hp.lr<1e-3 and not seed=0", "--sort", "-seed");
    ck_assert_int_eq(r.code, CAK_EXIT_OK);
    must_have(r.out, cak_arena_print(a, "\n%s  finished", in("1")));
    must_have(r.out, cak_arena_print(a, "\n%s  diverged", in("3")));
    must_lack(r.out, in("0"));
    must_lack(r.out, in("2"));
    json_t *json = parsed(CALL(cak_cmd_ls, "ls", root, "--json", "--where", "metrics.loss>=0.625", "--sort", "-loss").out);
    ck_assert_int_eq(json_array_size(json), 3);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(json, 0), "dir")), in("3"));
    json_decref(json);
    r = CALL(cak_cmd_ls, "ls", root, "--where", "hp.lrr>1");
    ck_assert_int_eq(r.code, CAK_EXIT_USAGE);
    must_have(r.err,
              "--where:1:1: error: no run has 'hp.lrr'; did you mean 'hp.lr'? [E5001]\n    1 | hp.lrr>1\n      | ^~~~~~\n");
    ck_assert_str_eq(r.out, "");
    must_have(CALL(cak_cmd_ls, "ls", root, "--sort", "los").err, "--sort: no run has 'los'; did you mean 'loss'?");
    must_have(CALL(cak_cmd_ls, "ls", root, "--where", "seed=9").err, "no run matches seed=9 (4 looked at)\n");
    must_have(CALL(cak_cmd_ls, "ls", root, "--csv", "--json").err, "exclude each other");
    end();
}
END_TEST

START_TEST(ls_with_columns)
{
    begin();
    make_runs();
    make((made_run){ .dir = "4", .state = "failed" });
    called r = CALL(cak_cmd_ls, "ls", root, "--columns", "state,hp.lr,loss,exit_code,diverged_step,created", "--sort", "-hp.lr");
    char *text = cak_arena_text(a, r.out);
    for (char *p = strstr(text, root); p; p = strstr(p, root)) memmove(p, p + strlen(root) + 1, strlen(p + strlen(root) + 1) + 1);
    must_have(text, "state     hp.lr   loss  exit_code  diverged_step  created\n");
    ck_assert_int_lt(strstr(text, "2   ") - text, strstr(text, "0   ") - text); /* larger rates first, equal ones as they were */
    ck_assert_int_lt(strstr(text, "0   ") - text, strstr(text, "4   ") - text); /* what has none last */
    must_have(text, "  diverged   1e-3  0.875          5             19  2026-11-24T01:15:02Z\n");
    must_have(text, "  failed        -      -          4              -  2026-11-24T01:15:02Z\n");
    r = CALL(cak_cmd_ls, "ls", in("1"), in("1"), "--csv");
    ck_assert_str_eq(
        r.out, cak_arena_print(a, "run,id,name,state,seed,epoch,step,loss,score\n%s,id-1,n,finished,1,2,20,0.625,1\n", in("1")));
    must_have(CALL(cak_cmd_ls, "ls", root, "--columns", "state,sed").err, "--columns: no run has 'sed'; did you mean 'seed'?");
    json_t *json = parsed(CALL(cak_cmd_ls, "ls", in("2"), "--json", "--columns", "hp.lr,score").out);
    ck_assert(number(json_array_get(json, 0), "hp.lr", NULL) == 0.001);
    json_decref(json);
    end();
}
END_TEST

SUITE(compare_commands, compare_as_text, compare_few_seeds, compare_keeps_tests_that_tell, compare_shows_digits,
      compare_a_random_sweep, compare_as_files, compare_as_json, compare_without_runs, compare_strangers, diff_of_runs,
      diff_of_streams, diff_of_files, ls_with_a_filter, ls_with_columns)
