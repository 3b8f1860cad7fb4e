/* Sweep files: expansion, ids, draws, every mistake. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/sweep.h"
#include "experiments/sweep_parts.h"
#include "graph/io.h"
#include "tests/support/run_test.h"
#include "tests/support/suite.h"

static cak_arena *a;
static cak_diag *d;
static const char *root;

static void begin(void)
{
    if (!root) root = temp_dir();
    a = cak_arena_open("test");
    d = cak_diag_open();
}

static void end(void)
{
    cak_diag_close(d);
    cak_arena_close(a);
}

static const char *file_with(const char *name, const char *text)
{
    const char *path = cak_arena_print(a, "%s/%s", root, name);
    write_file(a, d, path, text);
    return path;
}

static const char *with_base(const char *text)
{
    return cak_arena_print(a, "base: %s\n%s", source_path("configs/tiny/synth.yaml"), text);
}

static cak_sweep *load(const char *text)
{
    cak_sweep *s = cak_sweep_load(d, file_with("s.yaml", with_base(text)), 0);
    ck_assert_msg(s != NULL, "%s", s ? "" : cak_diag_message(d, 0));
    return s;
}

static const char *point_text(const cak_sweep *s, int i)
{
    const char **line = cak_point_overrides(a, s, &s->point[i]), *text = "";
    for (int k = 0; k < s->n_keys; k++) text = cak_arena_print(a, "%s%s%s", text, k ? " " : "", line[k]);
    return text;
}

static double number(const cak_sweep *s, int point, int key) { return strtod(s->point[point].value[key], NULL); }

/* ---- grids ---- */

START_TEST(a_grid_in_order)
{
    begin();
    cak_sweep *s = load("method: grid\n"
                        "parameters:\n"
                        "  hp.lr: {values: [1e-4, 1e-3]}\n"
                        "  seed: {range: [0, 2]}\n"
                        "  train.epochs: {value: 2}\n"
                        "  hp.n_critic: [1, 2]\n"
                        "pair_by: [seed]\n");
    static const char *const want[] = {
        "hp.lr=1e-4 seed=0 train.epochs=2 hp.n_critic=1", "hp.lr=1e-4 seed=0 train.epochs=2 hp.n_critic=2",
        "hp.lr=1e-3 seed=0 train.epochs=2 hp.n_critic=1", "hp.lr=1e-3 seed=0 train.epochs=2 hp.n_critic=2",
        "hp.lr=1e-4 seed=1 train.epochs=2 hp.n_critic=1", "hp.lr=1e-4 seed=1 train.epochs=2 hp.n_critic=2",
        "hp.lr=1e-3 seed=1 train.epochs=2 hp.n_critic=1", "hp.lr=1e-3 seed=1 train.epochs=2 hp.n_critic=2",
    };
    ck_assert_int_eq(s->n_points, 8);
    for (int i = 0; i < 8; i++) ck_assert_str_eq(point_text(s, i), want[i]);
    cak_sweep_close(s);
    end();
}
END_TEST

/* Ids are in the directories of users: they never change. */
START_TEST(ids_are_for_ever)
{
    begin();
    cak_sweep *s = load("method: grid\nparameters: {hp.lr: {values: [1e-4, 1e-3]}, seed: {range: [0, 2]}}\n");
    cak_sweep *t = load("method: grid\nparameters: {seed: {values: [1, 0]}, hp.lr: {value: 1e-3}}\npair_by: [seed]\n");
    static const char *const want[] = { "944226badc5cb417", "0f15aae00feb31df", "5b85c38ba1d1e44d", "3c3d583aec5a17b6" };
    for (int i = 0; i < 4; i++) ck_assert_str_eq(s->point[i].id, want[i]);
    ck_assert_str_eq(t->point[0].id, want[3]); /* neither the order of keys nor what else the sweep holds matters */
    ck_assert_str_eq(t->point[1].id, want[2]);
    cak_sweep_close(s);
    cak_sweep_close(t);
    end();
}
END_TEST

START_TEST(values_are_kept_as_written)
{
    begin();
    cak_sweep *s =
        load("method: grid\n"
             "parameters:\n"
             "  a: {values: [1e-4, 0.10, 1.0e+3, \"1\", 'it''s', \"a, b\", null, true, [4, 8], {x: [1], y: \"#\"}, \"\"]}\n");
    static const char *const want[] = { "1e-4",     "0.10", "1.0e+3", "\"1\"",  "\"it's\"",
                                        "\"a, b\"", "null", "true",   "[4, 8]", "{\"x\": [1], \"y\": \"#\"}",
                                        "\"\"" };
    for (int i = 0; i < 11; i++) ck_assert_str_eq(s->point[i].value[0], want[i]);
    cak_sweep_close(s);
    s = load("method: grid\nparameters:\n  a: {range: [0.5, 2, 0.5]}\n  b: {range: [3, 0, -1]}\n  c: {min: 2, max: 3}\n");
    ck_assert_int_eq(s->n_points, 3 * 3 * 2);
    ck_assert_str_eq(point_text(s, 0), "a=0.5 b=3 c=2");
    ck_assert_str_eq(point_text(s, 17), "a=1.5 b=1 c=3");
    cak_sweep_close(s);
    end();
}
END_TEST

START_TEST(nested_parameters_are_dotted_keys)
{
    begin();
    cak_sweep *s = load("method: grid\n"
                        "parameters:\n"
                        "  hp: {parameters: {lr: {values: [1, 2]}, deep: {parameters: {er: {value: 3}}}}}\n");
    ck_assert_int_eq(s->n_points, 2);
    ck_assert_str_eq(point_text(s, 1), "hp.lr=2 hp.deep.er=3");
    cak_sweep_close(s);
    end();
}
END_TEST

/* What a run writes about itself does not make another point of it. */
START_TEST(logs_make_no_new_points)
{
    begin();
    cak_sweep *s = load("method: grid\nparameters: {seed: [1, 2]}\n");
    cak_sweep *t =
        load("method: grid\nparameters: {+log.tensorboard: {value: true}, seed: [1, 2], log: {value: {step: false}}}\n");
    cak_sweep *u = load("method: grid\nparameters: {+logs: {value: true}, seed: [1, 2]}\n");
    cak_sweep *v = load("method: grid\nparameters: {seed: [1], log.x: [1, 2]}\n");
    for (int i = 0; i < 2; i++) {
        ck_assert_str_eq(s->point[i].id, t->point[i].id);
        ck_assert_str_ne(s->point[i].id, u->point[i].id);
    }
    ck_assert_int_eq(v->n_points, 1); /* the same run twice */
    cak_sweep_close(s), cak_sweep_close(t), cak_sweep_close(u), cak_sweep_close(v);
    end();
}
END_TEST

START_TEST(exponents_that_look_like_values)
{
    begin();
    cak_sweep *s = load("method: random\nrun_cap: 1\nparameters:\n"
                        "  a: {distribution: log_uniform, min: -9, max: 0.5}\n"
                        "  b: {distribution: log_uniform, min: 0, max: 0.5}\n"
                        "  c: {distribution: log_uniform_values, min: 1e-5, max: 1e-3}\n"
                        "  d: {distribution: log_uniform, min: 1e-5, max: 1e-3}\n"
                        "  e: {distribution: inv_log_uniform, min: 0.1, max: 0.9}\n");
    ck_assert_int_eq(cak_diag_errors(d), 0);
    const char *text = printed(a, d);
    ck_assert_ptr_nonnull(strstr(text,
                                 "s.yaml:8:3: warning: limits of log_uniform are exponents: 'd' lies between 1 and 1.001; for "
                                 "1e-05 to 0.001 take log_uniform_values"));
    ck_assert_ptr_nonnull(strstr(text, "'e' lies between 0.4066 and 0.9048; for 0.1 to 0.9 take inv_log_uniform_values"));
    ck_assert_ptr_nonnull(strstr(text, "2 warnings\n"));
    cak_sweep_close(s);
    end();
}
END_TEST

START_TEST(run_cap_cuts_a_grid)
{
    begin();
    const char *path = file_with("s.yaml", with_base("method: grid\nrun_cap: 3\nparameters: {seed: {range: [0, 5]}}\n"));
    cak_sweep *s = cak_sweep_load(d, path, 0), *t = cak_sweep_load(d, path, 4);
    ck_assert_int_eq(s->n_points, 3);
    ck_assert_int_eq(t->n_points, 4);
    ck_assert_ptr_nonnull(strstr(t->text, "run_cap: 4\n"));
    cak_sweep_close(s);
    cak_sweep_close(t);
    end();
}
END_TEST

/* ---- draws ---- */

static const char distributions[] = "  a: {distribution: uniform, min: -1, max: 1}\n"
                                    "  b: {distribution: log_uniform_values, min: 1e-6, max: 1e-2}\n"
                                    "  c: {min: 1, max: 6}\n"
                                    "  d: {distribution: q_uniform, min: 0, max: 1, q: 0.1}\n"
                                    "  e: {distribution: normal, mu: 3, sigma: 2}\n"
                                    "  f: {distribution: log_normal, mu: 0, sigma: 1}\n"
                                    "  g: {values: [x, y, z], probabilities: [0.2, 0.8, 0]}\n"
                                    "  h: {distribution: inv_log_uniform_values, min: 0.1, max: 10}\n"
                                    "  i: {distribution: beta, a: 2, b: 5}\n"
                                    "  j: {distribution: log_uniform, min: -2, max: 2}\n"
                                    "  k: {value: 7}\n";

static cak_sweep *draws(const char *method, int n, const char *more)
{
    return load(cak_arena_print(a, "method: %s\nrun_cap: %d\nseed: 3\nparameters:\n%s%s", method, n, distributions, more));
}

static double mean(const cak_sweep *s, int key, double f(double))
{
    double sum = 0;
    for (int i = 0; i < s->n_points; i++) sum += f(number(s, i, key));
    return sum / s->n_points;
}
static double same(double v) { return v; }
static double square(double v) { return v * v; }

/* Each distribution has the mean (and so on) that its formula gives; 2000 draws. */
static void check_moments(const char *method, double tol)
{
    cak_sweep *s = draws(method, 2000, "");
    int y = 0, z = 0;
    ck_assert_int_eq(s->n_points, 2000);
    ck_assert_double_eq_tol(mean(s, 0, same), 0, tol);
    ck_assert_double_eq_tol(mean(s, 0, square), 1.0 / 3, tol);
    ck_assert_double_eq_tol(mean(s, 1, log10), -4, 2 * tol);
    ck_assert_double_eq_tol(mean(s, 2, same), 3.5, 3 * tol);
    ck_assert_double_eq_tol(mean(s, 2, square), 91.0 / 6, 20 * tol);
    ck_assert_double_eq_tol(mean(s, 3, same), 0.5, tol);
    ck_assert_double_eq_tol(mean(s, 4, same), 3, 3 * tol);
    ck_assert_double_eq_tol(mean(s, 4, square), 13, 20 * tol);
    ck_assert_double_eq_tol(mean(s, 5, log), 0, 2 * tol);
    ck_assert_double_eq_tol(mean(s, 7, log10), 0, tol);
    ck_assert_double_eq_tol(mean(s, 8, same), 2.0 / 7, tol);
    ck_assert_double_eq_tol(mean(s, 9, log), 0, 2 * tol);
    for (int i = 0; i < s->n_points; i++) {
        y += *s->point[i].value[6] == 'y', z += *s->point[i].value[6] == 'z';
        ck_assert_double_ge(number(s, i, 2), 1);
        ck_assert_double_le(number(s, i, 2), 6);
        ck_assert_double_ge(number(s, i, 1), 1e-6);
        ck_assert_double_le(number(s, i, 1), 1e-2);
        ck_assert_uint_le(strlen(s->point[i].value[3]), 3); /* 0.3, not 0.30000000000000004 */
        ck_assert_str_eq(s->point[i].value[10], "7");
    }
    ck_assert_double_eq_tol(y / 2000.0, 0.8, tol);
    ck_assert_int_eq(z, 0);
    cak_sweep_close(s);
}

START_TEST(distributions_have_their_moments)
{
    begin();
    check_moments("random", 0.03);
    check_moments("sobol", 0.004); /* the sequence fills the cube evenly: far better than random */
    end();
}
END_TEST

/* The same file gives the same points; more points, and other parameters after them, leave those that were there alone. */
START_TEST(draws_can_be_extended)
{
    begin();
    static const char *const methods[] = { "random", "sobol" };
    for (int m = 0; m < 2; m++) {
        cak_sweep *s = draws(methods[m], 8, ""), *more = draws(methods[m], 16, "");
        for (int i = 0; i < 8; i++) ck_assert_str_eq(s->point[i].id, more->point[i].id);
        cak_sweep_close(s);
        cak_sweep_close(more);
    }
    cak_sweep *s = draws("random", 8, ""), *key = draws("random", 8, "  z: {min: 0.0, max: 1.0}\n");
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < s->n_keys; k++) ck_assert_str_eq(s->point[i].value[k], key->point[i].value[k]);
    cak_sweep_close(s);
    cak_sweep_close(key);
    end();
}
END_TEST

START_TEST(draws_for_ever)
{
    begin();
    cak_sweep *s = draws("random", 2, ""), *t = draws("sobol", 2, "");
    ck_assert_str_eq(point_text(s, 1), "a=-0.899508509311 b=3.69858875077e-05 c=4 d=0.2 e=4.16780876783 f=0.439896335409 g=y "
                                       "h=0.374884723368 i=0.337319682781 j=0.193218336377 k=7");
    ck_assert_str_eq(point_text(t, 1), "a=0.5 b=1e-05 c=5 d=0.2 e=4.34897950039 f=0.509416283863 g=y h=3.16227766017 "
                                       "i=0.16116291679 j=2.71828182846 k=7");
    cak_sweep_close(s);
    cak_sweep_close(t);
    end();
}
END_TEST

START_TEST(equal_draws_are_one_point)
{
    begin();
    cak_sweep *s = load("method: random\nrun_cap: 50\nparameters: {a: {min: 1, max: 4}}\n");
    ck_assert_int_eq(s->n_points, 4);
    must_have(printed(a, d), "46 of 50 draws came out like an earlier one");
    cak_sweep_close(s);
    end();
}
END_TEST

/* Every draw is made with each of the paired seeds. */
START_TEST(draws_in_pairs)
{
    begin();
    cak_sweep *s = load("method: random\nrun_cap: 7\npair_by: [seed]\n"
                        "parameters: {a: {min: 0.0, max: 1.0}, seed: {range: [0, 3]}}\n");
    ck_assert_int_eq(s->n_points, 6); /* two draws, three seeds; seven points are not asked for in full */
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq((int)number(s, i, 1), i / 2);
        ck_assert_str_eq(s->point[i].value[0], s->point[i % 2].value[0]);
    }
    cak_sweep_close(s);
    end();
}
END_TEST

/* ---- the other sections ---- */

START_TEST(every_section)
{
    begin();
    cak_sweep *s = load("name: all-of-it\n"
                        "description: text\n"
                        "method: grid\n"
                        "metric: {name: violations, goal: maximize}\n"
                        "parameters: {seed: {range: [0, 2]}}\n"
                        "early_terminate: {type: hyperband, max_iter: 27, s: 2, eta: 3, strict: false}\n"
                        "on_failure: {max_retries: 2, fail_fast: 5}\n"
                        "keep: {checkpoints: last, diverged: nothing}\n"
                        "launcher: {type: slurm, jobs: 3, threads_per_job: 4, array_limit: 8,\n"
                        "           sbatch: {cpus_per_task: 8, requeue: true, time: \"04:00:00\", mem: 8G}}\n"
                        "x-note: free\n");
    ck_assert_str_eq(s->name, "all-of-it");
    ck_assert_str_eq(s->metric, "violations");
    ck_assert(s->maximize);
    ck_assert_int_eq(s->early.min_iter, 3);
    ck_assert_double_eq(s->early.eta, 3);
    ck_assert_int_eq(s->max_retries, 2);
    ck_assert_int_eq(s->fail_fast, 5);
    ck_assert_int_eq(s->keep, CAK_KEEP_LAST);
    ck_assert(!s->keep_snapshot);
    ck_assert_int_eq(s->launcher.type, CAK_LAUNCH_SLURM);
    ck_assert_int_eq(s->launcher.jobs, 3);
    ck_assert_int_eq(s->launcher.threads_per_job, 4);
    ck_assert_int_eq(s->launcher.array_limit, 8);
    static const char *const sbatch[] = { "--cpus-per-task=8", "--requeue", "--time=04:00:00", "--mem=8G" };
    ck_assert_int_eq(s->launcher.n_sbatch, 4);
    for (int i = 0; i < 4; i++) ck_assert_str_eq(s->launcher.sbatch[i], sbatch[i]);
    cak_sweep_close(s);
    s = load("method: grid\nparameters: {seed: {value: 1}}\n");
    ck_assert_str_eq(s->name, "s"); /* of the file */
    ck_assert_int_eq(s->keep, CAK_KEEP_ALL);
    ck_assert(s->keep_snapshot);
    ck_assert_int_eq(s->early.min_iter, 0);
    cak_sweep_close(s);
    end();
}
END_TEST

/* Beside the sweep file, else below the working directory (the tests run in the root of the repository). */
START_TEST(where_the_base_is)
{
    begin();
    file_with("near.yaml", "x: 1\n");
    cak_sweep *s = cak_sweep_load(d, file_with("s.yaml", "base: near.yaml\nmethod: grid\nparameters: {a: {value: 1}}\n"), 0);
    ck_assert_str_eq(s->base, cak_arena_print(a, "%s/near.yaml", root));
    cak_sweep_close(s);
    s = cak_sweep_load(d, file_with("s.yaml", "base: configs/quickstart.yaml\nmethod: grid\nparameters: {a: {value: 1}}\n"), 0);
    ck_assert_str_eq(s->base, source_path("configs/quickstart.yaml"));
    ck_assert_ptr_nonnull(strstr(s->text, cak_arena_print(a, "base: %s\n", s->base))); /* the copy can lie anywhere */
    cak_sweep *copy = cak_sweep_load(d, file_with("copy.yaml", s->text), 0);
    ck_assert_str_eq(copy->base, s->base);
    ck_assert_str_eq(copy->name, "s");
    ck_assert_str_eq(copy->point[0].id, s->point[0].id);
    cak_sweep_close(copy);
    cak_sweep_close(s);
    ck_assert(cak_sweep_is(cak_arena_print(a, "%s/s.yaml", root)));
    ck_assert(!cak_sweep_is(source_path("configs/quickstart.yaml")));
    end();
}
END_TEST

/* ---- mistakes ---- */

typedef struct mistake {
    const char *text, *message;
    cak_code code;
    int line, col;
} mistake;

/* Errors of the file alone: what is missing in the base shows, too, and is not counted. */
static int errors_of_file(void)
{
    int n = 0;
    for (int i = 0; i < cak_diag_errors(d); i++)
        n += cak_diag_code(d, i) != CAK_E1103 && !strstr(cak_diag_message(d, i), "is not recorded at the end of an epoch");
    return n;
}

/* Each in a file that is right otherwise. */
static void expect_all(const mistake *m, int n, const char *frame)
{
    for (int i = 0; i < n; i++) {
        begin();
        const char *text = cak_arena_print(a, "base: %s\n%s%s\n", source_path("configs/tiny/synth.yaml"), frame, m[i].text);
        cak_sweep *s = cak_sweep_load(d, file_with("s.yaml", text), 0);
        ck_assert_msg(!s && errors_of_file() == 1, "%d errors: %s", cak_diag_errors(d), m[i].text);
        ck_assert_msg(strstr(cak_diag_message(d, 0), m[i].message) != NULL, "'%s': %s", cak_diag_message(d, 0), m[i].text);
        ck_assert_msg(cak_diag_code(d, 0) == m[i].code, "%s: %s", cak_code_name(cak_diag_code(d, 0)), m[i].text);
        cak_pos at = cak_diag_pos(d, 0);
        ck_assert_msg(at.line == m[i].line && at.col == m[i].col, "%d:%d: %s", at.line, at.col, m[i].text);
        end();
    }
}
#define EXPECT_ALL(table, frame) expect_all(table, (int)(sizeof table / sizeof *table), frame)

START_TEST(mistakes_of_parameters)
{
    static const mistake table[] = {
        { "a: {values: []}", "'a' has no values", CAK_E1202, 5, 14 },
        { "a: {values: 3}", "must be a list", CAK_E1201, 5, 14 },
        { "a: {values: [1, 2, 1.0]}", "has the value 1.0 twice", CAK_E1202, 5, 21 },
        { "a: 3", "a fixed value is {value: 3}", CAK_E1201, 5, 5 },
        { "a: {min: 3, max: 1}", "min of 'a' is above max (3 > 1)", CAK_E1202, 5, 11 },
        { "a: {min: x, max: 1}", "expected a number, got 'x'", CAK_E1201, 5, 11 },
        { "a: {min: 1}", "uniform needs the key 'max'", CAK_E1204, 5, 2 },
        { "a: {}", "'a' needs `values`", CAK_E1204, 5, 2 },
        { "a: {distribution: log_uniform_values, min: 0, max: 1}", "needs min > 0, got 0", CAK_E1202, 5, 45 },
        { "a: {distribution: int_uniform, min: 0, max: 1.5}", "expected an integer", CAK_E1201, 5, 46 },
        { "a: {distribution: int_uniform, min: 0, max: 99999999999999999}", "within +-2^53", CAK_E1202, 5, 46 },
        { "a: {distribution: logg_uniform}", "did you mean 'log_uniform'?", CAK_E1202, 5, 20 },
        { "a: {distribution: normal, q: 1}", "'q' means nothing for 'a' (normal)", CAK_E1203, 5, 28 },
        { "a: {distribution: normal, sigma: 0}", "sigma of normal must be above 0", CAK_E1202, 5, 35 },
        { "a: {distribution: q_normal, q: -1}", "q of q_normal must be above 0", CAK_E1202, 5, 33 },
        { "a: {distribution: beta, a: 1}", "beta needs the key 'b'", CAK_E1204, 5, 2 },
        { "a: {distribution: constant}", "constant needs the key 'value'", CAK_E1204, 5, 2 },
        { "a: {distribution: uniform, values: [1], min: 0, max: 1}", "'values' means nothing", CAK_E1203, 5, 29 },
        { "a: {distribution: uniform, probabilities: [1], min: 0, max: 1}", "'probabilities' means nothing", CAK_E1203, 5, 29 },
        { "a: {distribution: log_normal, mu: 2000}", "draw 0 of 'a' is not a finite number", CAK_E1202, 5, 2 },
        { "a: {values: [1, 2], probabilities: [0.5, 0.6]}", "add up to 1.1, not to 1", CAK_E1202, 5, 37 },
        { "a: {values: [1, 2], probabilities: [1.5, -0.5]}", "a probability is not negative", CAK_E1202, 5, 43 },
        { "a: {values: [1, 2], probabilities: [1]}", "a list of 2 numbers", CAK_E1201, 5, 37 },
        { "a: {distribution: categorical_w_probabilities, values: [1]}", "needs the key 'probabilities'", CAK_E1204, 5, 2 },
        { "a: {valus: [1]}", "did you mean 'values'?", CAK_E1203, 5, 6 },
        { "a: {values: [1], range: [0, 2]}", "both `values` and `range`", CAK_E1203, 5, 19 },
        { "a: {range: [0]}", "is written [from, below]", CAK_E1201, 5, 13 },
        { "a: {range: [3, 3]}", "is empty", CAK_E1202, 5, 13 },
        { "a: {range: [0, 3, 0]}", "the step of 'a' is 0", CAK_E1202, 5, 13 },
        { "a: {range: [0, 1000000]}", "'a' has 1000000 values", CAK_E1202, 5, 13 },
        { "a: {value: 1}\n a: {value: 2}", "duplicate key", CAK_E1005, 6, 2 },
        { "a.b: {value: 1}\n a: {parameters: {b: {value: 2}}}", "'a.b' is given twice", CAK_E1005, 6, 19 },
        { "a: {parameters: {b: {value: 2}}, c: 1}", "`parameters` and other keys", CAK_E1203, 5, 2 },
        { "a: {parameters: {}}", "must be a mapping of keys", CAK_E1204, 5, 6 },
        { "~a: {value: 1}", "is no key of a configuration", CAK_E1205, 5, 2 },
    };
    EXPECT_ALL(table, "method: random\nrun_cap: 2\nparameters:\n ");
}
END_TEST

START_TEST(mistakes_of_grids)
{
    static const mistake table[] = {
        { "a: {distribution: uniform, min: 0, max: 1}", "a grid cannot hold every value of 'a' (uniform)", CAK_E1202, 4, 2 },
        { "a: {values: [1, 2], probabilities: [0.5, 0.5]}", "probabilities need method: random", CAK_E1202, 4, 2 },
        { "a: {min: 0, max: 1000000}", "'a' has 1000001 values", CAK_E1202, 4, 2 },
        { "a: {range: [0, 400]}\n b: {range: [0, 300]}", "the grid has 120000 points", CAK_E1202, 2, 9 },
    };
    EXPECT_ALL(table, "method: grid\nparameters:\n ");
}
END_TEST

START_TEST(mistakes_of_the_file)
{
    static const mistake table[] = {
        { "program: x.py", "a training script of W&B; name the configuration with 'base'", CAK_E1203, 4, 1 },
        { "command: [x]", "how W&B starts a script", CAK_E1203, 4, 1 },
        { "entity: x", "an account of W&B", CAK_E1203, 4, 1 },
        { "project: x", "a project of W&B", CAK_E1203, 4, 1 },
        { "controller: {type: local}", "where W&B runs its scheduler", CAK_E1203, 4, 1 },
        { "job: x", "a job of W&B Launch", CAK_E1203, 4, 1 },
        { "image_uri: x", "a container of W&B Launch", CAK_E1203, 4, 1 },
        { "scheduler: {}", "a setting of W&B Launch", CAK_E1203, 4, 1 },
        { "metrics: {name: x}", "unknown key 'metrics' in the sweep; did you mean 'metric'?", CAK_E1203, 4, 1 },
        { "name: a b", "'a b' is no sweep name", CAK_E1205, 4, 7 },
        { "run_cap: 0", "run_cap 0 leaves no point", CAK_E1202, 4, 10 },
        { "run_cap: 1000000", "in [0, 100000]", CAK_E1202, 4, 10 },
        { "seed: x", "expected an integer", CAK_E1201, 4, 7 },
        { "metric: violations", "`metric` must be a mapping", CAK_E1201, 4, 9 },
        { "metric: {goal: minimize}", "metric needs the key 'name'", CAK_E1204, 4, 1 },
        { "metric: {name: x, goal: min}", "one of minimize, maximize", CAK_E1202, 4, 25 },
        { "pair_by: seed", "`pair_by` must be a list", CAK_E1201, 4, 10 },
        { "pair_by: [sed]", "'sed' is no parameter of this sweep; did you mean 'seed'?", CAK_E1202, 4, 11 },
        { "pair_by: [seed, seed]", "'seed' is named twice", CAK_E1202, 4, 17 },
        { "early_terminate: {type: hyperband, min_iter: 3}", "`metric` is missing", CAK_E1204, 4, 1 },
        { "metric: {name: x}\nearly_terminate: {type: bandit, min_iter: 3}", "unknown early termination", CAK_E1202, 5, 25 },
        { "metric: {name: x}\nearly_terminate: {type: hyperband}", "either `min_iter`", CAK_E1204, 5, 18 },
        { "metric: {name: x}\nearly_terminate: {type: hyperband, min_iter: 3, max_iter: 9, s: 2}", "either `min_iter`", CAK_E1204,
          5, 18 },
        { "metric: {name: x}\nearly_terminate: {type: hyperband, max_iter: 9}", "`max_iter` and `s`", CAK_E1204, 5, 18 },
        { "metric: {name: x}\nearly_terminate: {type: hyperband, max_iter: 9, s: 3}", "is below 1", CAK_E1202, 5, 18 },
        { "metric: {name: x}\nearly_terminate: {type: hyperband, min_iter: 3, eta: 1}", "expected a number in", CAK_E1202, 5,
          54 },
        { "metric: {name: x}\nearly_terminate: {type: hyperband, min_iter: 3, strict: true}", "strict is not offered", CAK_E1202,
          5, 57 },
        { "on_failure: {max_retries: -1}", "expected an integer", CAK_E1202, 4, 27 },
        { "on_failure: {retries: 1}", "unknown key 'retries'", CAK_E1203, 4, 14 },
        { "keep: {checkpoints: some}", "one of all, last, none", CAK_E1202, 4, 21 },
        { "launcher: {type: pbs}", "one of local, slurm", CAK_E1202, 4, 18 },
        { "launcher: {job: 2}", "did you mean 'jobs'?", CAK_E1203, 4, 12 },
        { "launcher: {sbatch: [mem]}", "`sbatch` must be a mapping", CAK_E1201, 4, 20 },
        { "launcher: {sbatch: {Mem: 1}}", "'Mem' is no long option", CAK_E1205, 4, 21 },
        { "launcher: {sbatch: {mem: [1]}}", "a text on one line", CAK_E1201, 4, 26 },
        { "launcher: {sbatch: {requeue: false}}", "true for a flag", CAK_E1201, 4, 30 },
    };
    EXPECT_ALL(table, "method: grid\nparameters: {seed: {value: 1}}\n");
}
END_TEST

START_TEST(mistakes_of_the_method)
{
    static const mistake table[] = {
        { "method: bayes\nrun_cap: 1\nparameters: {a: {value: 1}}", "bayes is not offered", CAK_E1202, 2, 9 },
        { "method: radnom\nrun_cap: 1\nparameters: {a: {value: 1}}", "did you mean 'random'?", CAK_E1202, 2, 9 },
        { "parameters: {a: {value: 1}}", "the sweep needs the key 'method'", CAK_E1204, 1, 1 },
        { "method: grid", "the sweep needs the key 'parameters'", CAK_E1204, 1, 1 },
        { "method: grid\nparameters: {}", "must be a mapping of keys", CAK_E1204, 3, 1 },
        { "method: grid\nparameters: [a]", "must be a mapping of keys", CAK_E1201, 3, 1 },
        { "method: random\nparameters: {a: {value: 1}}", "needs `run_cap`", CAK_E1204, 2, 9 },
        { "method: sobol\nparameters: {a: {value: 1}}", "needs `run_cap`", CAK_E1204, 2, 9 },
        { "method: random\nrun_cap: 2\npair_by: [a]\nparameters: {a: {range: [0, 3]}}", "each of the 3 combinations", CAK_E1202,
          3, 10 },
        { "method: random\nrun_cap: 2\npair_by: [a]\nparameters: {a: {min: 0, max: 3}}", "it needs `values` or `range`",
          CAK_E1202, 5, 14 },
    };
    EXPECT_ALL(table, "");
}
END_TEST

START_TEST(mistakes_of_base_and_dimensions)
{
    begin();
    const char *keys = "";
    for (int i = 0; i < 41; i++) keys = cak_arena_print(a, "%s  k%d: {min: 0.0, max: 1.0}\n", keys, i);
    const char *text = cak_arena_print(a, "method: sobol\nrun_cap: 3\nparameters:\n%s", keys);
    ck_assert_ptr_null(cak_sweep_load(d, file_with("s.yaml", with_base(text)), 0));
    ck_assert_ptr_nonnull(strstr(cak_diag_message(d, 0), "at most 40 dimensions, this sweep has 41"));
    cak_diag_clear(d);
    ck_assert_ptr_null(cak_sweep_load(d, file_with("s.yaml", "base: no.yaml\nmethod: grid\nparameters: {a: {value: 1}}\n"), 0));
    ck_assert_int_eq(cak_diag_code(d, 0), CAK_E1001);
    ck_assert_ptr_nonnull(strstr(cak_diag_message(d, 0), "base is relative to the sweep file"));
    cak_diag_clear(d);
    ck_assert_ptr_null(cak_sweep_load(d, file_with("s.yaml", "base: /no.yaml\nmethod: grid\nparameters: {a: {value: 1}}\n"), 0));
    ck_assert_str_eq(cak_diag_message(d, 0), "there is no file /no.yaml");
    cak_diag_clear(d);
    ck_assert_ptr_null(cak_sweep_load(d, file_with("-s.yaml", with_base("method: grid\nparameters: {a: {value: 1}}\n")), 0));
    ck_assert_int_eq(cak_diag_code(d, 0), CAK_E1205); /* the name of the file is the name of the sweep */
    end();
}
END_TEST

START_TEST(all_mistakes_in_one_pass)
{
    begin();
    const char *path = file_with("s.yaml", "program: x\nbase: no.yaml\nmethod: bayes\nrun_cap: 0\nfoo: 1\n"
                                           "parameters: {a: {values: []}, b: 3, c: {min: 2, max: 1}}\n"
                                           "pair_by: [d]\nkeep: {checkpoints: x}\n");
    ck_assert_ptr_null(cak_sweep_load(d, path, 0));
    ck_assert_int_eq(cak_diag_errors(d), 10);
    end();
}
END_TEST

/* Mistakes that only the base tells show beside those of the file. */
START_TEST(mistakes_of_file_and_base_in_one_pass)
{
    begin();
    const char *path = file_with("s.yaml", with_base("method: random\nrun_cap: many\nmetric: {name: violation, goal: min}\n"
                                                     "parameters:\n"
                                                     "  hp.lrr: {values: [1e-3]}\n"
                                                     "  hp.lambda_gpp: {min: 0.5, max: 1}\n"
                                                     "  hp.lr: {distribution: beta, a: x, b: 0}\n"
                                                     "  seed: [0, 0]\n"));
    ck_assert_ptr_null(cak_sweep_load(d, path, 0));
    static const char *const want[] = { "got 'many'",
                                        "got 'x'",
                                        "b of beta must be above 0",
                                        "has the value 0 twice",
                                        "got 'min'",
                                        "'hp.lrr'; did you mean 'hp.lr'?",
                                        "'hp.lambda_gpp'; did you mean",
                                        "'violation' is not recorded at the end of an epoch; did you mean 'violations'?" };
    int n = sizeof want / sizeof *want;
    ck_assert_int_eq(cak_diag_errors(d), n);
    for (int i = 0; i < n; i++) ck_assert_msg(strstr(cak_diag_message(d, i), want[i]) != NULL, "%s", cak_diag_message(d, i));
    end();
}
END_TEST

START_TEST(experiments_are_no_sweeps)
{
    begin();
    ck_assert_ptr_null(cak_sweep_load(d, source_path("configs/tiny/synth.yaml"), 0));
    ck_assert_int_eq(cak_diag_errors(d), 1);
    ck_assert_int_eq(cak_diag_code(d, 0), CAK_E5001);
    ck_assert_ptr_nonnull(strstr(cak_diag_message(d, 0), "train it with `cak train "));
    cak_diag_clear(d);
    const char *sweep = source_path("configs/sweeps/quickstart_lr_kernel.yaml");
    const char *path = file_with("s.yaml", cak_arena_print(a, "base: %s\nmethod: grid\nparameters: {seed: [1]}\n", sweep));
    ck_assert_ptr_null(cak_sweep_load(d, path, 0));
    ck_assert_int_eq(cak_diag_errors(d), 1);
    ck_assert_ptr_nonnull(strstr(cak_diag_message(d, 0), "is a sweep itself"));
    end();
}
END_TEST

/* ---- multirun ---- */

static cak_sweep *multirun(int n, const char *const *word)
{
    return cak_sweep_multirun(d, source_path("configs/tiny/synth.yaml"), word, n);
}

START_TEST(multirun_is_a_grid)
{
    begin();
    const char *const words[] = { "hp.lr=1e-4, 1e-3",
                                  "seed=range(0,2)",
                                  "name=fixed",
                                  "+engine.fusion=choice(true,false)",
                                  "modules.critic.channels=[4, 8, 8],[4,4,4]",
                                  "description='a, b'" };
    cak_sweep *s = multirun(6, words);
    ck_assert_msg(s != NULL, "%s", s ? "" : cak_diag_message(d, 0));
    ck_assert_int_eq(s->n_points, 16);
    ck_assert_str_eq(point_text(s, 0), "hp.lr=1e-4 seed=0 name=fixed +engine.fusion=true modules.critic.channels=[4, 8, 8] "
                                       "description=\"a, b\"");
    ck_assert_str_eq(point_text(s, 15), "hp.lr=1e-3 seed=1 name=fixed +engine.fusion=false modules.critic.channels=[4, 4, 4] "
                                        "description=\"a, b\"");
    const char *const more[] = { "hp.lr=1e-4,1e-3,1", "seed=range(5)" }, *const same_keys[] = { "seed=1,2", "hp.lr=1,2" },
                      *const other[] = { "hp.lr=1e-4,1e-3", "seed=4" }, *const step[] = { "seed=range(0,4,2)" };
    cak_sweep *t = multirun(2, more), *u = multirun(2, same_keys), *v = multirun(2, other), *w = multirun(1, step);
    ck_assert_int_eq(t->n_points, 15);
    ck_assert_str_eq(t->name, u->name); /* more values of the same keys: the same sweep, extended */
    ck_assert_str_ne(t->name, v->name);
    const char *const logged[] = { "seed=1,2", "+log.tensorboard=true", "hp.lr=1,2" };
    cak_sweep *l = multirun(3, logged);
    ck_assert_str_eq(l->name, u->name);
    cak_sweep_close(l);
    ck_assert_int_eq(strncmp(t->name, "synth-", 6), 0);
    ck_assert_str_eq(point_text(w, 1), "seed=2");
    cak_sweep *all[] = { s, t, u, v, w };
    for (int i = 0; i < 5; i++) cak_sweep_close(all[i]);
    end();
}
END_TEST

START_TEST(mistakes_of_multirun)
{
    static const struct {
        const char *word, *message;
    } table[] = {
        { "hp.lr=interval(0,1)", "an interval is no list of values" },
        { "hp.lr=sort(1,2)", "'sort(...)' is not offered" },
        { "hp.lr=1,,2", "an empty value between commas" },
        { "hp.lr=", "an empty value" },
        { "hp.lr", "an override is written name=value" },
        { "~hp.lr", "cannot remove keys" },
        { "seed=range(1,2,3,4)", "range takes" },
        { "seed=range(3,3)", "is empty" },
        { "hp.lr=1,1.0", "has the value 1.0 twice" },
        { "hp.lr=[1,2", "did not find expected" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        begin();
        ck_assert_ptr_null(multirun(1, &table[i].word));
        ck_assert_msg(strstr(cak_diag_message(d, 0), table[i].message) != NULL, "%s: %s", table[i].word, cak_diag_message(d, 0));
        end();
    }
    begin();
    ck_assert_ptr_null(multirun(0, NULL));
    ck_assert_ptr_null(cak_sweep_multirun(d, "/no.yaml", (const char *const[]){ "a=1" }, 1));
    ck_assert_int_eq(cak_diag_errors(d), 2);
    end();
}
END_TEST

SUITE(sweep, a_grid_in_order, ids_are_for_ever, logs_make_no_new_points, exponents_that_look_like_values,
      values_are_kept_as_written, nested_parameters_are_dotted_keys, run_cap_cuts_a_grid, distributions_have_their_moments,
      draws_can_be_extended, draws_for_ever, equal_draws_are_one_point, draws_in_pairs, every_section, where_the_base_is,
      mistakes_of_parameters, mistakes_of_grids, mistakes_of_the_file, mistakes_of_the_method, mistakes_of_base_and_dimensions,
      all_mistakes_in_one_pass, mistakes_of_file_and_base_in_one_pass, experiments_are_no_sweeps, multirun_is_a_grid,
      mistakes_of_multirun)
