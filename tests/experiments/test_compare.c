/* Comparisons of made-up runs: every number is computed once more here, in the simplest way. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiments/command.h"
#include "experiments/compare.h"
#include "experiments/sweep_dir.h"
#include "graph/io.h"
#include "tests/support/run_test.h"
#include "tests/support/suite.h"

static cak_arena *a;
static cak_diag *d;
static cak_run_set *s;
static const char *root;

static void begin(void)
{
    a = cak_arena_open("test");
    d = cak_diag_open();
    s = cak_run_set_open(a);
    root = temp_dir();
}

static void end(void)
{
    cak_run_set_close(s);
    cak_diag_close(d);
    cak_arena_close(a);
}

static const char *in(const char *name) { return cak_arena_print(a, "%s/%s", root, name); }

static void make(made_run r)
{
    r.dir = in(r.dir);
    make_run(a, d, &r);
}

static const cak_comparison *compare(const cak_compare_options *o)
{
    const cak_compare_options none = { 0 };
    ck_assert(cak_run_set_add(s, d, root));
    const cak_comparison *c = cak_compare(s, d, o ? o : &none);
    ck_assert_msg(c != NULL, "%s", cak_diag_errors(d) ? cak_diag_message(d, 0) : "");
    return c;
}

static const cak_comparison *compare_losses(void)
{
    return compare(&(cak_compare_options){ .metric = cak_names_split(a, "loss") });
}

static const char *warnings(const cak_comparison *c)
{
    cak_diag *own = cak_diag_open();
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    cak_compare_warn(c, own);
    cak_diag_print(own, f);
    fclose(f);
    const char *copy = cak_arena_text(a, text);
    free(text);
    cak_diag_close(own);
    return copy;
}

static bool is_shown(const cak_comparison *c, int i, const char *key, const char *head)
{
    return i < c->axes->n_shown && strcmp(s->key[c->axes->shown[i]].name, key) == 0 && strcmp(c->axes->head[i], head) == 0;
}

static const char *folded_into(const cak_comparison *c, const char *key)
{
    for (int i = 0; i < c->axes->n_folded; i++)
        if (strcmp(s->key[c->axes->folded[i].key].name, key) == 0) return c->axes->folded[i].into;
    return "nothing";
}

#define OVER(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define LOSS(...) ((const double[]){ __VA_ARGS__ })

/* ---- what distinguishes runs ---- */

START_TEST(consequences_are_folded)
{
    begin();
    static const char *const lr[] = { "hp.lr=1e-4", "hp.lr=1e-3" }, *const kernel[] = { "modules.detector.kernel=3",
                                                                                        "++modules.detector.kernel=5" };
    for (int i = 0; i < 8; i++)
        make((made_run){ .dir = cak_arena_print(a, "%d", i),
                         .seed = i / 4,
                         .lr = i & 1 ? "0.001" : "1e-4",
                         .over = OVER(lr[i & 1], kernel[i / 2 % 2]),
                         .more =
                             cak_arena_print(a, "modules: {detector: {kernel: %d, pad: %d}}\n", i & 2 ? 5 : 3, i & 2 ? 2 : 1) });
    const cak_comparison *c = compare(NULL);
    ck_assert_int_eq(c->n_arms, 4);
    ck_assert_int_eq(c->axes->n_shown, 2);
    ck_assert(is_shown(c, 0, "hp.lr", "lr") || is_shown(c, 1, "hp.lr", "lr"));
    ck_assert(is_shown(c, 0, "modules.detector.kernel", "kernel") || is_shown(c, 1, "modules.detector.kernel", "kernel"));
    ck_assert_str_eq(folded_into(c, "train.phases.critic.optimizer.lr"), "hp.lr");
    ck_assert_str_eq(folded_into(c, "modules.detector.pad"), "modules.detector.kernel");
    ck_assert_str_eq(folded_into(c, "data.clips.seed"), "seed");
    ck_assert_str_eq(folded_into(c, "data.x.low"), "the corpus");
    for (int i = 0; i < c->axes->n_same; i++) {
        ck_assert_str_ne(s->key[c->axes->same[i]].name, "name");
        ck_assert_str_ne(s->key[c->axes->same[i]].name, "version");
    }
    ck_assert_int_eq(c->axes->n_same, 4); /* train.epochs, optimizer.type, data.clips.type, data.x.type */
    for (int k = 0; k < 4; k++) ck_assert_int_eq(c->arm[k].n, 2);
    end();
}
END_TEST

static void source(const char *name, const char *text) { write_file(a, d, in(name), text); }

/* A value that came from the file in one run and from the command line in another is one value. */
START_TEST(what_runs_lack_comes_from_their_sources)
{
    begin();
    make((made_run){ .dir = "a", .seed = 0, .lr = "1e-4" });
    make((made_run){ .dir = "b", .seed = 1, .lr = "0.0001", .over = OVER("hp.lr=0.0001") });
    make((made_run){ .dir = "c", .seed = 0, .lr = "1e-3", .over = OVER("+hp.lr=1e-3") });
    make((made_run){ .dir = "d", .seed = 1, .lr = "1e-3", .over = OVER("hp.lr='1e-3'", "~tags") });
    make((made_run){ .dir = "e", .seed = 2, .lr = "1e-2" });
    source("a/config.src/00-a.yaml", "defaults: [x, {model: film}, _self_]\nhp: {gp: 1}\n");
    source("a/config.src/01-x.yaml", "hp: {lr: 1e-4, gp: 2}\n");
    source("e/config.src/00-e.yaml", "defaults: [{model: film}, _self_]\nhp: {lr: 1e-2, gp: 1}\n");
    source("e/config.src/01-x.yaml", "hp: {lr: 1e-4, other: \"${hp.lr}\"}\n");
    const cak_comparison *c = compare(&(cak_compare_options){ .except = cak_names_split(a, "seed,model,hp.gp") });
    ck_assert_int_eq(c->n_arms, 3);
    ck_assert(is_shown(c, 0, "hp.lr", "lr"));
    ck_assert_int_eq(c->axes->n_shown, 1);
    int k = c->axes->shown[0];
    ck_assert_str_eq(cak_run_set_at(s, 0, k).text, "1e-4");
    ck_assert_str_eq(cak_run_set_at(s, 3, k).text, "1e-3");
    ck_assert_str_eq(cak_run_set_at(s, 4, k).text, "1e-2"); /* the file itself decides */
    ck_assert_str_eq(cak_run_set_value(s, &s->run[0], "hp.gp").text, "1");
    ck_assert_str_eq(cak_run_set_value(s, &s->run[4], "model").text, "film");
    ck_assert_int_eq(cak_run_set_key(s, "hp.other"), -1);
    ck_assert_int_eq(c->arm[0].n, 2);
    ck_assert_int_eq(c->arm[1].n, 2);
    ck_assert_int_eq(c->arm[2].n, 1);
    end();
}
END_TEST

/* Files that contradict each other, none of which decides; files that say nothing. */
START_TEST(what_sources_do_not_say_is_unknown)
{
    begin();
    make((made_run){ .dir = "a", .seed = 0, .lr = "1" });
    source("a/config.src/00-a.yaml", "defaults: [_self_, x, {model: [film]}]\nhp: {lr: 1, gp: 3}\n");
    source("a/config.src/01-x.yaml", "hp: {lr: 2, gp: 3, tau: [1]}\n");
    source("a/config.src/02-y.yaml", "hp: [\n");
    source("a/config.src/03-z.yaml", "hp: 3\n");
    make((made_run){ .dir = "b", .seed = 0, .lr = "1" });
    source("b/config.src/00-a.yaml", "defaults: 3\n");
    ck_assert(cak_run_set_add(s, d, root));
    ck_assert_int_eq(s->n, 2);
    ck_assert_int_eq(cak_run_set_key(s, "hp.lr"), -1);
    ck_assert_str_eq(cak_run_set_value(s, &s->run[0], "hp.gp").text, "3");
    ck_assert_int_eq(cak_run_set_key(s, "hp.tau"), -1);
    ck_assert_int_eq(cak_run_set_key(s, "model"), -1);
    end();
}
END_TEST

/* An edited file tells the arms apart by what was edited, not by what follows from it. */
START_TEST(edited_constants_are_levers)
{
    begin();
    for (int i = 0; i < 4; i++) {
        const char *lr = i < 2 ? "1" : "2";
        make((made_run){ .dir = cak_arena_print(a, "%d", i), .seed = i % 2, .lr = lr, .over = OVER("train.epochs=3") });
        source(cak_arena_print(a, "%d/config.src/00-a.yaml", i), cak_arena_print(a, "hp: {lr: %s}\n", lr));
    }
    const cak_comparison *c = compare(NULL);
    ck_assert_int_eq(c->n_arms, 2);
    ck_assert_int_eq(c->axes->n_shown, 1);
    ck_assert(is_shown(c, 0, "hp.lr", "lr"));
    ck_assert_str_eq(folded_into(c, "train.phases.critic.optimizer.lr"), "hp.lr");
    end();
}
END_TEST

/* Two runs, an edited file, and another seed: this is no replicate. */
START_TEST(an_edit_is_not_folded_into_the_seed)
{
    begin();
    make((made_run){ .dir = "a", .seed = 0, .lr = "1e-4", .over = OVER("++seed=0") });
    make((made_run){ .dir = "b", .seed = 1, .lr = "1e-3", .over = OVER("++seed=1") });
    const cak_comparison *c = compare(NULL);
    ck_assert_int_eq(c->n_arms, 2);
    ck_assert(is_shown(c, 0, "train.phases.critic.optimizer.lr", "lr"));
    ck_assert_int_eq(c->n_contrasts, 0);
    end();
}
END_TEST

/* Where each run has its own value, everything seems to follow from it; several runs of a value are evidence. */
START_TEST(what_follows_needs_evidence)
{
    begin();
    for (int i = 0; i < 6; i++) {
        const char *lr = cak_arena_print(a, "%d", i);
        make((made_run){ .dir = lr,
                         .lr = lr,
                         .over = OVER(cak_arena_print(a, "hp.lr=%d", i)),
                         .more = i == 4 ? "modules: {tau: 1}\n" : NULL });
    }
    ck_assert_int_eq(compare(NULL)->axes->n_shown, 2); /* hp.lr and modules.tau */
    for (int i = 0; i < 6; i++) {
        const char *lr = cak_arena_print(a, "%d", i);
        make((made_run){ .dir = cak_arena_print(a, "%d-1", i),
                         .lr = lr,
                         .seed = 1,
                         .over = OVER(cak_arena_print(a, "hp.lr=%d", i)),
                         .more = i == 4 ? "modules: {tau: 1}\n" : NULL });
    }
    cak_run_set_close(s);
    s = cak_run_set_open(a);
    const cak_comparison *c = compare(NULL);
    ck_assert_int_eq(c->axes->n_shown, 1);
    ck_assert_str_eq(folded_into(c, "modules.tau"), "hp.lr");
    end();
}
END_TEST

/* ---- numbers ---- */

enum { SEEDS = 4 };
static const double loss_a[SEEDS] = { 0.5, 0.4, 0.6, 0.55 }, loss_b[SEEDS] = { 0.3, 0.35, 9, 9 },
                    loss_c[SEEDS] = { 0.7, 0.8, 0.75, 0.9 };
static const int64_t diverged_b[SEEDS] = { -1, -1, 7, 12 };

/* Arm A finishes, in arm B two of four diverge, arm C is worse than A. */
static void make_arms(bool same_batches)
{
    for (int i = 0; i < SEEDS; i++) {
        const char *batches = cak_arena_print(a, "batches-%d", i), *other = same_batches ? batches : "others";
        const bool bad = diverged_b[i] >= 0;
        const int epochs = bad ? (int)(diverged_b[i] / 10) : 2;
        make((made_run){ .dir = cak_arena_print(a, "a%d", i),
                         .seed = i,
                         .lr = "1",
                         .over = OVER("hp.lr=1"),
                         .epochs = 2,
                         .init = "i",
                         .batches = batches,
                         .loss = LOSS(2, loss_a[i]),
                         .score = LOSS(0, -loss_a[i]) });
        make((made_run){ .dir = cak_arena_print(a, "b%d", i),
                         .seed = i,
                         .lr = "2",
                         .over = OVER("hp.lr=2"),
                         .epochs = epochs,
                         .init = "i",
                         .batches = batches,
                         .loss = LOSS(bad ? 9 : 2, loss_b[i]),
                         .score = LOSS(0, -loss_b[i]),
                         .state = bad ? "diverged" : NULL,
                         .steps = bad ? (int)diverged_b[i] + 1 : 0,
                         .diverged = diverged_b[i] });
        make((made_run){ .dir = cak_arena_print(a, "c%d", i),
                         .seed = i,
                         .lr = "3",
                         .over = OVER("hp.lr=3"),
                         .epochs = 2,
                         .init = "j",
                         .batches = other,
                         .loss = LOSS(2, loss_c[i]),
                         .score = LOSS(0, -loss_c[i]) });
    }
}

static double mean_of(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += x[i];
    return sum / n;
}

static double sd_of(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (x[i] - mean_of(x, n)) * (x[i] - mean_of(x, n));
    return sqrt(sum / (n - 1));
}

/* Mean of the middle two of four. */
static double iqm4(const double *x)
{
    double low = x[0], high = x[0], sum = 0;
    for (int i = 0; i < 4; i++) low = fmin(low, x[i]), high = fmax(high, x[i]), sum += x[i];
    return (sum - low - high) / 2;
}

/* Share of the 256 resamples of four values with an interquartile mean of at most v. */
static double share_at_most(const double *x, double v)
{
    int n = 0;
    for (int k = 0; k < 256; k++) n += iqm4((const double[]){ x[k & 3], x[k >> 2 & 3], x[k >> 4 & 3], x[k >> 6] }) <= v + 1e-12;
    return n / 256.0;
}

START_TEST(arms)
{
    begin();
    make_arms(true);
    const cak_comparison *c = compare(
        &(cak_compare_options){ .metric = cak_names_split(a, "loss,score"), .goal = cak_names_split(a, "loss=min,score=max") });
    ck_assert_int_eq(c->n_arms, 3);
    const cak_arm *A = &c->arm[0], *B = &c->arm[1];
    ck_assert_str_eq(A->name, "A");
    ck_assert_int_eq(A->count[CAK_OUTCOME_FINISHED], 4);
    ck_assert_int_eq(B->count[CAK_OUTCOME_FINISHED], 2);
    ck_assert_int_eq(B->count[CAK_OUTCOME_DIVERGED], 2);
    ck_assert_int_eq(B->known, 4);
    const double z = 1.959963984540054, mid = (0.5 + z * z / 8) / (1 + z * z / 4),
                 half = z * sqrt(0.25 / 4 + z * z / 64) / (1 + z * z / 4);
    ck_close(B->diverged_95.low, mid - half, 1e-12);
    ck_close(B->diverged_95.high, mid + half, 1e-12);
    ck_assert(isinf(A->median_step));
    ck_assert(B->median_step == 12); /* 3/4 survive step 7, 1/2 step 12 */
    ck_assert(B->median_epoch == 1);
    ck_assert_int_eq(A->metric[0].n, 4);
    ck_close(A->metric[0].mean, mean_of(loss_a, 4), 1e-14);
    ck_close(A->metric[0].sd, sd_of(loss_a, 4), 1e-14);
    ck_close(A->metric[0].iqm, iqm4(loss_a), 1e-14);
    ck_assert(share_at_most(loss_a, A->metric[0].iqm_95.low) >= 0.02 &&
              share_at_most(loss_a, A->metric[0].iqm_95.low - 1e-9) <= 0.03);
    ck_assert(share_at_most(loss_a, A->metric[0].iqm_95.high) >= 0.97 &&
              share_at_most(loss_a, A->metric[0].iqm_95.high - 1e-9) <= 0.98);
    ck_assert_int_eq(B->metric[0].n, 2); /* what diverged has no last value that means something */
    ck_close(B->metric[0].mean, 0.325, 1e-14);
    ck_close(B->metric[0].sd, 0.05 / sqrt(2), 1e-13);
    ck_close(B->metric[0].iqm_95.low, 0.3, 1e-14);
    ck_close(B->metric[0].iqm_95.high, 0.35, 1e-14);
    ck_close(B->metric[1].mean, -0.325, 1e-14);
    end();
}
END_TEST

/* The mean rank of an arm: half of the equals count as better. */
START_TEST(ranks)
{
    begin();
    make_arms(true);
    static const char *const goals[] = { "loss=min", "score=max" };
    for (int g = 0; g < 2; g++) {
        cak_run_set_close(s);
        s = cak_run_set_open(a);
        const cak_comparison *c = compare(&(cak_compare_options){ .goal = cak_names_split(a, goals[g]) });
        ck_assert_str_eq(c->metric[0].name, g ? "score" : "loss");
        const double bad = INFINITY, x[12] = { 0.5, 0.4, 0.6, 0.55, 0.3, 0.35, bad, bad, 0.7, 0.8, 0.75, 0.9 };
        for (int k = 0; k < 3; k++) {
            double sum = 0;
            for (int i = 4 * k; i < 4 * k + 4; i++)
                for (int j = 0; j < 12; j++) sum += x[j] < x[i] ? 1 : x[j] == x[i] ? 0.5 : 0;
            ck_close(c->arm[k].mean_rank, sum / 4 + 0.5, 1e-14);
        }
        ck_assert_int_eq(c->arm[0].place, 1); /* 4.5; B: 1, 2, 11.5, 11.5; C: 8.5 */
        ck_assert_int_eq(c->arm[1].place, 2);
        ck_assert_int_eq(c->arm[2].place, 3);
    }
    end();
}
END_TEST

/* All signs of the ranks of four differences: share with a sum as far from the middle. */
static double signed_rank_p(const double rank[4], double w)
{
    int n = 0;
    for (int k = 0; k < 16; k++) {
        double sum = 0;
        for (int i = 0; i < 4; i++) sum += k >> i & 1 ? rank[i] : 0;
        n += fabs(sum - 5) >= fabs(w - 5) - 1e-12;
    }
    return n / 16.0;
}

static double log_rank_chi2(const double *x, const bool *ex, const double *y, const bool *ey)
{
    double o = 0, e = 0, v = 0;
    for (double t = 0; t < 100; t++) {
        double n = 0, m = 0, k = 0, l = 0;
        for (int i = 0; i < 4; i++) n += x[i] >= t, m += y[i] >= t, k += x[i] == t && ex[i], l += y[i] == t && ey[i];
        if (k + l == 0) continue;
        const double all = n + m, events = k + l;
        o += k;
        e += events * n / all;
        if (all > 1) v += events * n * m * (all - events) / (all * all * (all - 1));
    }
    return (o - e) * (o - e) / v;
}

START_TEST(paired_tests)
{
    begin();
    make_arms(true);
    const cak_comparison *c = compare_losses();
    ck_assert_int_eq(c->n_contrasts, 3);
    ck_assert_int_eq(c->batches, CAK_STREAMS_SAME);
    ck_assert_int_eq(c->inits, CAK_STREAMS_DIFFER);
    ck_assert_str_eq(c->init_differs, "detector.weight");
    const cak_contrast *ab = &c->contrast[0], *ac = &c->contrast[1], *bc = &c->contrast[2];
    ck_assert(ab->paired && ac->paired && bc->paired);
    ck_assert_int_eq(ab->pairs, 4);
    ck_assert_int_eq(ab->complete, 4);
    ck_assert_int_eq(ab->only_a, 0);
    ck_assert_int_eq(ab->only_b, 2);
    ck_close(ab->diverged.test.p, 0.5, 1e-14); /* two coins fall alike */
    ck_close(ac->diverged.test.p, 1, 1e-14);
    ck_close(ab->diverged.holm, 1, 1e-14); /* 0.5 x 3 */
    /* A - B: 0.2, 0.05, -inf, -inf have ranks 2, 1, 3.5, 3.5 */
    ck_close(ab->metric[0].test.p, signed_rank_p((const double[]){ 2, 1, 3.5, 3.5 }, 3), 1e-14);
    ck_close(ab->metric[0].improvement, 0.5, 1e-14);
    /* A - C: -0.2, -0.4, -0.15, -0.35 */
    ck_close(ac->metric[0].test.p, 2.0 / 16, 1e-14);
    ck_close(ac->metric[0].improvement, 1, 1e-14);
    /* B - C: -0.4, -0.45, inf, inf */
    ck_close(bc->metric[0].test.p, signed_rank_p((const double[]){ 1, 2, 3.5, 3.5 }, 7), 1e-14);
    ck_close(ac->metric[0].holm, 3 * 2.0 / 16, 1e-14);
    ck_close(ab->metric[0].holm, fmin(1, 2 * fmin(ab->metric[0].test.p, bc->metric[0].test.p)), 1e-14);
    const double all[] = { 20, 20, 20, 20 }, b[] = { 20, 20, 7, 12 };
    const bool none[4] = { 0 }, two[] = { false, false, true, true };
    const double chi2 = log_rank_chi2(all, none, b, two);
    ck_close(ab->time.test.statistic, chi2, 1e-12);
    ck_close(ab->time.test.p, erfc(sqrt(chi2 / 2)), 1e-10);
    ck_close(ac->time.test.p, 1, 1e-14);
    ck_assert_str_eq(warnings(c), "");
    end();
}
END_TEST

static double choose(int n, int k) { return k < 0 || k > n ? 0 : k == 0 ? 1 : choose(n, k - 1) * (n - k + 1) / k; }

START_TEST(unpaired_tests)
{
    begin();
    make_arms(false);
    const cak_comparison *c = compare_losses();
    const cak_contrast *ab = &c->contrast[0], *ac = &c->contrast[1], *bc = &c->contrast[2];
    ck_assert(ab->paired && !ac->paired && !bc->paired);
    ck_assert_int_eq(c->batches, CAK_STREAMS_SAME); /* where runs are paired */
    ck_assert_int_eq(c->n_paired, 1);
    /* 0 of 4 against 2 of 4: tables with the same margins have 0, 1, 2 */
    ck_close(bc->diverged.test.p, (choose(4, 0) * choose(4, 2) + choose(4, 2) * choose(4, 0)) / choose(8, 2), 1e-12);
    /* A is below C everywhere: two of the 70 ways to deal the ranks */
    ck_close(ac->metric[0].test.p, 2 / choose(8, 4), 1e-12);
    ck_close(ac->metric[0].improvement, 1, 1e-14);
    ck_close(bc->metric[0].improvement, 0.5, 1e-14);
    ck_close(cak_smallest_p(c, ab), 2.0 / 16, 1e-14);
    ck_close(cak_smallest_p(c, ac), 2 / choose(8, 4), 1e-12);
    const char *text = warnings(c);
    must_have(text, "arms A and C (and 1 other pair of arms) are not paired by seed: their batches differ (seed=0), and so do "
                    "the initial values of "
                    "detector.weight; Fisher's and Mann and Whitney's tests are used for them");
    must_lack(text, "arms B and C");
    end();
}
END_TEST

START_TEST(arms_that_do_not_correspond)
{
    begin();
    const double loss = 1;
    for (int i = 0; i < 3; i++) {
        make((made_run){ .dir = cak_arena_print(a, "a%d", i), .seed = i, .lr = "1", .epochs = 1, .loss = &loss });
        make((made_run){ .dir = cak_arena_print(a, "b%d", i), .seed = i + 2, .lr = "2", .epochs = 1, .loss = &loss });
        make((made_run){ .dir = cak_arena_print(a, "c%d", i), .seed = i + 7, .lr = "3", .epochs = 1, .loss = &loss });
        make((made_run){ .dir = cak_arena_print(a, "d%d", i), .seed = i / 2, .lr = "4", .epochs = 1, .loss = &loss });
    }
    const cak_comparison *c = compare_losses();
    ck_assert_int_eq(c->n_contrasts, 6);
    ck_assert(c->contrast[0].paired);
    ck_assert_int_eq(c->contrast[0].pairs, 1);
    ck_assert_int_eq(c->batches, CAK_STREAMS_UNKNOWN);
    ck_assert_str_eq(c->contrast[1].why_not, "they have no seed in common");
    ck_assert_str_eq(c->contrast[2].why_not, "arm D has several runs with seed=0");
    ck_close(c->contrast[1].metric[0].test.p, 1, 1e-14);
    end();
}
END_TEST

START_TEST(smallest_p_of_arms_of_two_sizes)
{
    begin();
    for (int i = 0; i < 5; i++)
        make((made_run){ .dir = cak_arena_print(a, "%d", i), .seed = i, .lr = i < 2 ? "1" : "2", .over = OVER("hp.x=1") });
    const cak_comparison *c = compare(&(cak_compare_options){ .except = cak_names_split(a, "seed,hp.x") });
    ck_assert_int_eq(c->n_contrasts, 1);
    ck_close(cak_smallest_p(c, &c->contrast[0]), 1 / choose(5, 2), 1e-14);
    ck_close(cak_fisher(2, 2, 0, 3).p, 1 / choose(5, 2), 1e-12);
    end();
}
END_TEST

/* Neither direction of a metric is better until somebody says so. */
START_TEST(metrics_without_a_goal)
{
    begin();
    make_arms(true);
    static const struct {
        const char *metric, *goal, *first;
        int n, goals;
        bool maximize;
    } row[] = { { NULL, NULL, "loss", 2, 0, false },
                { NULL, "score=max", "score", 2, 1, true },
                { NULL, "score=max,loss=min", "score", 2, 2, true },
                { "loss", NULL, "loss", 1, 1, false },
                { "loss", "score=max", "score", 2, 2, true },
                { NULL, "loss.gp=min", "loss.gp", 3, 1, false } };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        cak_run_set_close(s);
        s = cak_run_set_open(a);
        const cak_comparison *c = compare(
            &(cak_compare_options){ .metric = cak_names_split(a, row[i].metric), .goal = cak_names_split(a, row[i].goal) });
        ck_assert_int_eq(c->n_metrics, row[i].n);
        ck_assert_int_eq(c->n_goals, row[i].goals);
        ck_assert_str_eq(c->metric[0].name, row[i].first);
        ck_assert_int_eq(c->metric[0].maximize, row[i].maximize);
        ck_assert_int_eq(c->arm[0].place > 0, row[i].goals > 0);
        ck_assert_int_eq(isnan(c->arm[0].mean_rank), row[i].goals == 0);
        ck_assert_int_eq(c->n_contrasts, 3);
    }
    end();
}
END_TEST

/* ---- outcomes ---- */

START_TEST(runs_that_say_nothing)
{
    begin();
    const double loss = 1, two[] = { 1, 3 };
    make((made_run){ .dir = "a0", .seed = 0, .lr = "1", .epochs = 1, .loss = &loss });
    make((made_run){ .dir = "a1", .seed = 1, .lr = "1", .epochs = 2, .loss = two });
    make((made_run){ .dir = "b0", .seed = 0, .lr = "2", .epochs = 1, .loss = &loss, .state = "interrupted" });
    make((made_run){ .dir = "b1", .seed = 1, .lr = "2", .epochs = 1, .loss = LOSS(NAN) });
    make((made_run){ .dir = "b2", .seed = 2, .over = OVER("train.phases.critic.optimizer.lr=2"), .state = "failed" });
    make((made_run){
        .dir = "b3", .seed = 3, .lr = "2", .epochs = 1, .loss = &loss, .state = "running" }); /* nobody holds it: crashed */
    make((made_run){ .dir = "b4", .seed = 4, .lr = "2", .epochs = 1, .loss = LOSS(5), .state = "running" });
    int lock = cak_io_lock(d, in("b4/run.lock"));
    const cak_comparison *c = compare_losses();
    const cak_arm *B = &c->arm[1];
    ck_assert_int_eq(c->n_arms, 2);
    ck_assert_int_eq(B->n, 5);
    ck_assert_int_eq(B->count[CAK_OUTCOME_INCOMPLETE], 3);
    ck_assert_int_eq(B->count[CAK_OUTCOME_RUNNING], 1);
    ck_assert_int_eq(B->known, 2);
    ck_assert_int_eq(B->metric[0].n, 1);
    ck_close(B->metric[0].mean, 5, 1e-14);
    const cak_contrast *t = &c->contrast[0];
    ck_assert_int_eq(t->pairs, 2);
    ck_assert_int_eq(t->complete, 1);
    ck_assert_int_eq(t->metric[0].test.n, 1);     /* seed 1: a metric that is not finite is the worst */
    ck_close(t->metric[0].improvement, 1, 1e-14); /* of A */
    cak_io_close(lock);
    end();
}
END_TEST

START_TEST(values_of_a_run)
{
    begin();
    const double x[] = { 4, 1, 3 }, y[] = { 1, 2, 3 }, score[] = { 5, 9, 7 };
    make((made_run){ .dir = "a0", .seed = 0, .lr = "1", .epochs = 3, .loss = x, .score = score });
    make((made_run){ .dir = "a1", .seed = 1, .lr = "1", .epochs = 3, .loss = y, .score = score });
    static const struct {
        const char *stat;
        double loss[2], score;
    } row[] = { { NULL, { 3, 3 }, 7 },          { "last", { 3, 3 }, 7 },          { "best", { 1, 1 }, 9 },
                { "mean-last-1", { 3, 3 }, 7 }, { "mean-last-2", { 2, 2.5 }, 8 }, { "mean-last-9", { 8.0 / 3, 2 }, 7 } };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        cak_run_set_close(s);
        s = cak_run_set_open(a);
        const cak_comparison *c = compare(&(cak_compare_options){
            .stat = row[i].stat, .metric = cak_names_split(a, "loss,score,loss"), .goal = cak_names_split(a, "score=max") });
        ck_assert_int_eq(c->n_metrics, 2);
        ck_close(c->metric[1].value[0], row[i].loss[0], 1e-14);
        ck_close(c->metric[1].value[1], row[i].loss[1], 1e-14);
        ck_close(c->metric[0].value[0], row[i].score, 1e-14);
    }
    end();
}
END_TEST

/* ---- sweeps ---- */

/* Points: seeds 0 and 1, two rates. One finished, one stopped early, one failed before it had a directory, one waits. */
START_TEST(points_of_a_sweep)
{
    begin();
    const char *yaml =
        cak_arena_print(a,
                        "name: t\nbase: %s\nmethod: grid\nparameters: {hp.lr: {values: [1, 2]}, seed: {values: [0, 1]}}\n"
                        "metric: {name: score, goal: maximize}\npair_by: [seed]\n",
                        source_path("configs/tiny/synth.yaml"));
    static const char *const hash[] = { "h", "h", "h", "h" };
    write_file(a, d, in("t.yaml"), yaml);
    cak_sweep *sweep = cak_sweep_load(d, in("t.yaml"), 0);
    ck_assert_ptr_nonnull(sweep);
    cak_sweep_dir *dir = cak_sweep_dir_make(d, in("s"), sweep, hash);
    ck_assert_msg(dir != NULL, "%s", cak_diag_errors(d) ? cak_diag_message(d, 0) : "");
    const double loss = 1, score = 2;
    for (int i = 0; i < 2; i++)
        make((made_run){ .dir = cak_arena_print(a, "s/runs/%s", sweep->point[i].id),
                         .seed = 0,
                         .lr = i ? "2" : "1",
                         .over = OVER(i ? "hp.lr=2" : "hp.lr=1", "seed=0"),
                         .state = i ? "interrupted" : "finished",
                         .epochs = 1,
                         .loss = &loss,
                         .score = &score });
    write_file(a, d, cak_point_path(a, dir, 1, "attempts"),
               "{\"exit\":75,\"signal\":null,\"reason\":null,\"started\":\"2026-11-24T21:12:18Z\",\"ended\":\"2026-11-24T21:12:"
               "19Z\",\"stopped_early\":true,\"changes\":1}\n");
    write_file(a, d, cak_point_path(a, dir, 2, "attempts"),
               "{\"exit\":4,\"signal\":null,\"reason\":\"no "
               "sounds\",\"started\":\"2026-11-24T21:12:18Z\",\"ended\":\"2026-11-24T21:12:19Z\",\"stopped_early\":false,"
               "\"changes\":0}\n");
    ck_assert(cak_run_set_add(s, d, in("s")));
    ck_assert(cak_run_set_add(s, d, in("s"))); /* nothing is there twice */
    ck_assert_int_eq(s->n, 3);
    ck_assert_int_eq(s->waiting, 2);
    ck_assert_ptr_nonnull(cak_run_set_sweep(s));
    const cak_comparison *c = cak_compare(s, d, &(cak_compare_options){ 0 });
    ck_assert_int_eq(c->n_arms, 2);
    ck_assert_str_eq(c->metric[0].name, "score");
    ck_assert(c->metric[0].maximize);
    ck_assert_int_eq(c->arm[0].n, 2);
    ck_assert_int_eq(c->arm[0].count[CAK_OUTCOME_INCOMPLETE], 1);
    ck_assert_int_eq(c->arm[0].known, 1);
    ck_assert_int_eq(c->arm[1].count[CAK_OUTCOME_STOPPED], 1);
    ck_assert_int_eq(c->arm[1].metric[0].n, 0);
    ck_assert_int_eq(c->arm[1].place, 0);
    ck_assert(isnan(c->metric[0].score[1]));
    ck_assert_int_eq(cak_arm_times(c, &c->arm[1]).n, 1);
    must_have(warnings(c),
              "1 run was stopped early: means, ranks and tests of metrics take only the others, a selection; times to "
              "divergence are censored there, shares of diverged runs are too small; arm B has no other runs and no "
              "rank");
    must_have(warnings(c), "points of the sweep that are not started yet and left out: 2");
    /* a run that is named by itself, or found below, takes its state from the sweep, too */
    cak_run_set_close(s);
    s = cak_run_set_open(a);
    ck_assert(cak_run_set_add(s, d, cak_point_path(a, dir, 1, "runs")));
    ck_assert_str_eq(s->run[0].state, "stopped");
    ck_assert_str_eq(cak_run_set_sweep(s)->name, "t");
    const char *stopped = cak_point_path(a, dir, 1, "runs");
    must_have(CALL(cak_cmd_show, "show", stopped).out, "\nstate          stopped\n");
    must_have(CALL(cak_cmd_diff, "diff", cak_point_path(a, dir, 0, "runs"), stopped).out, "finished -> stopped\n");
    cak_sweep_dir_close(dir);
    cak_sweep_close(sweep);
    end();
}
END_TEST

/* ---- gathering ---- */

START_TEST(damaged_runs_are_left_out)
{
    begin();
    make((made_run){ .dir = "a", .lr = "1" });
    make((made_run){ .dir = "b", .lr = "1" });
    make((made_run){ .dir = "c", .lr = "1" });
    write_file(a, d, in("b/config.yaml"), "a: [\n");
    write_file(a, d, in("c/run.json"), "{");
    ck_assert(cak_run_set_add(s, d, root));
    ck_assert_int_eq(s->n, 1);
    ck_assert_int_eq(cak_diag_errors(d), 0);
    ck_assert(cak_run_set_add(s, d, in("a/../a/"))); /* the same run by another name */
    ck_assert_int_eq(s->n, 1);
    ck_assert(!cak_run_set_add(s, d, in("absent")));
    ck_assert_int_eq(cak_diag_code(d, 0), CAK_E4011);
    /* a sweep that cannot be read: the run speaks for itself */
    cak_diag_clear(d);
    make((made_run){ .dir = "x/runs/p", .lr = "1" });
    write_file(a, d, in("x/plan.jsonl"), "{");
    ck_assert(cak_run_set_add(s, d, in("x/runs/p")));
    ck_assert_int_eq(s->n, 2);
    ck_assert_int_eq(cak_diag_errors(d), 0);
    ck_assert(!cak_run_set_add(s, d, in("x")));
    end();
}
END_TEST

static void refused(cak_compare_options o, const char *message)
{
    cak_diag_clear(d);
    ck_assert_ptr_null(cak_compare(s, d, &o));
    ck_assert_int_eq(cak_diag_code(d, 0), CAK_E5001);
    ck_assert_str_eq(cak_diag_message(d, 0), message);
}

START_TEST(wrong_options)
{
    begin();
    const double loss = 1;
    make((made_run){ .dir = "a", .seed = 0, .lr = "1", .epochs = 1, .loss = &loss });
    make((made_run){ .dir = "b", .seed = 1, .lr = "1", .epochs = 1, .loss = &loss });
    make((made_run){ .dir = "c", .seed = 1, .lr = "2", .epochs = 1, .loss = &loss });
    ck_assert(cak_run_set_add(s, d, root));
    refused((cak_compare_options){ .stat = "mean-last-0" }, "--stat: 'mean-last-0' is none of last, best, mean-last-N");
    refused((cak_compare_options){ .stat = "lats" }, "--stat: 'lats' is none of last, best, mean-last-N");
    refused((cak_compare_options){ .metric = cak_names_split(a, "los") },
            "--metric: no run has the metric 'los'; did you mean 'loss'?");
    refused((cak_compare_options){ .goal = cak_names_split(a, "lsos=min") },
            "--goal: no run has the metric 'lsos'; did you mean 'loss'?");
    refused((cak_compare_options){ .goal = cak_names_split(a, "loss=least") },
            "--goal: 'loss=least' is not NAME=min or NAME=max");
    refused((cak_compare_options){ .except = cak_names_split(a, "sede") }, "--except: no run has 'sede'; did you mean 'seed'?");
    refused((cak_compare_options){ .pair = cak_names_split(a, "quaternion") }, "--pair: no run has 'quaternion'");
    refused((cak_compare_options){ .baseline = "seed>=0" },
            "--baseline: 'seed>=0' holds for 2 arms, not for one: A (lr 1), B (lr 2)");
    refused((cak_compare_options){ .baseline = "lr=3" }, "--baseline: 'lr=3' holds for no arm; there are A (lr 1), B (lr 2)");
    refused((cak_compare_options){ .baseline = "epochs=3" }, "no run has 'epochs'; did you mean 'train.epochs'?");
    refused((cak_compare_options){ .baseline = "type=adam" },
            "no run has 'type'; did you mean 'train.phases.critic.optimizer.type' or 'data.clips.type' or 'data.x.type'?");
    refused((cak_compare_options){ .except = cak_names_split(a, "epochs") },
            "--except: no run has 'epochs'; did you mean 'train.epochs'?");
    refused((cak_compare_options){ .baseline = "seed=" }, "a value is expected here, not the end of the expression");
    end();
}
END_TEST

START_TEST(many_arms_are_tested_against_one)
{
    begin();
    const double loss = 1;
    for (int i = 0; i < 14; i++)
        make((made_run){ .dir = cak_arena_print(a, "%02d", i),
                         .seed = i % 2,
                         .lr = cak_arena_print(a, "%d", i / 2),
                         .epochs = 1,
                         .loss = &loss });
    const cak_comparison *c = compare(NULL);
    ck_assert_int_eq(c->n_arms, 7);
    ck_assert_int_eq(c->n_contrasts, 6);
    ck_assert_int_eq(c->baseline, 0);
    cak_run_set_close(s);
    s = cak_run_set_open(a);
    c = compare(&(cak_compare_options){ .baseline = "train.phases.critic.optimizer.lr=3" });
    ck_assert_int_eq(c->baseline, 3);
    ck_assert_int_eq(c->contrast[5].a, 3);
    ck_assert_int_eq(c->contrast[5].b, 6);
    cak_run_set_close(s);
    s = cak_run_set_open(a);
    ck_assert_int_eq(compare(&(cak_compare_options){ .baseline = "lr=5" })->baseline, 5); /* as the table has it */
    ck_assert_ptr_null(cak_compare(s, d, &(cak_compare_options){ .baseline = "lr>=0" }));
    must_have(cak_diag_message(d, 0),
              "holds for 7 arms, not for one: A (lr 0), B (lr 1), C (lr 2), D (lr 3), E (lr 4), F (lr 5) and "
              "1 more");
    end();
}
END_TEST

SUITE(compare, consequences_are_folded, what_runs_lack_comes_from_their_sources, what_sources_do_not_say_is_unknown,
      edited_constants_are_levers, an_edit_is_not_folded_into_the_seed, what_follows_needs_evidence, arms, ranks, paired_tests,
      unpaired_tests, smallest_p_of_arms_of_two_sizes, metrics_without_a_goal, arms_that_do_not_correspond, runs_that_say_nothing,
      values_of_a_run, points_of_a_sweep, damaged_runs_are_left_out, wrong_options, many_arms_are_tested_against_one)
