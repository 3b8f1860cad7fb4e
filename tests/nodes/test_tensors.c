/* tensors: batches from a safetensors file. */
#include <string.h>

#include "graph/safetensors.h"
#include "tests/support/sound_test.h"

extern const cak_node cak_node_tensors;
static const cak_node *const node = &cak_node_tensors;

enum { ITEMS = 6, SIZE = 6 };
static float input[ITEMS * SIZE], control[ITEMS];

typedef struct opened {
    cak_arena *a;
    cak_diag *d;
    cak_loader_info info;
    void *ld;
} opened;

static opened open_file(const char *dir, const char *yaml, const cak_prepared *in)
{
    opened o = { .a = cak_arena_open("test"), .d = cak_diag_open() };
    o.ld = node->stage->open_loader(o.a, o.d, stage_attr(o.a, o.d, node, yaml), CAK_NOWHERE, dir, 7, in, &o.info);
    return o;
}

static void close_all(opened *o)
{
    if (o->ld) node->stage->close_loader(o->ld);
    cak_diag_close(o->d);
    cak_arena_close(o->a);
}

static void expect_error(opened *o, cak_code code, const char *text)
{
    ck_assert_ptr_null(o->ld);
    ck_assert_int_eq(cak_diag_code(o->d, 0), code);
    ck_assert_msg(strstr(cak_diag_message(o->d, 0), text) != NULL, "%s", cak_diag_message(o->d, 0));
    close_all(o);
}

static void save(const char *dir, const char *name, const cak_tensor *t, int n)
{
    char path[512];
    cak_diag *d = cak_diag_open();
    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert(cak_tensors_save(d, path, t, n, NULL, 0));
    cak_diag_close(d);
}

/* Item i has the values 10 i + 0 .. 5 and the control i. */
static const char *make_file(void)
{
    const char *dir = temp_dir();
    for (int i = 0; i < ITEMS; i++) {
        for (int k = 0; k < SIZE; k++) input[i * SIZE + k] = (float)(10 * i + k);
        control[i] = (float)i;
    }
    const cak_tensor t[] = {
        { "input", "F32", CAK_SHAPE(ITEMS, 1, 2, 3), input, sizeof input },
        { "control", "F32", CAK_SHAPE(ITEMS), control, sizeof control },
        { "other", "F32", CAK_SHAPE(ITEMS, 1), control, sizeof control },
        { "short", "F32", CAK_SHAPE(ITEMS - 1), control, sizeof control - sizeof *control },
        { "scalar", "F32", CAK_SCALAR, control, sizeof *control },
    };
    save(dir, "t.safetensors", t, 5);
    save(dir, "foreign.safetensors", t + 2, 2);
    return dir;
}

START_TEST(ports)
{
    opened o = open_file(make_file(), "{path: t.safetensors, batch: 4, alpha: other, drop_last: true}", NULL);
    ck_assert_ptr_nonnull(o.ld);
    static const char *const names[] = { "input", "control", "alpha" };
    ck_assert_int_eq(o.info.n_ports, 3);
    for (int i = 0; i < 3; i++) ck_assert_str_eq(o.info.port[i].name, names[i]);
    ck_assert(o.info.port[0].shape.rank == 3 && o.info.port[0].shape.dim[2] == 3);
    ck_assert(o.info.port[1].shape.rank == 0 && o.info.port[2].shape.rank == 1);
    ck_assert(o.info.items == ITEMS && o.info.batch == 4 && o.info.drop_last && o.info.shuffle);
    close_all(&o);
}
END_TEST

static void read(opened *o, int64_t epoch, int64_t first, int n, real *const *port)
{
    node->stage->open_batch(o->ld, epoch, first);
    for (int k = 0; k < o->info.n_ports; k++)
        for (int b = 0; b < n; b++)
            ck_assert(node->stage->read_row(o->ld, o->d, k, b, port[k] + b * cak_shape_size(&o->info.port[k].shape)));
}

START_TEST(batches)
{
    real x[ITEMS * SIZE], c[ITEMS], alpha[ITEMS];
    real *const port[] = { x, c, alpha };
    const char *dir = make_file();
    opened o = open_file(dir, "{path: t.safetensors, alpha: other, shuffle: false}", NULL);
    read(&o, 0, 2, 3, port);
    for (int i = 0; i < 3; i++) {
        ck_assert(c[i] == i + 2 && alpha[i] == i + 2);
        for (int k = 0; k < SIZE; k++) ck_assert(x[i * SIZE + k] == 10 * (i + 2) + k);
    }
    close_all(&o);
    o = open_file(dir, "{path: t.safetensors, alpha: other}", NULL);
    int moved = 0;
    for (int epoch = 0; epoch < 5; epoch++) {
        int seen[ITEMS] = { 0 };
        read(&o, epoch, 0, ITEMS, port);
        for (int i = 0; i < ITEMS; i++) {
            ck_assert_uint_eq(node->stage->row_id(o.ld, i), (uint64_t)c[i]);
            ck_assert(x[i * SIZE] == 10 * c[i] && alpha[i] == c[i]);
            seen[(int)c[i]]++;
            moved += (int)c[i] != i;
        }
        for (int i = 0; i < ITEMS; i++) ck_assert_int_eq(seen[i], 1);
    }
    ck_assert_int_gt(moved, 5);
    close_all(&o);
}
END_TEST

START_TEST(errors)
{
    const char *dir = make_file();
    cak_prepared in = { .n = 2, .shape = CAK_SHAPE(1, 2, 3) };
    opened o = open_file(dir, "{path: t.safetensors}", &in);
    expect_error(&o, CAK_E3004, "takes no input");
    o = open_file(dir, "{path: absent.safetensors}", NULL);
    expect_error(&o, CAK_E2005, "absent.safetensors");
    o = open_file(dir, "{path: t.safetensors, input: nothing}", NULL);
    expect_error(&o, CAK_E2005, "holds no tensor 'nothing'");
    o = open_file(dir, "{path: t.safetensors, alpha: short}", NULL);
    expect_error(&o, CAK_E2005, "tensor 'short'");
    o = open_file(dir, "{path: t.safetensors, alpha: scalar}", NULL);
    expect_error(&o, CAK_E2005, "is a scalar");
    o = open_file(dir, "{path: foreign.safetensors}", NULL);
    expect_error(&o, CAK_E2005, "neither input, target, control nor alpha");
}
END_TEST

SUITE(tensors, ports, batches, errors)
