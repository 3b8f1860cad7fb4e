/* Event files, read back by a reader of its own: records, checksums, protocol buffers; what a training run puts into them. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "experiments/event.h"
#include "experiments/tensorboard.h"
#include "experiments/train.h"
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

/* ---- a reader ---- */

/* From the definition, bit by bit. */
static uint32_t crc32c(const unsigned char *p, size_t n)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < 8 * n; i++) {
        uint32_t bit = (crc ^ p[i / 8] >> i % 8) & 1;
        crc = crc >> 1 ^ (bit ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static uint32_t masked(const unsigned char *p, size_t n)
{
    uint32_t crc = crc32c(p, n);
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

typedef struct span {
    const unsigned char *p, *end;
} span;

static uint64_t fixed(span *s, int n)
{
    uint64_t v = 0;
    ck_assert(s->end - s->p >= n);
    for (int i = 0; i < n; i++) v |= (uint64_t)s->p[i] << 8 * i;
    s->p += n;
    return v;
}

static uint64_t varint(span *s)
{
    uint64_t v = 0;
    for (int shift = 0;; shift += 7) {
        ck_assert(s->p < s->end && shift < 64);
        v |= (uint64_t)(*s->p & 127) << shift;
        if (!(*s->p++ & 128)) return v;
    }
}

typedef struct field {
    int number, type;
    uint64_t v; /* bits of a number */
    span inner; /* of a text or message */
} field;

static bool next_field(span *s, field *f)
{
    if (s->p == s->end) return false;
    uint64_t key = varint(s);
    *f = (field){ (int)(key >> 3), (int)(key & 7), 0, { NULL, NULL } };
    ck_assert(f->type == 0 || f->type == 1 || f->type == 2 || f->type == 5);
    f->v = f->type == 1 ? fixed(s, 8) : f->type == 5 ? fixed(s, 4) : varint(s);
    if (f->type != 2) return true;
    ck_assert((uint64_t)(s->end - s->p) >= f->v);
    f->inner = (span){ s->p, s->p + f->v };
    s->p += f->v;
    return true;
}

/* The only field of a message with this number. */
static field only(span s, int number)
{
    field f, found = { 0 };
    while (next_field(&s, &f))
        if (f.number == number) {
            ck_assert_int_eq(found.number, 0);
            found = f;
        }
    ck_assert_int_eq(found.number, number);
    return found;
}

static const char *text_of(field f)
{
    ck_assert_int_eq(f.type, 2);
    return cak_arena_print(a, "%.*s", (int)(f.inner.end - f.inner.p), (const char *)f.inner.p);
}

static double double_of(field f)
{
    double v;
    ck_assert_int_eq(f.type, 1);
    memcpy(&v, &f.v, sizeof v);
    return v;
}

typedef struct point { /* one scalar */
    const char *tag;
    int64_t step;
    float value;
} point;

typedef struct contents { /* what a reader of event files keeps */
    point *point;
    int n, cap, files, versions, restarts;
    const char *hparams; /* "hp.lr=n:0.001 name=t:x " */
    double time;         /* of the last event */
} contents;

static void read_scalar(contents *c, const char *tag, field number, int64_t step)
{
    float v;
    uint32_t bits = (uint32_t)number.v;
    ck_assert_int_eq(number.type, 5);
    memcpy(&v, &bits, sizeof v);
    c->point = cak_arena_grow(a, c->point, &c->cap, c->n + 1, sizeof *c->point);
    c->point[c->n++] = (point){ tag, step, v };
}

/* Session start: hyperparameters with their types. */
static void read_hparams(contents *c, span value)
{
    field f, plugin = only(only(value, 9).inner, 1);
    ck_assert_str_eq(text_of(only(plugin.inner, 1)), "hparams");
    span start = only(only(plugin.inner, 2).inner, 3).inner;
    ck_assert(double_of(only(start, 5)) > 1e9);
    c->hparams = "";
    while (next_field(&start, &f)) {
        if (f.number != 1) continue;
        const char *key = text_of(only(f.inner, 1));
        span v = only(f.inner, 2).inner;
        ck_assert(next_field(&v, &f) && v.p == v.end);
        const char *text = f.number == 2   ? cak_arena_print(a, "n:%g", double_of(f))
                           : f.number == 3 ? cak_arena_print(a, "t:%s", text_of(f))
                                           : cak_arena_print(a, "b:%d", (int)f.v);
        c->hparams = cak_arena_print(a, "%s%s=%s ", c->hparams, key, text);
    }
}

static void read_summary(contents *c, span s, int64_t step)
{
    for (field f; next_field(&s, &f);) {
        ck_assert_int_eq(f.number, 1);
        const char *tag = text_of(only(f.inner, 1));
        if (!strcmp(tag, "_hparams_/session_start_info")) read_hparams(c, f.inner);
        else read_scalar(c, tag, only(f.inner, 2), step);
    }
}

/* A restart takes back everything from its step on. */
static void restart(contents *c, span log, int64_t step)
{
    int n = 0;
    ck_assert_int_eq(only(log, 1).v, 1);
    for (int i = 0; i < c->n; i++)
        if (c->point[i].step < step) c->point[n++] = c->point[i];
    c->n = n;
    c->restarts++;
}

static void read_event(contents *c, span s)
{
    int64_t step = 0;
    for (field f; next_field(&s, &f);) {
        if (f.number == 1) c->time = double_of(f);
        if (f.number == 2) step = (int64_t)f.v;
        if (f.number == 3) c->versions += !strcmp(text_of(f), "brain.Event:2");
        if (f.number == 5) read_summary(c, f.inner, step);
        if (f.number == 7) restart(c, f.inner, step);
    }
}

static void read_file(contents *c, const char *path)
{
    size_t size;
    span s = { (unsigned char *)cak_io_read_all(a, d, CAK_E4002, path, 0, &size), NULL };
    ck_assert_ptr_nonnull(s.p);
    s.end = s.p + size;
    for (int record = 0; s.p < s.end; record++) {
        const unsigned char *head = s.p;
        uint64_t n = fixed(&s, 8);
        ck_assert_uint_eq(fixed(&s, 4), masked(head, 8));
        ck_assert((uint64_t)(s.end - s.p) >= n + 4);
        span event = { s.p, s.p + n };
        s.p += n;
        ck_assert_uint_eq(fixed(&s, 4), masked(event.p, n));
        read_event(c, event);
        if (record == 0) ck_assert_int_eq(c->versions, ++c->files); /* every file says first what it is */
    }
}

/* All event files of a run, in the order of their names. */
static contents read_events(const char *dir)
{
    int n;
    contents c = { 0 };
    const cak_io_entry *entry = cak_io_list(a, d, cak_arena_print(a, "%s/tb", dir), &n);
    for (int i = 0; i < n; i++) read_file(&c, cak_arena_print(a, "%s/tb/%s", dir, entry[i].name));
    return c;
}

/* ---- the writer ---- */

START_TEST(checksums)
{
    static const unsigned char zeros[32];
    ck_assert_uint_eq(crc32c((const unsigned char *)"123456789", 9), 0xe3069283); /* the check value of CRC-32C */
    ck_assert_uint_eq(crc32c(zeros, 32), 0x8a9136aa);                             /* RFC 3720 */
    unsigned char text[300];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (unsigned char)(i * i + 7 * i);
    for (size_t n = 0; n < sizeof text; n++) ck_assert_uint_eq(cak_crc32c_masked(text, n), masked(text, n));
}
END_TEST

/* Lengths of one, two and three bytes, inside each other. */
START_TEST(messages)
{
    static const int size[] = { 0, 1, 126, 127, 128, 16382, 16384, 70000 };
    begin();
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        char *text = cak_arena_alloc(a, (size_t)size[i] + 1);
        memset(text, 'x', (size_t)size[i]);
        cak_event_bytes b = { .a = a };
        int outer = cak_message_begin(&b, 3), inner = cak_message_begin(&b, 200);
        cak_field_text(&b, 15, text);
        cak_message_end(&b, inner);
        cak_field_int(&b, 16, UINT64_MAX);
        cak_message_end(&b, outer);
        span all = { b.p, b.p + b.n }, in_outer = only(all, 3).inner;
        ck_assert_str_eq(text_of(only(only(in_outer, 200).inner, 15)), text);
        ck_assert(only(in_outer, 16).v == UINT64_MAX);
    }
    end();
}
END_TEST

static const double session_time = 1795554424.25;

static cak_tensorboard_session session(void)
{
    static const char *const override[] = { "++drop=true", "hp.lr=1e-4", "model=film", "+log.tensorboard=true" };
    return (cak_tensorboard_session){
        .name = "lr", .seed = 7, .override = override, .n_overrides = 4, .resumed = true, .step = 300, .time = session_time
    };
}

/* The bytes that TensorBoard's own classes and its record writer give for these events. */
START_TEST(bytes_of_tensorboard)
{
    static const char want[] =
        "1800000000000000a37f4b22090000101e7fc1da411a0d627261696e2e4576656e743a32eafa183c100000000000000095fbfe18090000101e7fc1da"
        "4110ad023a0208013188ffbaa10000000000000002e3241b090000101e7fc1da412a95010a92010a1c5f68706172616d735f2f73657373696f6e5f73"
        "746172745f696e666f42060801120212004a6a0a680a0768706172616d73125d1a5b0a0a0a0464726f70120220010a120a0568702e6c721209112d43"
        "1cebe2361a3f0a0f0a056d6f64656c12061a0466696c6d0a0c0a046e616d6512041a026c720a110a04736565641209110000000000001c4029000010"
        "1e7fc1da415b631b782f000000000000006d5d1d50090000501e7fc1da411090032a210a100a09635f6c6f73732f6770150000c0bf0a0d0a06675f6c"
        "6f7373150000807ff0521a21";
    begin();
    cak_tensorboard_session s = session();
    cak_tensorboard *t = cak_tensorboard_open(d, root, &s);
    const cak_field metric[] = { { "c_loss.gp", false }, { "g_loss", true } };
    cak_tensorboard_scalars(t, session_time + 1, 400, "", (cak_fields){ metric, 2 }, (double[]){ -1.5, (double)INFINITY });
    cak_tensorboard_close(t);
    int n;
    size_t size;
    const cak_io_entry *entry = cak_io_list(a, d, in("tb"), &n);
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(strncmp(entry[0].name, "events.out.tfevents.1795554424.", 31), 0);
    const char *end_of_name = cak_arena_print(a, ".%ld.0", (long)getpid());
    ck_assert_str_eq(entry[0].name + strlen(entry[0].name) - strlen(end_of_name), end_of_name);
    const char *got = cak_io_read_all(a, d, CAK_E4002, cak_arena_print(a, "%s/tb/%s", root, entry[0].name), 0, &size);
    char *hex = cak_arena_alloc(a, 2 * size + 1);
    for (size_t i = 0; i < size; i++) snprintf(hex + 2 * i, 3, "%02x", (unsigned char)got[i]);
    ck_assert_str_eq(hex, want);
    end();
}
END_TEST

START_TEST(hyperparameters)
{
    static const char *const override[] = {
        "+a.b=x=y", "~train.guard",         "n=-2.5", "limit=inf", "no=false", "text='1'", "list=[1, 2]",
        "empty=",   "log.tensorboard=true",
    };
    begin();
    cak_tensorboard_session s = { .name = "r", .seed = 9000000000000000, .override = override, .n_overrides = 9, .time = 2e9 };
    cak_tensorboard_close(cak_tensorboard_open(d, root, &s));
    contents c = read_events(root);
    ck_assert_str_eq(c.hparams, "a.b=t:x=y ~train.guard=t: n=n:-2.5 limit=t:inf no=b:0 text=t:'1' list=t:[1, 2] empty=t: "
                                "name=t:r seed=n:9e+15 ");
    ck_assert(c.n == 0 && c.restarts == 0 && c.time == 2e9);
    end();
}
END_TEST

static void put_point(cak_tensorboard *t, uint64_t step, double value)
{
    cak_tensorboard_scalars(t, 2e9, step, "", (cak_fields){ &(cak_field){ "x", false }, 1 }, &value);
}

/* A process was killed at step 30, the next one goes on from the checkpoint at step 20; the clock went back, or stood still. */
START_TEST(a_resume_takes_back_what_is_repeated)
{
    begin();
    cak_tensorboard_session s = { .name = "r", .time = 2e9 };
    cak_tensorboard *t = cak_tensorboard_open(d, root, &s);
    for (uint64_t step = 10; step <= 30; step += 10) put_point(t, step, (double)step);
    cak_tensorboard_close(t);
    for (int k = 0; k < 3; k++) {
        s = (cak_tensorboard_session){ .name = "r", .time = 1.9e9, .resumed = true, .step = 20 };
        t = cak_tensorboard_open(d, root, &s);
        put_point(t, 25, k);
        cak_tensorboard_close(t);
    }
    contents c = read_events(root);
    ck_assert(c.versions == 4 && c.restarts == 3 && c.n == 3);
    ck_assert(c.point[0].step == 10 && c.point[1].step == 20 && c.point[2].step == 25);
    ck_assert(c.point[1].value == 20 && c.point[2].value == 2);
    int n;
    const cak_io_entry *entry = cak_io_list(a, d, in("tb"), &n);
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(strncmp(entry[i].name, cak_arena_print(a, "events.out.tfevents.200000000%d.", i), 31), 0);
    ck_assert(n == 4 && entry[3].name[strlen(entry[3].name) - 1] == '3');
    end();
}
END_TEST

static uint64_t bytes_written(void)
{
    int n;
    const cak_io_entry *entry = cak_io_list(a, d, in("tb"), &n);
    ck_assert_int_eq(n, 1);
    return entry[0].size;
}

START_TEST(points_wait_for_a_flush)
{
    begin();
    cak_tensorboard_session s = { .name = "r", .time = 2e9 };
    cak_tensorboard *t = cak_tensorboard_open(d, root, &s);
    uint64_t before = bytes_written();
    ck_assert_uint_gt(before, 0); /* TensorBoard sees the run at once */
    put_point(t, 1, 1);
    ck_assert_uint_eq(bytes_written(), before);
    cak_tensorboard_flush(t);
    ck_assert_uint_gt(bytes_written(), before);
    before = bytes_written();
    for (uint64_t i = 0; i < 3000; i++) put_point(t, i, 1); /* long epochs */
    ck_assert_uint_gt(bytes_written(), before + 60000);
    cak_tensorboard_close(t);
    ck_assert_int_eq(read_events(root).n, 3001);
    end();
}
END_TEST

/* ---- what cannot be written ---- */

static void expect_warning(const char *text)
{
    const char *got = printed(a, d), *first = strstr(got, "nothing more is written for TensorBoard: ");
    ck_assert_int_eq(cak_diag_errors(d), 0);
    ck_assert_msg(first && strstr(first, text), "%s", got);
    ck_assert_ptr_null(strstr(first + 1, "nothing more")); /* once */
    cak_diag_clear(d);
}

static void cannot_open(const char *text)
{
    cak_tensorboard_session s = { .name = "r", .time = 2e9 };
    ck_assert_ptr_null(cak_tensorboard_open(d, root, &s));
    expect_warning(text);
}

START_TEST(no_place_for_the_file)
{
    begin();
    FILE *f = fopen(in("tb"), "w");
    fclose(f);
    cannot_open("Not a directory");
    ck_assert_int_eq(unlink(in("tb")), 0);
    ck_assert_int_eq(symlink(temp_dir(), in("tb")), 0);
    cannot_open("symbolic link");
    root = in("absent");
    cannot_open("No such file");
    cak_tensorboard_flush(NULL);
    put_point(NULL, 1, 1);
    end();
}
END_TEST

static void limit_size(rlim_t size)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size;
    setrlimit(RLIMIT_FSIZE, &limit);
}

START_TEST(a_full_disk)
{
    begin();
    cak_tensorboard_session s = { .name = "r", .time = 2e9 };
    cak_tensorboard *t = cak_tensorboard_open(d, root, &s);
    put_point(t, 1, 1);
    cak_tensorboard_flush(t);
    rlim_t limit = bytes_written() + 10;
    put_point(t, 2, 1);
    limit_size(limit);
    cak_tensorboard_flush(t);
    limit_size(RLIM_INFINITY);
    expect_warning("File too large");
    put_point(t, 3, 1);
    cak_tensorboard_close(t);
    ck_assert_str_eq(printed(a, d), "");
    ck_assert_int_eq(read_events(root).n, 1); /* whole records */
    end();
}
END_TEST

/* ---- a run ---- */

enum { ITEMS = 7, BATCH = 3, SIDE = 24, PORTS = 3 };

static void open_batch(void *ld, int64_t epoch, int64_t first) { *(int64_t *)ld = 100 * epoch + first; }

static bool read_row(void *ld, cak_diag *diag, int port, int64_t sample, real *out)
{
    (void)diag;
    uint32_t state = (uint32_t)(*(int64_t *)ld + sample) * 2654435761u + (uint32_t)port;
    for (int i = 0; i < (port == 2 ? 1 : SIDE * SIDE); i++) {
        state = state * 1664525u + 1013904223u;
        out[i] = (real)(state >> 8) / (1 << 24);
    }
    return true;
}

static const cak_stage_ops ops = { .open_batch = open_batch, .read_row = read_row };

/* Train, or go on; stop_after as in cak_train_options. */
static int train(const char *steps, const char *guard, bool resume, int64_t stop_after)
{
    const char *const overrides[] = { "train.epochs=4", "+log.tensorboard=true", "train.checkpoint.every_steps=2", steps, guard };
    cak_shape image = CAK_SHAPE(1, SIDE, SIDE);
    cak_loader_info info = { .n_ports = PORTS,
                             .items = ITEMS,
                             .batch = BATCH,
                             .port = { { "input", image }, { "target", image }, { "control", CAK_SHAPE(1) } } };
    cak_config *c = cak_config_load(d, "configs/tiny/synth.yaml", overrides, 5);
    cak_experiment *x = cak_experiment_open(c);
    real *port[PORTS];
    for (int i = 0; i < PORTS; i++) port[i] = cak_arena_alloc(x->arena, BATCH * SIDE * SIDE * sizeof(real));
    ck_assert(cak_experiment_build(x, &info) && cak_experiment_ready(x, port));
    cak_run_spec spec = { .dir = in("run"), .name = "s", .config_digest = "0123456789abcdef0123456789abcdef" };
    cak_run *run = resume ? cak_run_open(d, in("run")) : cak_run_create(d, &spec);
    ck_assert_ptr_nonnull(run);
    if (!resume) ck_assert(cak_run_write(d, run, "overrides.txt", "hp.lr=1e-3\n"));
    int64_t place = 0;
    cak_train_options o = { .progress = CAK_PROGRESS_NONE, .resume = resume, .stop_after = stop_after };
    int code = cak_train(x, &(cak_batches){ &ops, &place, "digest" }, port, run, &o);
    cak_run_close(run);
    cak_experiment_close(x);
    cak_config_close(c);
    return code;
}

static const point *find(const contents *c, const char *tag, int64_t step)
{
    const point *found = NULL;
    for (int i = 0; i < c->n; i++)
        if (c->point[i].step == step && !strcmp(c->point[i].tag, tag)) {
            ck_assert_msg(!found, "%s is there twice at step %d", tag, (int)step);
            found = &c->point[i];
        }
    ck_assert_msg(found, "%s is missing at step %d", tag, (int)step);
    return found;
}

static bool near(float x, double y) { return x == (float)y || (isnan(x) && isnan(y)) || fabs((double)x - y) <= 2e-7 * fabs(y); }

/* Number of values of a table that are points of the files; more: steps that are added to a record's own. */
static int count_points(const contents *c, const char *kind, const char *folder, int more, int every)
{
    int n = 0;
    const cak_metrics_table *t = cak_metrics_read(a, d, in("run"), kind);
    int step = cak_metrics_column(t, "step");
    for (int r = 0; r < t->n_rows; r++)
        for (int k = 0; k < t->n_names; k++) {
            const char *name = t->name[k];
            int64_t at = (int64_t)t->value[r * t->n_names + step] + more;
            if (at % every || cak_metrics_is_place(name) || !strcmp(name, "wall") || !strcmp(name, "batch")) continue;
            char *tag = cak_arena_print(a, "%s%s", folder, name);
            for (char *p = tag; *p; p++)
                if (*p == '.') *p = '/';
            ck_assert_msg(near(find(c, tag, at)->value, t->value[r * t->n_names + k]), "%s at step %d", tag, (int)at);
            n++;
        }
    return n;
}

START_TEST(epochs_of_a_run)
{
    begin();
    ck_assert_int_eq(train("+log.tensorboard_steps=0", "hp.lr=1e-3", false, 0), CAK_EXIT_OK);
    contents c = read_events(in("run"));
    ck_assert(c.versions == 1 && c.restarts == 0 && fabs(c.time - (double)time(NULL)) < 60);
    ck_assert_str_eq(c.hparams, "hp.lr=n:0.001 name=t:synth seed=n:0 ");
    int n = count_points(&c, "epoch", "", 0, 1);
    ck_assert(n == c.n && n >= 4 * 8);
    end();
}
END_TEST

/* Stopped in an epoch and resumed, twice: every value of the log once, however many files there are. */
START_TEST(steps_of_a_resumed_run)
{
    begin();
    ck_assert_int_eq(train("+log.tensorboard_steps=2", "hp.lr=1e-3", false, 4), CAK_EXIT_STOPPED);
    ck_assert_int_eq(train("+log.tensorboard_steps=2", "hp.lr=1e-3", true, 5), CAK_EXIT_STOPPED);
    ck_assert_int_eq(train("+log.tensorboard_steps=2", "hp.lr=1e-3", true, 0), CAK_EXIT_OK);
    contents c = read_events(in("run"));
    ck_assert(c.versions == 3 && c.restarts == 2);
    int n = count_points(&c, "epoch", "", 0, 1), m = count_points(&c, "step", "steps/", 1, 2);
    ck_assert(n + m == c.n && n >= 4 * 8 && m > 6 * 8);
    end();
}
END_TEST

/* The step in which a run diverges is there, too. */
START_TEST(a_run_that_diverges)
{
    begin();
    ck_assert_int_eq(train("+log.tensorboard_steps=1", "train.guard.abs_loss=1e-3", false, 0), CAK_EXIT_DIVERGED);
    contents c = read_events(in("run"));
    ck_assert_int_gt(c.n, 0);
    ck_assert_int_eq(count_points(&c, "step", "steps/", 1, 1), c.n);
    end();
}
END_TEST

SUITE(tensorboard, checksums, messages, bytes_of_tensorboard, hyperparameters, a_resume_takes_back_what_is_repeated,
      points_wait_for_a_flush, no_place_for_the_file, a_full_disk, epochs_of_a_run, steps_of_a_resumed_run, a_run_that_diverges)
