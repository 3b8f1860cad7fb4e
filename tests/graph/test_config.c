/* Configurations: composition, overrides, interpolation, typed reading, attribute structs. */
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "graph/config.h"
#include "graph/graph.h"
#include "graph/number.h"
#include "graph/text.h"
#include "tests/support/suite.h"

static cak_diag *d;
static cak_arena *a;
static const char *dir; /* a new directory with the files of the test */

static void begin(void) { d = cak_diag_open(), a = cak_arena_open("test"), dir = temp_dir(); }
static void end(void) { cak_diag_close(d), cak_arena_close(a); }

static const char *file(const char *name, const char *text)
{
    const char *path = cak_arena_print(a, "%s/%s", dir, name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    mkdir(path, 0777);
    *slash = '/';
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static const char *first_error(void) { return cak_diag_errors(d) ? cak_diag_message(d, 0) : "no error"; }

/* The resolved text of main.yaml under overrides that end with NULL; or NULL. */
#define RESOLVE(...) resolve_main((const char *const[]){ NULL, ##__VA_ARGS__, NULL } + 1)
static cak_config *load_main(const char *const *overrides)
{
    int n = 0;
    while (overrides[n]) n++;
    cak_diag_clear(d);
    return cak_config_load(d, cak_arena_print(a, "%s/main.yaml", dir), overrides, n);
}

static const char *resolve_main(const char *const *overrides)
{
    cak_config *c = load_main(overrides);
    const char *text = c ? cak_arena_text(a, cak_config_text(c)) : NULL;
    cak_config_close(c);
    return cak_diag_errors(d) ? NULL : text;
}

static void resolves(const char *want, const char *got)
{
    ck_assert_msg(got != NULL, "%s", first_error());
    ck_assert_str_eq(got, want);
}

static void fails(const char *got, cak_code code, const char *part)
{
    ck_assert_msg(!got, "accepted: %s", got);
    ck_assert_int_eq(cak_diag_errors(d), 1);
    ck_assert_msg(cak_diag_code(d, 0) == code, "%s: %s", cak_code_name(cak_diag_code(d, 0)), first_error());
    ck_assert_msg(strstr(first_error(), part) != NULL, "'%s' without '%s'", first_error(), part);
}

/* ---- composition ---- */

START_TEST(files_merge_in_order)
{
    begin();
    file("main.yaml", "defaults:\n  - model: cak\n  - base\n  - _self_\n  - last\nhp: {lr: 1, n: 5}\nlist: [1]\n");
    file("model/cak.yaml", "defaults: [sub: deep, _self_]\nmodel: {name: cak, k: 3}\n");
    file("model/film.yml", "model: {name: film}\n");
    file("model/sub/deep.yaml", "model: {name: deep, d: 1}\n");
    file("base.yml", "hp: {lr: 2, m: {x: 1}}\nlist: [1, 2, 3]\n");
    file("last.yaml", "hp: {n: 7, m: {y: 2}}\n");
    resolves("model:\n  name: cak\n  d: 1\n  k: 3\nhp:\n  lr: 1\n  m:\n    x: 1\n    y: 2\n  n: 7\nlist: [1]\n", RESOLVE());
    resolves("model:\n  name: film\nhp:\n  lr: 1\n  m:\n    x: 1\n    y: 2\n  n: 7\nlist: [1]\n", RESOLVE("model=film"));
    resolves("hp:\n  lr: 1\n  m:\n    x: 1\n    y: 2\n  n: 7\nlist: [1]\n", RESOLVE("model=film", "model=null"));
    fails(RESOLVE("model=flim"), CAK_E1101, "the group 'model' has no option 'flim'; did you mean 'film'?");
    ck_assert_str_eq(cak_diag_pos(d, 0).file, "<override 1>");
    ck_assert_int_eq(cak_diag_pos(d, 0).col, 7);
    fails(RESOLVE("sub=x"), CAK_E1101, "the group 'sub' has no option 'x'");
    end();
}
END_TEST

/* Only `group: option` can be selected from. */
START_TEST(a_path_is_no_group)
{
    begin();
    file("main.yaml", "defaults: [model/sub/deep, model/cak, base, _self_]\na: 1\n");
    file("model/cak.yaml", "c: 1\n");
    file("model/sub/deep.yaml", "b: 1\n");
    file("base.yml", "d: 1\n");
    fails(RESOLVE("model=film"), CAK_E1103, "names a file, 'model/cak', where only `- model: cak` could be selected from");
    fails(RESOLVE("sub=film"), CAK_E1103, "names a file, 'model/sub/deep', where only `- sub: deep` could");
    fails(RESOLVE("ub=film"), CAK_E1103, "there is no key 'ub'");
    fails(RESOLVE("base=film"), CAK_E1103, "there is no key 'base'");
    resolves("b: 1\nc: 1\nd: 1\na: 1\nmodel: film\n", RESOLVE("+model=film"));
    end();
}
END_TEST

START_TEST(winners_carry_their_place)
{
    begin();
    file("main.yaml", "defaults: [base, _self_]\nhp:\n  lr: 2\n");
    const char *base = file("base.yaml", "hp:\n  lr: 1\n  n: 5\n");
    cak_config *c = load_main((const char *const[]){ "hp.n=7", NULL });
    ck_assert_msg(c != NULL, "%s", first_error());
    cak_yaml *lr = cak_yaml_path(c->root, "hp.lr"), *n = cak_yaml_path(c->root, "hp.n");
    ck_assert_str_eq(lr->pos.file, cak_arena_print(a, "%s/main.yaml", dir));
    ck_assert_int_eq(lr->pos.line, 3);
    ck_assert_str_eq(lr->key_pos.file, lr->pos.file);
    ck_assert_int_eq(lr->key_pos.line, 3);
    ck_assert_str_eq(lr->remark, "replaces the value given here");
    ck_assert_str_eq(lr->remark_pos.file, base);
    ck_assert_int_eq(lr->remark_pos.line, 2);
    ck_assert_str_eq(n->pos.file, "<override 1>");
    ck_assert_int_eq(n->pos.col, 6);
    ck_assert_str_eq(n->origin, "override 1: hp.n=7");
    ck_assert_str_eq(n->remark, "overrides the value given here");
    ck_assert_int_eq(n->remark_pos.line, 3);
    ck_assert_int_eq(c->n_files, 2);
    ck_assert_str_eq(c->files[1], base);
    cak_config_close(c);
    cak_config_close(NULL);
    end();
}
END_TEST

START_TEST(defaults_go_wrong)
{
    static const struct {
        const char *main;
        cak_code code;
        const char *part;
    } cases[] = {
        { "defaults: [base]\na: 1\n", CAK_E1102, "`- _self_`" },
        { "defaults: base\na: 1\n", CAK_E1102, "is a list" },
        { "defaults: [base, _self_, _self_]\n", CAK_E1102, "twice" },
        { "defaults: [[x], _self_]\n", CAK_E1102, "an entry" },
        { "defaults: [{a: b, c: d}, _self_]\n", CAK_E1102, "an entry" },
        { "defaults: [{a: [b]}, _self_]\n", CAK_E1102, "an entry" },
        { "defaults: ['', _self_]\n", CAK_E1102, "an entry" },
        { "defaults: [bsae, _self_]\n", CAK_E1101, "bsae.yaml'; did you mean 'base'?" },
        { "defaults: [none/x, _self_]\n", CAK_E1101, "there is no file" },
        { "defaults: [/none/x, _self_]\n", CAK_E1101, "there is no file '/none/x.yaml'" },
        { "defaults: [model: cak, _self_]\n", CAK_E1101, "no option 'cak'" },
        { "defaults: [main, _self_]\n", CAK_E1102, "main.yaml -> " },
        { "defaults: [loop, _self_]\n", CAK_E1102, "loop.yaml -> " },
        { "defaults: [broken, _self_]\n", CAK_E1002, "" },
        { "defaults: [wide, wide2, _self_]\n", CAK_E1004, "10000 values" },
        { "defaults: [c0, _self_]\n", CAK_E1102, "deeper than 32 files" },
        { "defaults: []\n", CAK_E1001, "empty configuration" },
        { "{}\n", CAK_E1001, "empty configuration" },
    };
    begin();
    file("base.yaml", "b: 1\n");
    file("loop.yaml", "defaults: [main, _self_]\n");
    file("broken.yaml", "a: [\n");
    cak_text_builder wide = { .a = a }, wide2 = { .a = a };
    for (int i = 0; i < 6000; i++) cak_text_add(&wide, "a%d: 1\n", i), cak_text_add(&wide2, "b%d: 1\n", i);
    file("wide.yaml", cak_text_done(&wide)), file("wide2.yaml", cak_text_done(&wide2));
    for (int i = 0; i < 40; i++) file(cak_arena_print(a, "c%d.yaml", i), cak_arena_print(a, "defaults: [c%d, _self_]\n", i + 1));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        file("main.yaml", cases[i].main);
        fails(RESOLVE(), cases[i].code, cases[i].part);
    }
    cak_text_builder many = { .a = a };
    cak_text_add(&many, "defaults: [");
    for (int i = 0; i < 256; i++) {
        file(cak_arena_print(a, "f%d.yaml", i), "a: 1\n");
        cak_text_add(&many, "f%d, ", i);
    }
    cak_text_add(&many, "_self_]\n");
    file("main.yaml", cak_text_done(&many));
    fails(RESOLVE(), CAK_E1102, "more than 256 files");
    end();
}
END_TEST

START_TEST(errors_of_all_files_are_reported_once)
{
    begin();
    file("main.yaml", "defaults: [x, y, x, nope, _self_]\n");
    file("x.yaml", "a: 1\na: 2\n");
    file("y.yaml", "a: &b 1\n");
    ck_assert(!RESOLVE("oops", "a..b=1"));
    static const cak_code want[] = { CAK_E1104, CAK_E1104, CAK_E1005, CAK_E1003, CAK_E1101 };
    ck_assert_int_eq(cak_diag_errors(d), 5);
    for (int i = 0; i < 5; i++) ck_assert_int_eq(cak_diag_code(d, i), want[i]);
    end();
}
END_TEST

/* ---- overrides ---- */

START_TEST(overrides_change_the_tree)
{
    begin();
    file("main.yaml", "hp: {lr: 1, m: {x: 1, y: 2}}\nlist: [1, {a: 2}]\nempty:\n");
    resolves("hp:\n  lr: 1e-3\n  m:\n    x: 5\n    y: 2\n    z: 3\nlist: [9, 8]\nempty:\n",
             RESOLVE("hp.lr=1e-3", "hp.m={x: 5, z: 3}", "list=[9, 8]"));
    resolves("hp:\n  lr: [1, \"2\"]\n  m: gone\nlist:\n  - 7\n  - a: a=b\n  - new\nempty:\n  k:\n    l: 1\n",
             RESOLVE("hp.lr=[1, '2']", "hp.m=gone", "list.0=7", "list.1.a=a=b", "+list.2=new", "+empty.k.l=1"));
    resolves("hp:\n  m:\n    x: 1\n    y: 2\nlist:\n  - a: 2\nempty: null\nq: 1\nname: caf\xc3\xa9 bar\n",
             RESOLVE("~hp.lr", "~list.0", "empty=null", "++q=0", "++q=1", "+name=caf\xc3\xa9 bar # comment"));
    end();
}
END_TEST

START_TEST(overrides_go_wrong)
{
    static const struct {
        const char *text;
        cak_code code;
        int col;
        const char *part;
    } cases[] = {
        { "hp.lrr=3", CAK_E1103, 1, "there is no key 'hp.lrr'; did you mean 'hp.lr'?" },
        { "lr=3", CAK_E1103, 1, "did you mean 'hp.lr'?" },
        { "ph.lr=3", CAK_E1103, 1, "there is no key 'ph'; did you mean 'hp.lr'?" },
        { "zebra=3", CAK_E1103, 1, "added with '+zebra=3'" },
        { "modle=cak", CAK_E1103, 1, "did you mean 'model'?" },
        { "~hp.nope", CAK_E1103, 2, "there is no key 'hp.nope'" },
        { "hp.lr.x=3", CAK_E1103, 1, "'hp.lr' is a single value" },
        { "list.2=3", CAK_E1103, 1, "there is no key 'list.2'" },
        { "+list.5=3", CAK_E1103, 2, "number 2" },
        { "+hp.lr=3", CAK_E1103, 2, "exists already; it is set with 'hp.lr=3'" },
        { "hp.lr", CAK_E1104, 1, "written name=value" },
        { "~hp.lr=3", CAK_E1104, 2, "write ~hp.lr" },
        { "=3", CAK_E1104, 1, "empty part" },
        { "hp.=3", CAK_E1104, 1, "empty part" },
        { ".hp=3", CAK_E1104, 1, "empty part" },
        { "hp..lr=3", CAK_E1104, 1, "empty part" },
        { "hp.lr = 3", CAK_E1104, 1, "no spaces" },
        { "hp.lr=", CAK_E1104, 7, "missing" },
        { "hp.lr= # x", CAK_E1104, 7, "missing" },
        { "hp.lr=a: b", CAK_E1104, 7, "block" },
        { "hp.lr=- b", CAK_E1104, 7, "block" },
        { "hp.lr=3\r", CAK_E1104, 8, "Windows" },
        { "hp.lr=\x01", CAK_E1104, 7, "0x01" },
        { "hp.lr=\xff", CAK_E1104, 7, "0xff" },
        { "hp.lr=[1, 2", CAK_E1002, 12, "]" },
        { "hp.lr={a: 1, a: 2}", CAK_E1005, 14, "duplicate" },
    };
    begin();
    file("main.yaml", "defaults: [model: cak, _self_]\nhp: {lr: 1, m: {x: 1, y: 2}}\nlist: [1, {a: 2}]\n");
    file("model/cak.yaml", "k: 1\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fails(RESOLVE("hp.lr=2", cases[i].text), cases[i].code, cases[i].part);
        cak_pos at = cak_diag_pos(d, 0);
        ck_assert_str_eq(at.file, "<override 2>");
        ck_assert_msg(at.line == 1 && at.col == cases[i].col, "%s: %d:%d", cases[i].text, at.line, at.col);
    }
    end();
}
END_TEST

/* ---- interpolation ---- */

START_TEST(references_are_replaced)
{
    begin();
    file("main.yaml", "hp: {lr: 1e-4, s: 'q', m: {x: 1, r: \"${hp.lr}\"}}\n"
                      "a: ${hp.lr}\nb: \"${hp.lr}\"\nc: ${hp.s}\nd: run-${hp.lr}-${name}\nname: x\ne: ${f}\nf: ${a}\n"
                      "m: ${hp.m}\nn: ${m.x}\nl: [\"${hp.m.x}\", 2]\ni: ${l.1}\nj: $x {y}\nk: \"1${m.x}\"\n");
    resolves(
        "hp:\n  lr: 1e-4\n  s: \"q\"\n  m:\n    x: 1\n    r: 1e-4\na: 1e-4\nb: 1e-4\nc: \"q\"\nd: run-1e-4-x\nname: x\ne: 1e-4\n"
        "f: 1e-4\nm:\n  x: 1\n  r: 1e-4\nn: 1\nl: [1, 2]\ni: 2\nj: $x {y}\nk: \"11\"\n",
        RESOLVE());
    file("main.yaml", "a: 1\nb: ${a}\nc: see ${d}\nd: 'x: y'\n");
    resolves("a: [2]\nb: [2]\nc: \"see x: y\"\nd: \"x: y\"\n", RESOLVE("a=[2]"));
    resolves("a: 1\nb: z 1\nc: \"see x: y\"\nd: \"x: y\"\n", RESOLVE("b=z ${a}", "c='see ${d}'"));
    resolves("a: [2]\nb: [2]\nc: \"see x #y\"\nd: \"x #y\"\n", RESOLVE("a=[2]", "d='x #y'"));
    setenv("CAK_TEST_NUMBER", "0.5", 1), setenv("CAK_TEST_TEXT", "a: b", 1), unsetenv("CAK_TEST_UNSET");
    file("main.yaml",
         "a: ${env:CAK_TEST_NUMBER}\nb: ${env:CAK_TEST_TEXT}\nc: ${env:CAK_TEST_UNSET,7}\nd: x${env:CAK_TEST_UNSET,}y\n"
         "e: \"${env:CAK_TEST_NUMBER,1}\"\n");
    resolves("a: 0.5\nb: \"a: b\"\nc: 7\nd: xy\ne: 0.5\n", RESOLVE());
    end();
}
END_TEST

START_TEST(references_know_their_source)
{
    begin();
    file("main.yaml", "hp:\n  lr: abc\nx: ${hp.lr}\ny: ${hp.lr}\n");
    cak_config *c = load_main((const char *const[]){ NULL });
    cak_yaml *x = cak_yaml_get(c->root, "x");
    ck_assert_int_eq(x->pos.line, 2);
    ck_assert_int_eq(x->remark_pos.line, 3);
    ck_assert_str_eq(x->remark, "inserted here");
    double v; /* two uses of one wrong value are one mistake */
    ck_assert(!cak_config_num(d, x, &v) && !cak_config_num(d, cak_yaml_get(c->root, "y"), &v));
    ck_assert_int_eq(cak_diag_errors(d), 1);
    ck_assert_int_eq(cak_diag_pos(d, 0).line, 2);
    cak_config_close(c);
    end();
}
END_TEST

START_TEST(references_go_wrong)
{
    static const struct {
        const char *text;
        cak_code code;
        const char *part;
    } cases[] = {
        { "hp: {lr: 1}\na: ${hp.lrr}\nb: ${a}\n", CAK_E1105, "no value 'hp.lrr' to insert; did you mean '${hp.lr}'?" },
        { "hp: 1\na: ${zebra}\n", CAK_E1105, "no value 'zebra'" },
        { "hp: 1\na: ${hp.x}\n", CAK_E1105, "no value 'hp.x'" },
        { "a: ${b}\nb: x ${c}\nc: ${a}\n", CAK_E1105, "circular references: a -> b -> c -> a" },
        { "a: ${a}\n", CAK_E1105, "circular references: a -> a" },
        { "m: {a: \"${m}\"}\n", CAK_E1105, "circular references: m.a -> m.a" },
        { "a: ${b\nb: 1\n", CAK_E1105, "without '}'" },
        { "a: ${b.${c}}\n", CAK_E1105, "inside references" },
        { "a: ${}\n", CAK_E1105, "names nothing" },
        { "m: [1]\na: x ${m}\n", CAK_E1105, "no single value" },
        { "b: '{c}'\na: $${b}\nc: 1\n", CAK_E1105, "new reference" },
        { "a: ${env:CAK_TEST_UNSET}\n", CAK_E1105, "is not set" },
        { "a: ${env:CAK_TEST_BAD}\n", CAK_E1105, "no usable text" },
        { "a: ${env:CAK_TEST_REFERENCE}\n", CAK_E1105, "no usable text" },
    };
    begin();
    unsetenv("CAK_TEST_UNSET"), setenv("CAK_TEST_BAD", "\x1b", 1), setenv("CAK_TEST_REFERENCE", "${a}", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        file("main.yaml", cases[i].text);
        fails(RESOLVE(), cases[i].code, cases[i].part);
    }
    end();
}
END_TEST

START_TEST(failed_references_are_reported_once)
{
    static const cak_attr number_rows[] = {
        { .name = "n", .kind = CAK_NUM, .max = 1 },
        { .kind = CAK_END },
    };
    begin();
    file("main.yaml", "a: {n: \"${zebra}\"}\nb: {n: \"${a.n}\"}\nc: {n: \"1${b.n}\"}\nd: {n: 2}\ne: ${f}\n");
    cak_config *c = load_main((const char *const[]){ NULL });
    ck_assert_ptr_nonnull(c);
    ck_assert_int_eq(cak_diag_errors(d), 2); /* zebra, f */
    double n;
    for (const char *map = "abc"; *map; map++)
        ck_assert(!cak_config_read(a, d, cak_yaml_step(c->root, map, 1), number_rows, &n, "map", NULL, NULL));
    ck_assert_int_eq(cak_diag_errors(d), 2);
    ck_assert(!cak_config_read(a, d, cak_yaml_get(c->root, "d"), number_rows, &n, "map", NULL, NULL));
    ck_assert_int_eq(cak_diag_errors(d), 3);
    cak_config_close(c);
    end();
}
END_TEST

START_TEST(every_bad_override_is_reported)
{
    begin();
    file("main.yaml", "hp: {lr: 1}\nx: ${zebra}\n");
    cak_config *c =
        load_main((const char *const[]){ "hp.lrr=1", "hp.=2", "hp.lr", "~hp.lr=1", "hp.lr=", "+hp.lr=1", "hp.lr=3", NULL });
    ck_assert_ptr_nonnull(c);
    ck_assert_int_eq(cak_diag_errors(d), 7); /* the reference too */
    ck_assert_str_eq(cak_yaml_path(c->root, "hp.lr")->text, "3");
    cak_config_close(c);
    end();
}
END_TEST

START_TEST(synonyms)
{
    static const char *const known[] = { "lr", "weight", "batch", NULL };
    static const struct {
        const char *key, *message;
    } cases[] = { { "learning_rate", "unknown key 'learning_rate' in map; did you mean 'lr'?" },
                  { "batch_size", "unknown key 'batch_size' in map; did you mean 'batch'?" },
                  { "weight_decay", "unknown key 'weight_decay' in map" },
                  { "kernel_size", "unknown key 'kernel_size' in map" } }; /* `kernel` is no key of this map */
    begin();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        file("main.yaml", cak_arena_print(a, "%s: 1\n", cases[i].key));
        cak_config *c = load_main((const char *const[]){ NULL });
        ck_assert(!cak_config_unused(d, c->root, "map", known));
        ck_assert_str_eq(first_error(), cases[i].message);
        cak_config_close(c);
    }
    end();
}
END_TEST

START_TEST(references_cannot_explode)
{
    begin();
    cak_text_builder maps = { .a = a }, texts = { .a = a }, chain = { .a = a }, deep = { .a = a };
    cak_text_add(&maps, "m0: {x: 1}\n"), cak_text_add(&texts, "t0: 0123456789\n"), cak_text_add(&deep, "d0: 1\n");
    for (int i = 1; i < 30; i++) {
        cak_text_add(&maps, "m%d: [\"${m%d}\", \"${m%d}\"]\n", i, i - 1, i - 1);
        cak_text_add(&texts, "t%d: ${t%d}${t%d}\n", i, i - 1, i - 1);
    }
    for (int i = 1; i < 40; i++) cak_text_add(&deep, "d%d: [\"${d%d}\"]\n", i, i - 1);
    for (int i = 0; i < 70; i++) cak_text_add(&chain, "c%d: ${c%d}\n", i, i + 1);
    file("main.yaml", cak_text_done(&maps));
    ck_assert(!RESOLVE());
    ck_assert_int_eq(cak_diag_code(d, 0), CAK_E1004);
    file("main.yaml", cak_text_done(&texts));
    ck_assert(!RESOLVE());
    ck_assert_int_eq(cak_diag_code(d, 0), CAK_E1004);
    file("main.yaml", cak_text_done(&deep));
    ck_assert(!RESOLVE());
    ck_assert_int_eq(cak_diag_code(d, 0), CAK_E1004);
    cak_text_add(&chain, "c70: 1\n");
    file("main.yaml", cak_text_done(&chain));
    fails(RESOLVE(), CAK_E1105, "64 references");
    end();
}
END_TEST

START_TEST(resolved_text_reproduces_itself)
{
    begin();
    file("main.yaml", "defaults: [base, _self_]\na: ${b.c}\nn: [1.0e-4, .5, 1e-4]\nq: '1'\nt: \"a\\nb\"\n");
    file("base.yaml", "b: {c: [x, {y: z}]}\n");
    cak_config *c = load_main((const char *const[]){ "b.c.0=w", NULL });
    const char *text = cak_arena_text(a, cak_config_text(c));
    char hex[33], again[33];
    cak_config_digest(c, hex);
    ck_assert_int_eq(strlen(hex), 32);
    cak_config_close(c);
    file("main.yaml", text);
    c = load_main((const char *const[]){ NULL });
    ck_assert_str_eq(cak_config_text(c), text);
    cak_config_digest(c, again);
    ck_assert_str_eq(hex, again);
    cak_config_close(c);
    file("main.yaml", "a: 1\n");
    c = load_main((const char *const[]){ NULL });
    cak_config_digest(c, hex);
    ck_assert_str_eq(hex, "89cb548ce8c9c3163f958f84b9002113");
    cak_config_close(c);
    file("main.yaml", "log: {tensorboard: true}\na: 1\n"); /* says nothing about results */
    c = load_main((const char *const[]){ NULL });
    cak_config_digest(c, again);
    ck_assert_str_eq(hex, again);
    ck_assert_ptr_nonnull(strstr(cak_config_text(c), "tensorboard"));
    cak_config_close(c);
    end();
}
END_TEST

/* ---- typed reading ---- */

static cak_yaml *scalar(const char *text)
{
    cak_yaml *n = cak_yaml_parse(a, d, "t", text, strlen(text));
    ck_assert_ptr_nonnull(n);
    return n;
}

START_TEST(numbers)
{
    static const struct {
        const char *text;
        double want;
    } good[] = {
        { "1e-4", 1e-4 },  { "1.0e-4", 1e-4 },      { ".0001", 1e-4 }, { "5", 5 },
        { "5.", 5 },       { "-.5", -.5 },          { "0", 0 },        { "-0.0", -0.0 },
        { "1E+3", 1000 },  { "0.10", 0.1 },         { "0e5", 0 },      { "1.7976931348623157e308", 1.7976931348623157e308 },
        { "0.0e-999", 0 }, { "4.9e-324", 4.9e-324 }
    };
    static const struct {
        const char *text;
        cak_code code;
        const char *part;
    } bad[] = { { "0x1p-3", CAK_E1201, "got '0x1p-3'; write it in decimal" },
                { "1_000", CAK_E1201, "leave out the '_'" },
                { "010", CAK_E1201, "leading zeros" },
                { "-01.5", CAK_E1201, "leading zeros" },
                { "1e-4x", CAK_E1201, "got '1e-4x'" },
                { "+1", CAK_E1201, "leave out the '+'" },
                { "1,5", CAK_E1201, "decimal sign" },
                { "nan", CAK_E1201, "must be a number" },
                { ".inf", CAK_E1201, "written 'inf'" },
                { "inf", CAK_E1202, "got 'inf'" },
                { "1e999", CAK_E1202, "too large" },
                { "1e-999", CAK_E1202, "too small" },
                { "\"0.1\"", CAK_E1201, "got the text \"0.1\"; remove the quotes" },
                { "\"0.1 \"", CAK_E1201, "got the text \"0.1 \"" },
                { "abc", CAK_E1201, "expected a number, got 'abc'" },
                { ".", CAK_E1201, "" },
                { "-", CAK_E1201, "" },
                { "1e", CAK_E1201, "" },
                { "1e+", CAK_E1201, "" },
                { "e5", CAK_E1201, "" },
                { "1 2", CAK_E1201, "" },
                { "null", CAK_E1201, "" },
                { "[1]", CAK_E1201, "a list" },
                { "{a: 1}", CAK_E1201, "a mapping" },
                { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", CAK_E1201, "...'" } };
    begin();
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        double v = 77;
        ck_assert_msg(cak_config_num(d, scalar(good[i].text), &v), "%s", first_error());
        ck_assert_msg(memcmp(&v, &good[i].want, sizeof v) == 0, "%s -> %.17g", good[i].text, v);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double v = 77;
        cak_diag_clear(d);
        fails(cak_config_num(d, scalar(bad[i].text), &v) ? bad[i].text : NULL, bad[i].code, bad[i].part);
        ck_assert_msg(v == 77, "%s left a value", bad[i].text);
    }
    end();
}
END_TEST

START_TEST(integers_and_bools)
{
    static const struct {
        const char *text;
        cak_code code;
        const char *part;
    } bad_int[] = { { "2.5", CAK_E1201, "expected an integer, got '2.5'" },
                    { "1e3", CAK_E1201, "write 1000" },
                    { "1.0", CAK_E1201, "write 1" },
                    { "0x10", CAK_E1201, "decimal" },
                    { "017", CAK_E1201, "leading zeros" },
                    { "99999999999999999999", CAK_E1202, "too large" },
                    { "'5'", CAK_E1201, "remove the quotes" },
                    { "no", CAK_E1201, "got 'no'" },
                    { "-", CAK_E1201, "" },
                    { "[]", CAK_E1201, "" } },
      bad_bool[] = { { "yes", CAK_E1201, "write true" },
                     { "off", CAK_E1201, "write false" },
                     { "1", CAK_E1201, "write true" },
                     { "True", CAK_E1201, "write true" },
                     { "'true'", CAK_E1201, "remove the quotes" },
                     { "maybe", CAK_E1201, "got 'maybe'" },
                     { "[]", CAK_E1201, "a list" } };
    begin();
    int64_t v;
    bool b;
    ck_assert(cak_config_int(d, scalar("-9223372036854775808"), &v) && v == INT64_MIN);
    ck_assert(cak_config_int(d, scalar("0"), &v) && v == 0);
    ck_assert(cak_config_bool(d, scalar("true"), &b) && b);
    ck_assert(cak_config_bool(d, scalar("false"), &b) && !b);
    for (size_t i = 0; i < sizeof bad_int / sizeof *bad_int; i++) {
        cak_diag_clear(d);
        fails(cak_config_int(d, scalar(bad_int[i].text), &v) ? bad_int[i].text : NULL, bad_int[i].code, bad_int[i].part);
    }
    for (size_t i = 0; i < sizeof bad_bool / sizeof *bad_bool; i++) {
        cak_diag_clear(d);
        fails(cak_config_bool(d, scalar(bad_bool[i].text), &b) ? bad_bool[i].text : NULL, bad_bool[i].code, bad_bool[i].part);
    }
    end();
}
END_TEST

START_TEST(numbers_ignore_the_locale)
{
    static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8" };
    for (size_t i = 0; i < sizeof names / sizeof *names && !setlocale(LC_ALL, names[i]); i++) {}
    double v;
    char buf[CAK_NUMBER_TEXT];
    ck_assert(cak_number_real("0.5", &v) == CAK_NUMBER_OK && v == 0.5);
    ck_assert_str_eq(cak_number_text(0.1, buf), "0.1");
    setlocale(LC_ALL, "C");
    ck_assert_str_eq(cak_number_text(1.0 / 3, buf), "0.3333333333333333");
    ck_assert_str_eq(cak_number_text(5e-324, buf), "4.94065645841247e-324");
    ck_assert_str_eq(cak_number_text(0.1 + 0.2, buf), "0.30000000000000004");
    ck_assert_str_eq(cak_number_text(-INFINITY, buf), "-inf");
}
END_TEST

typedef struct settings {
    int64_t n;
    double lr, limit;
    bool on;
    int32_t kind;
    const char *text, *label;
    cak_ints channels;
    cak_nums betas;
    const cak_module *module;
    cak_ref value;
    cak_shape shape;
} settings;

static const char *const kinds[] = { "adam", "rmsprop", "sgd", NULL };
#define ROW(field_, kind_) .name = #field_, .kind = kind_, .offset = offsetof(settings, field_)
static const cak_attr rows[] = {
    { ROW(n, CAK_INT), .def = 5, .min = 1, .max = 100 },
    { ROW(lr, CAK_NUM), .doc = "step size", .min = 0, .max = 1, .required = true },
    { ROW(limit, CAK_NUM), .def = 10, .min = 0, .max = INFINITY },
    { ROW(on, CAK_BOOL), .def = 1 },
    { ROW(kind, CAK_ENUM), .choices = kinds, .def = 1 },
    { ROW(text, CAK_TEXT), .def_text = "abc" },
    { ROW(label, CAK_TEXT) },
    { ROW(channels, CAK_INTS), .def_text = "[32, 64]", .min = 1, .max = 1e18 },
    { ROW(betas, CAK_NUMS), .def_text = "[0.0, 0.9]", .min = -1e300, .max = 1 },
    { ROW(module, CAK_MODULE), .optional = true },
    { ROW(value, CAK_VALUE), .optional = true },
    { ROW(shape, CAK_SHAPE_OF) },
    { .kind = CAK_END },
};

static bool to_ref(void *ctx, const cak_attr *row, const cak_yaml *value, void *field)
{
    if (row->kind == CAK_MODULE) *(const cak_module **)field = ctx;
    else *(cak_ref *)field = (cak_ref){ (int32_t)strlen(value->text) };
    return true;
}

START_TEST(tables)
{
    begin();
    settings s;
    cak_module m = { .name = "detector" };
    cak_yaml *map = scalar(
        "{n: 7, lr: 1e-4, limit: inf, on: false, kind: sgd, text: no, label: null, channels: [1, 2, 3], betas: 0.5, module: det,"
        " value: mean(x), extra: 1, x-note: 2}");
    ck_assert_msg(cak_config_read(a, d, map, rows, &s, "test", to_ref, &m), "%s", first_error());
    ck_assert(s.n == 7 && s.lr == 1e-4 && isinf(s.limit) && !s.on && s.kind == 2 && !s.label);
    ck_assert_str_eq(s.text, "no");
    ck_assert(s.channels.n == 3 && s.channels.v[2] == 3 && s.betas.n == 1 && s.betas.v[0] == 0.5);
    ck_assert(s.module == &m && s.value.id == 7);
    static const char *const known[] = { "n", "extras", NULL };
    fails(cak_config_unused(d, map, "test", known) ? "all" : NULL, CAK_E1203,
          "unknown key 'extra' in test; did you mean 'extras'?");
    cak_diag_clear(d);
    ck_assert(!cak_config_unused(d, map, "test", NULL));
    cak_yaml_get(map, "extra")->used = true;
    ck_assert(cak_config_unused(d, map, "test", known));
    ck_assert(cak_config_unused(d, NULL, "test", known));
    cak_diag_clear(d);
    ck_assert(cak_config_read(a, d, scalar("{lr: 0, module: ~}"), rows, &s, "test", NULL, NULL));
    ck_assert(s.n == 5 && s.lr == 0 && s.limit == 10 && s.on && s.kind == 1 && !s.label && !s.module && cak_is_none(s.value));
    ck_assert_str_eq(s.text, "abc");
    ck_assert(s.channels.n == 2 && s.channels.v[1] == 64 && s.betas.n == 2 && s.betas.v[1] == 0.9);
    end();
}
END_TEST

START_TEST(tables_go_wrong)
{
    static const struct {
        const char *text;
        cak_code code;
        const char *part;
    } cases[] = {
        { "{n: 1}", CAK_E1204, "test needs the key 'lr': step size" },
        { "[1]", CAK_E1201, "expected a mapping with the keys of 'test', got a list" },
        { "{lr: 2}", CAK_E1202, "expected a number in [0, 1], got '2'" },
        { "{lr: -1}", CAK_E1202, "in [0, 1], got '-1'" },
        { "{lr: inf}", CAK_E1202, "in [0, 1], got 'inf'" },
        { "{lr: 0x1p-3}", CAK_E1201, "expected a number in [0, 1], got '0x1p-3'" },
        { "{lr: }", CAK_E1201, "got nothing" },
        { "{lr: 1, limit: -inf}", CAK_E1202, "expected a number >= 0, got '-inf'" },
        { "{lr: 1, n: 0}", CAK_E1202, "expected an integer in [1, 100], got '0'" },
        { "{lr: 1, n: 101}", CAK_E1202, "got '101'" },
        { "{lr: 1, n: null}", CAK_E1201, "got 'null'" },
        { "{lr: 1, on: yes}", CAK_E1201, "write true" },
        { "{lr: 1, kind: adma}", CAK_E1202, "expected one of adam, rmsprop, sgd, got 'adma'; did you mean 'adam'?" },
        { "{lr: 1, kind: [adam]}", CAK_E1202, "got a list" },
        { "{lr: 1, text: [a]}", CAK_E1201, "expected a text, got a list" },
        { "{lr: 1, text: }", CAK_E1201, "write \"\"" },
        { "{lr: 1, channels: [1, 0]}", CAK_E1202, "expected an integer >= 1, got '0'" },
        { "{lr: 1, channels: {a: 1}}", CAK_E1201, "a list of integers" },
        { "{lr: 1, channels: [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}", CAK_E1202, "17 items" },
        { "{lr: 1, betas: [2]}", CAK_E1202, "expected a number <= 1, got '2'" },
        { "{lr: 1, betas: {a: 1}}", CAK_E1201, "a list of numbers" },
        { "{lr: 1, module: x}", CAK_E1201, "'module' cannot be set here" },
        { "{lr: 1, shape: x}", CAK_E1203, "'shape' is not set in a configuration" },
    };
    begin();
    settings s;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cak_diag_clear(d);
        fails(cak_config_read(a, d, scalar(cases[i].text), rows, &s, "test", NULL, NULL) ? cases[i].text : NULL, cases[i].code,
              cases[i].part);
    }
    cak_diag_clear(d);
    fails(cak_config_read(a, d, NULL, rows, &s, "test", NULL, NULL) ? "nothing" : NULL, CAK_E1204, "needs the key 'lr'");
    cak_diag_clear(d);
    static const cak_attr no_limits[] = { { ROW(lr, CAK_NUM) }, { .kind = CAK_END } };
    fails(cak_config_read(a, d, scalar("{lr: inf}"), no_limits, &s, "test", NULL, NULL) ? "inf" : NULL, CAK_E1202,
          "a number, got 'inf'");
    cak_diag_clear(d);
    ck_assert(!cak_config_read(a, d, scalar("{n: x, lr: x, on: x}"), rows, &s, "test", NULL, NULL));
    ck_assert_int_eq(cak_diag_errors(d), 3);
    end();
}
END_TEST

START_TEST(attribute_structs)
{
    begin();
    settings x, y;
    memset(&x, 0x55, sizeof x), memset(&y, 0xaa, sizeof y); /* padding and unused items must not count */
    cak_attr_defaults(a, rows, &x), cak_attr_defaults(a, rows, &y);
    ck_assert(cak_attr_equal(rows, &x, &y));
    ck_assert_uint_eq(cak_attr_hash(rows, &x), cak_attr_hash(rows, &y));
    ck_assert_str_eq(
        cak_attr_text(a, rows, &x),
        "{n: 5, lr: 0, limit: 10, on: true, kind: rmsprop, text: abc, channels: [32, 64], betas: [0, 0.9], shape: []}");
    cak_module m = { .name = "detector" };
    settings variant[12];
    for (int i = 0; i < 12; i++) variant[i] = x;
    variant[0].n = 6, variant[1].lr = -0.0, variant[2].limit = 11, variant[3].on = false, variant[4].kind = 0,
    variant[5].text = "abd";
    variant[6].label = "", variant[7].channels.n = 1, variant[8].betas.v[1] = 0.8, variant[9].module = &m,
    variant[10].value.id = 3;
    variant[11].shape = CAK_SHAPE(1, 2);
    for (int i = 0; i < 12; i++) {
        ck_assert_msg(!cak_attr_equal(rows, &x, &variant[i]), "%s", rows[i].name);
        ck_assert_msg(cak_attr_hash(rows, &x) != cak_attr_hash(rows, &variant[i]), "%s", rows[i].name);
    }
    x.module = &m, x.value.id = 3, x.channels.n = 0, x.betas.n = 0, x.label = "l", x.shape = CAK_SHAPE(1, 2);
    ck_assert_str_eq(cak_attr_text(a, rows, &x),
                     "{n: 5, lr: 0, limit: 10, on: true, kind: rmsprop, text: abc, label: l, channels: [], betas: [], "
                     "module: detector, value: %3, shape: [1,2]}");
    ck_assert_str_eq(cak_attr_text(a, NULL, NULL), "");
    ck_assert(cak_attr_equal(NULL, NULL, NULL));
    ck_assert_uint_eq(cak_attr_hash(NULL, NULL), 0);
    end();
}
END_TEST

START_TEST(names)
{
    begin();
    char long_name[66];
    memset(long_name, 'a', 65), long_name[65] = 0;
    ck_assert(!cak_config_name(d, long_name, CAK_NOWHERE, "run", true));
    long_name[64] = 0;
    ck_assert(cak_config_name(d, long_name, CAK_NOWHERE, "run", true));
    ck_assert(cak_config_name(d, "a.b-C_9", CAK_NOWHERE, "run", true));
    static const char *const bad[] = { "", ".a", "-a", "a/b", "a b", "../x", "caf\xc3\xa9", "a\n" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cak_diag_clear(d);
        fails(cak_config_name(d, bad[i], CAK_NOWHERE, "run", true) ? bad[i] : NULL, CAK_E1205, "is no run name");
    }
    ck_assert(!cak_config_name(d, "a.b", CAK_NOWHERE, "node", false));
    ck_assert(cak_config_name(d, "ab", CAK_NOWHERE, "node", false));
    end();
}
END_TEST

SUITE(config, files_merge_in_order, a_path_is_no_group, winners_carry_their_place, defaults_go_wrong,
      errors_of_all_files_are_reported_once, overrides_change_the_tree, overrides_go_wrong, references_are_replaced,
      references_know_their_source, references_go_wrong, failed_references_are_reported_once, every_bad_override_is_reported,
      synonyms, references_cannot_explode, resolved_text_reproduces_itself, numbers, integers_and_bools,
      numbers_ignore_the_locale, tables, tables_go_wrong, attribute_structs, names)
