/* Digests of batches and initial values: equal when they must be, and only then. */
#include <jansson.h>
#include <string.h>

#include "experiments/streams.h"
#include "tests/support/suite.h"

enum { ITEMS = 7, SIDE = 24 };

typedef struct source { /* a loader that only numbers its samples */
    int64_t epoch, first, odd_epoch, calls;
} source;

static void open_batch(void *ld, int64_t epoch, int64_t first)
{
    source *s = ld;
    s->epoch = epoch, s->first = first;
}

static uint64_t row_id(const void *ld, int64_t sample)
{
    source *s = (source *)ld;
    s->calls++;
    return (uint64_t)(s->first + sample + 100 * (s->epoch + 1 == s->odd_epoch));
}

static const cak_stage_ops numbered = { .open_batch = open_batch, .row_id = row_id }, silent = { .open_batch = open_batch };

/* "streams" of a run over this source with these overrides. */
static json_t *streams(source *s, const char *data, const cak_stage_ops *ops, const char *first, const char *second)
{
    const char *const overrides[] = { first, second };
    cak_diag *d = cak_diag_open();
    cak_shape image = CAK_SHAPE(1, SIDE, SIDE);
    cak_loader_info info = {
        .n_ports = 3, .items = ITEMS, .batch = 3, .port = { { "input", image }, { "target", image }, { "control", CAK_SHAPE(1) } }
    };
    cak_config *c = cak_config_load(d, "configs/tiny/synth.yaml", overrides, second ? 2 : 1);
    cak_experiment *x = cak_experiment_open(c);
    real *port[3];
    for (int i = 0; i < 3; i++) port[i] = cak_arena_alloc(x->arena, 3 * SIDE * SIDE * sizeof(real));
    ck_assert(cak_experiment_build(x, &info) && cak_experiment_ready(x, port));
    cak_run_spec spec = { .root = temp_dir(), .name = "s", .config_digest = "0123456789abcdef0123456789abcdef" };
    cak_run *run = cak_run_create(d, &spec);
    cak_batches batches = { ops, s, data };
    cak_streams_put(run, x, &batches);
    json_t *out = json_deep_copy(json_object_get(run->doc, "streams"));
    cak_run_close(run);
    cak_experiment_close(x);
    cak_config_close(c);
    cak_diag_close(d);
    return out;
}

static char *batches_of(source *s, const char *data, const char *override)
{
    static char hex[8][33];
    static int n;
    json_t *json = streams(s, data, &numbered, override, NULL);
    const char *text = json_string_value(json_object_get(json, "batches"));
    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(strlen(text), 32);
    char *out = memcpy(hex[n++ % 8], text, 33);
    json_decref(json);
    return out;
}

START_TEST(batches)
{
    source s = { 0 };
    const char *base = batches_of(&s, "d", "train.epochs=2");
    ck_assert_int_eq(s.calls, 2 * ITEMS);
    ck_assert_str_eq(batches_of(&s, "d", "train.epochs=2"), base);
    ck_assert_str_ne(batches_of(&s, "e", "train.epochs=2"), base);
    ck_assert_str_ne(batches_of(&s, "d", "train.epochs=3"), base);
    s.odd_epoch = 2; /* the last one */
    ck_assert_str_ne(batches_of(&s, "d", "train.epochs=2"), base);
    s = (source){ 0 };
    ck_assert_str_ne(batches_of(&s, "d", "train.epochs=1"), base);
    ck_assert_int_eq(s.calls, ITEMS);
}
END_TEST

/* What a limit of steps leaves out is not looked at; an endless run is not either. */
START_TEST(limits)
{
    source s = { 0 };
    json_decref(streams(&s, "d", &numbered, "train.epochs=2", "+train.max_steps=2"));
    ck_assert_int_eq(s.calls, 6);
    s.calls = 0;
    const char *endless = batches_of(&s, "d", "train.epochs=1000000000");
    ck_assert(s.calls >= CAK_STREAM_SAMPLES && s.calls < CAK_STREAM_SAMPLES + ITEMS);
    ck_assert_str_ne(batches_of(&s, "d", "train.epochs=999999999"), endless);
}
END_TEST

START_TEST(a_loader_that_does_not_tell)
{
    source s = { 0 };
    json_t *json = streams(&s, "d", &silent, "train.epochs=1", NULL);
    ck_assert_ptr_null(json_object_get(json, "batches"));
    ck_assert_int_eq(json_object_size(json_object_get(json, "init")), 11);
    json_decref(json);
}
END_TEST

static bool same_init(const json_t *x, const json_t *y, const char *name)
{
    const json_t *a = json_object_get(json_object_get(x, "init"), name), *b = json_object_get(json_object_get(y, "init"), name);
    ck_assert(json_is_string(a) && json_is_string(b));
    return json_equal(a, b);
}

/* Parameters of the same name start equal in another model, from another seed they do not. */
START_TEST(initial_values)
{
    source s = { 0 };
    json_t *base = streams(&s, "d", &numbered, "train.epochs=1", NULL),
           *model = streams(&s, "d", &numbered, "modules.critic.channels=[4, 8, 12]", "train.epochs=1"),
           *seed = streams(&s, "d", &numbered, "seed=1", "train.epochs=1"),
           *scale = streams(&s, "d", &numbered, "modules.generator.scale0=2", "train.epochs=1");
    ck_assert(json_equal(json_object_get(base, "batches"), json_object_get(model, "batches")));
    ck_assert(same_init(base, model, "detector.weight") && same_init(base, model, "critic.conv2.weight"));
    ck_assert(!same_init(base, model, "critic.conv3.weight"));
    ck_assert(!same_init(base, seed, "detector.weight"));
    ck_assert(same_init(base, scale, "critic.conv2.weight") && !same_init(base, scale, "generator.scale"));
    json_decref(base);
    json_decref(model);
    json_decref(seed);
    json_decref(scale);
}
END_TEST

SUITE(streams, batches, limits, a_loader_that_does_not_tell, initial_values)
