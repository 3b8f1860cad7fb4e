/* Switches of the engine: what they turn off, that the losses stay what they are, that threads change no bit in any mode. */
#include <math.h>
#include <string.h>

#include "experiments/experiment.h"
#include "experiments/prepare.h"
#include "graph/par.h"
#include "graph/rng.h"
#include "nodes/kernels/naive.h"
#include "tests/support/suite.h"

/* A loss is a mean over some thousand values of order 1; another order of its sums, and Winograd's transforms, change it by a few roundings.
** Two steps add little: Adam without a first moment moves every weight by about lr whatever the size of its gradient, so weights whose
** gradient is nothing but rounding may go the other way; the third step would show it. Seen: 3.5e-7 in float, 1.1e-15 in double. */
static const double tolerance = sizeof(real) == 4 ? 3e-6 : 1e-14;

enum { STEPS = 2, MAX_LOSSES = 256 };

typedef struct setup {
    cak_diag *d;
    cak_config *c;
    cak_experiment *x;
    bool built;
} setup;

/* The tiny experiment with a critic wide enough for blocks of channels; override NULL: as it is. */
static setup open_engine(const char *override)
{
    const char *const overrides[] = { "modules.critic.channels=[16, 32, 32]", "data.batch.batch=3", override };
    setup s = { .d = cak_diag_open() };
    cak_loader_info info = { 0 };
    s.c = cak_config_load(s.d, "configs/tiny/synth.yaml", overrides, override ? 3 : 2);
    ck_assert_ptr_nonnull(s.c);
    s.x = cak_experiment_open(s.c);
    ck_assert(cak_data_describe(s.x->arena, s.d, s.x->data, s.x->base_dir, &info));
    s.built = cak_experiment_build(s.x, &info) && !cak_diag_errors(s.d);
    return s;
}

static setup build_engine(const char *override)
{
    setup s = open_engine(override);
    if (!s.built) cak_diag_print(s.d, stderr);
    ck_assert(s.built);
    return s;
}

static void close_engine(setup *s)
{
    cak_experiment_close(s->x);
    cak_config_close(s->c);
    cak_diag_close(s->d);
}

/* ---- what a switch turns off ---- */

static int blocked(const cak_graph *g)
{
    int n = 0;
    for (int id = 0; id < cak_graph_size(g); id++) {
        const char *name = cak_graph_value(g, (cak_ref){ id })->node->name;
        n += !strncmp(name, "wino", 4) || !strncmp(name, "block", 5);
    }
    return n;
}

typedef struct traits {
    bool slices, fusion, layout, special, reference; /* fusion: most values share a unit */
    int values;                                      /* of the graph, without what is for special samples */
} traits;

static traits traits_of(const char *override)
{
    setup s = build_engine(override);
    const cak_step *t = &s.x->phase[0].step[0];
    cak_plan_info i = cak_program_info(t->program);
    bool special = strstr(cak_program_text(s.x->arena, t->program), "slice of special samples") != NULL;
    traits r = { i.rounds > 0, 2 * i.kernels<i.values, blocked(t->graph)> 0, special, cak_reference(), cak_graph_size(t->graph) };
    close_engine(&s);
    return r;
}

START_TEST(each_switch_turns_off_its_own)
{
    static const struct {
        const char *override;
        traits want;
    } rows[] = {
        { NULL, { true, true, true, true, false, 0 } },
        { "+engine={}", { true, true, true, true, false, 0 } },
        { "+engine={slices: true, fusion: true, layout: true, algebra: true, reference: false}",
          { true, true, true, true, false, 0 } },
        { "+engine.slices=false", { false, true, true, false, false, 0 } },
        { "+engine.fusion=false", { true, false, true, true, false, 0 } },
        { "+engine.layout=false", { true, true, false, true, false, 0 } },
        { "+engine.algebra=false", { true, true, true, false, false, 0 } },
        { "+engine.reference=true", { false, false, false, false, true, 0 } },
        { "+engine={reference: true, fusion: true, slices: true}", { false, false, false, false, true, 0 } },
        { NULL, { true, true, true, true, false, 0 } }, /* reference mode ends with the next experiment */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        traits got = traits_of(rows[i].override), want = rows[i].want;
        ck_assert_msg(got.slices == want.slices && got.fusion == want.fusion && got.layout == want.layout &&
                          got.special == want.special && got.reference == want.reference,
                      "%s: slices %d, fusion %d, layout %d, special %d, reference %d",
                      rows[i].override ? rows[i].override : "default", got.slices, got.fusion, got.layout, got.special,
                      got.reference);
    }
    /* without special samples, which add values of their own: the passes of algebra make the graph smaller */
    ck_assert_int_lt(traits_of("+engine.slices=false").values, traits_of("+engine={slices: false, algebra: false}").values);
}
END_TEST

/* The graph before the passes is kept, with its own names of the results. */
START_TEST(the_graph_before_the_passes)
{
    setup s = build_engine(NULL);
    for (int i = 0; i < s.x->n_phases; i++) {
        const cak_step *t = &s.x->phase[i].step[0];
        ck_assert_int_eq(blocked(t->built), 0);
        for (int k = 0; k < t->n_out; k++)
            ck_assert(cak_is_none(t->out[k]) == cak_is_none(t->built_out[k]) &&
                      (cak_is_none(t->out[k]) ||
                       cak_shape_equal(cak_shape_of(t->graph, t->out[k]), cak_shape_of(t->built, t->built_out[k]))));
    }
    close_engine(&s);
}
END_TEST

static int count(const cak_graph *g, const char *node)
{
    int n = 0;
    for (int id = 0; id < cak_graph_size(g); id++) n += !strcmp(cak_graph_value(g, (cak_ref){ id })->node->name, node);
    return n;
}

/* Gradients of one filter leave Winograd's domain as a sum, without algebra each by itself. */
START_TEST(algebra_gathers_blocked_gradients)
{
    setup on = build_engine(NULL), off = build_engine("+engine.algebra=false");
    const cak_graph *with = on.x->phase[0].step[0].graph, *without = off.x->phase[0].step[0].graph;
    ck_assert_int_eq(count(without, "wino_filter_dw"), count(without, "wino_dw"));
    ck_assert_int_lt(count(with, "wino_filter_dw"), count(with, "wino_dw"));
    close_engine(&on);
    close_engine(&off);
}
END_TEST

/* Without algebra and layout nothing but constants is folded. */
START_TEST(the_graph_of_the_reference)
{
    setup s = build_engine("+engine.reference=true");
    for (int i = 0; i < s.x->n_phases; i++) {
        const cak_step *t = &s.x->phase[i].step[0];
        cak_graph *folded = cak_pass_fold(t->built, t->built_out, t->n_out), *want = cak_pass_dce(folded, t->built_out, t->n_out);
        ck_assert_str_eq(cak_dump_text(s.x->arena, t->graph, t->out, t->out_name, t->n_out),
                         cak_dump_text(s.x->arena, want, t->built_out, t->out_name, t->n_out));
        cak_graph_close(folded);
        cak_graph_close(want);
    }
    close_engine(&s);
}
END_TEST

/* ---- losses ---- */

typedef struct losses {
    real value[MAX_LOSSES]; /* totals and terms of every phase in every repetition */
    int n;
} losses;

/* Numbers in [0, 1), the same for every mode; sample 1 is special: its control is zero, its target is its input. */
static real **draw_ports(cak_experiment *x)
{
    real **port = cak_arena_alloc(x->arena, CAK_MAX_OUT * sizeof *port);
    for (int i = 0; i < x->loader.n_ports; i++) {
        int64_t row = cak_shape_size(&x->loader.port[i].shape), n = x->batch[0] * row;
        port[i] = cak_arena_alloc(x->arena, (size_t)n * sizeof(real));
        for (int64_t k = 0; k < n; k++) port[i][k] = (real)cak_rng_uniform(7, (uint64_t)i, 0, (uint64_t)k);
        const char *name = x->loader.port[i].name;
        if (!strcmp(name, "control")) memset(port[i] + row, 0, (size_t)row * sizeof(real));
        if (!strcmp(name, "target")) memcpy(port[i] + row, port[0] + row, (size_t)row * sizeof(real));
    }
    ck_assert_str_eq(x->loader.port[0].name, "input");
    return port;
}

static void run_phase(cak_phase *p, const cak_clock *clock, losses *out)
{
    const cak_step *s = &p->step[0];
    const real *grad[16];
    ck_assert(cak_exec_run(s->exec, clock));
    ck_assert_int_le(out->n + 1 + p->loss->n, MAX_LOSSES);
    for (int i = 0; i < 1 + p->loss->n; i++) out->value[out->n++] = cak_exec_data(s->exec, s->out[i])[0];
    for (int i = 0; i < p->n_params; i++) grad[i] = cak_exec_data(s->exec, s->grad[i]);
    cak_adam_update(&p->adam, grad);
}

static losses train(const char *override, int threads)
{
    int before = cak_threads();
    cak_threads_set(threads);
    setup s = build_engine(override);
    losses out = { .n = 0 };
    ck_assert(cak_experiment_ready(s.x, draw_ports(s.x)));
    cak_clock clock = { s.x->seed, 0 };
    for (int t = 0; t < STEPS; t++)
        for (int i = 0; i < s.x->n_phases; i++)
            for (int64_t k = 0; k < s.x->phase[i].repeat; k++, clock.step++) run_phase(&s.x->phase[i], &clock, &out);
    close_engine(&s);
    cak_threads_set(before);
    return out;
}

static void compare(const losses *got, const losses *want, double tol, const char *mode)
{
    ck_assert_int_eq(got->n, want->n);
    for (int i = 0; i < want->n; i++) {
        double w = (double)want->value[i], error = fabs((double)got->value[i] - w);
        ck_assert_msg(isfinite(w) && error <= tol * fmax(1, fabs(w)), "%s: loss %d is %.17g, expected %.17g (error %.2e)", mode,
                      i, (double)got->value[i], w, error);
    }
}

START_TEST(losses_of_each_mode)
{
    static const char *const modes[] = { NULL,
                                         "+engine.slices=false",
                                         "+engine.fusion=false",
                                         "+engine.layout=false",
                                         "+engine.algebra=false",
                                         "+engine.reference=true" };
    losses usual = { .n = 0 };
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        const char *mode = modes[i] ? modes[i] : "default";
        losses one = train(modes[i], 1 + i % 2); /* where a second run would take long, some modes have one thread, some two */
        if (i == 0) usual = one;
        if (FEWER == 1 || i == 0) {
            losses other = train(modes[i], 2 - i % 2);
            compare(&other, &one, 0, mode);
        }
        compare(&one, &usual, strstr(mode, "fusion") ? 0 : tolerance, mode); /* fused or not: the same bits */
    }
    ck_assert(usual.value[0] != usual.value[usual.n / 2]); /* the updates show */
}
END_TEST

/* ---- mistakes ---- */

START_TEST(refused)
{
    static const struct {
        const char *override, *text;
        cak_code code;
    } rows[] = {
        { "+engine=3", "`engine` must be a mapping", CAK_E1201 },
        { "+engine=[fusion]", "`engine` must be a mapping", CAK_E1201 },
        { "+engine={fuson: false}", "did you mean 'fusion'?", CAK_E1203 },
        { "+engine.fusion=maybe", "expected true or false, got 'maybe'", CAK_E1201 },
        { "+engine.fusion=[true]", "expected true or false", CAK_E1201 },
        { "engine.fusion=false", "a new key is added with '+engine.fusion=false'", CAK_E1103 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        setup s = open_engine(rows[i].override);
        bool found = cak_diag_errors(s.d) == 1 && cak_diag_code(s.d, 0) == rows[i].code &&
                     strstr(cak_diag_message(s.d, 0), rows[i].text) && cak_diag_pos(s.d, 0).line > 0;
        if (!found) cak_diag_print(s.d, stderr);
        ck_assert_msg(!s.built && found, "%s", rows[i].override);
        close_engine(&s);
    }
}
END_TEST

SUITE(engine, each_switch_turns_off_its_own, the_graph_before_the_passes, the_graph_of_the_reference,
      algebra_gathers_blocked_gradients, losses_of_each_mode, refused)
