/* YAML trees: places, refusals, limits, round trip. */
#include <stdlib.h>
#include <string.h>

#include "graph/text.h"
#include "graph/yaml.h"
#include "tests/support/suite.h"

static cak_arena *a;
static cak_diag *d;

static void begin(void) { a = cak_arena_open("test"), d = cak_diag_open(); }
static void end(void) { cak_diag_close(d), cak_arena_close(a); }

static cak_yaml *parse_n(const char *text, size_t n)
{
    cak_diag_clear(d);
    return cak_yaml_parse(a, d, "t.yaml", text, n);
}
static cak_yaml *parse(const char *text) { return parse_n(text, strlen(text)); }

static void expect_error(const char *text, size_t n, cak_code code, int line, int col, const char *part)
{
    ck_assert_msg(!parse_n(text, n), "accepted: %.60s", text);
    ck_assert_int_gt(cak_diag_errors(d), 0);
    cak_pos at = cak_diag_pos(d, 0);
    const char *message = cak_diag_message(d, 0);
    ck_assert_msg(cak_diag_code(d, 0) == code, "%s %s for %.60s", cak_code_name(cak_diag_code(d, 0)), message, text);
    ck_assert_msg(at.line == line && at.col == col, "%d:%d %s", at.line, at.col, message);
    ck_assert_msg(strstr(message, part) != NULL, "'%s' without '%s'", message, part);
}

static void same(const cak_yaml *x, const cak_yaml *y)
{
    ck_assert_int_eq(x->kind, y->kind);
    ck_assert_int_eq(x->n, y->n);
    if (x->key) ck_assert_str_eq(x->key, y->key);
    if (x->kind == CAK_YAML_SCALAR) {
        ck_assert_str_eq(x->text, y->text);
        ck_assert_msg(x->quoted == y->quoted, "quotes of '%s'", x->text);
    }
    const cak_yaml *c = y->child;
    cak_yaml_each (b, x) {
        ck_assert_ptr_eq(b->parent, x);
        same(b, c);
        c = c->next;
    }
    ck_assert_ptr_null(c);
}

START_TEST(places)
{
    begin();
    cak_yaml *root = parse("\xef\xbb\xbf# comment\nhp:\n  lr: 1e-4   # small\n  \"caf\xc3\xa9\": ['x', {b: yes}]\n");
    ck_assert_ptr_nonnull(root);
    cak_yaml *lr = cak_yaml_path(root, "hp.lr"), *b = cak_yaml_path(root, "hp.caf\xc3\xa9.1.b");
    ck_assert_int_eq(lr->pos.line, 3);
    ck_assert_int_eq(lr->pos.col, 7);
    ck_assert_int_eq(lr->pos.len, 4);
    ck_assert_int_eq(lr->key_pos.col, 3);
    ck_assert_int_eq(lr->key_pos.len, 2);
    ck_assert_str_eq(lr->pos.file, "t.yaml");
    ck_assert_int_eq(b->pos.line, 4);
    ck_assert_int_eq(b->pos.col, 21);
    char buf[64];
    ck_assert_str_eq(cak_yaml_name(b, buf, sizeof buf), "hp.caf\xc3\xa9.1.b");
    ck_assert_str_eq(cak_yaml_name(root, buf, sizeof buf), "");
    ck_assert_str_eq(cak_yaml_name(lr, buf, 5), "hp.l");
    ck_assert(cak_yaml_path(root, "hp.caf\xc3\xa9.0")->quoted);
    ck_assert(!lr->quoted);
    static const char *const absent[] = { "lr", "hp.lr.x", "hp.caf\xc3\xa9.2", "hp.caf\xc3\xa9.x", "hp..lr", "", "hp." };
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) ck_assert_ptr_null(cak_yaml_path(root, absent[i]));
    ck_assert_ptr_null(cak_yaml_get(NULL, "a"));
    end();
}
END_TEST

START_TEST(refusals)
{
    static const struct {
        const char *text;
        cak_code code;
        int line, col;
        const char *part;
    } cases[] = {
        { "", CAK_E1001, 0, 0, "empty configuration" },
        { "# only\n# comments\n", CAK_E1001, 0, 0, "empty configuration" },
        { "---\n", CAK_E1001, 0, 0, "empty configuration" },
        { "a: 1\nb: 2\na: 3\n", CAK_E1005, 3, 1, "duplicate key 'a'" },
        { "x: [{lr: 1, \"lr\": 2}]\n", CAK_E1005, 1, 13, "duplicate key 'lr'" },
        { "a: &x 1\n", CAK_E1003, 1, 4, "'&x'" },
        { "a: *x\n", CAK_E1003, 1, 4, "'*x'" },
        { "? *x\n: 1\n", CAK_E1003, 1, 3, "a key is a single word" },
        { "a: &x [1]\n", CAK_E1003, 1, 4, "anchors" },
        { "a: &x {b: 1}\n", CAK_E1003, 1, 4, "anchors" },
        { "a: !!python/object:os.system x\n", CAK_E1003, 1, 4, "tags" },
        { "a: !t [1]\n", CAK_E1003, 1, 4, "'!t'" },
        { "a: !t {b: 1}\n", CAK_E1003, 1, 4, "'!t'" },
        { "<<: {b: 1}\n", CAK_E1003, 1, 1, "merge" },
        { "a: 1\n---\nb: 2\n", CAK_E1003, 2, 1, "second document" },
        { "%TAG ! tag:x,2000:\n---\na: 1\n", CAK_E1003, 1, 1, "directives" },
        { "%YAML 1.1\n---\na: 1\n", CAK_E1003, 1, 1, "directives" },
        { "? [a, b]\n: 1\n", CAK_E1003, 1, 3, "a key is a single word" },
        { "{a: 1}: 1\n", CAK_E1003, 1, 1, "a key is a single word" },
        { "'': 1\n", CAK_E1003, 1, 1, "empty" },
        { "a:\n\tb: 1\n", CAK_E1002, 2, 1, "tabs" },
        { "a: \"x\n", CAK_E1002, 1, 6, "quote" },
        { "a: [1, 2\n\n", CAK_E1002, 1, 9, "]" },
        { "a: b: c\n", CAK_E1002, 1, 5, "mapping values" },
        { "a: @b\n", CAK_E1002, 1, 4, "quote text" },
        { "a: 1\n  b: 2\n", CAK_E1002, 2, 4, "mapping values" },
        { "a: \"\\e[1m\"\n", CAK_E1001, 1, 4, "0x1b" },
        { "\"\\b\": 1\n", CAK_E1001, 1, 1, "0x08" },
        { "ab: c\x1b\n", CAK_E1001, 1, 6, "U+001B" },
        { "a: 1\nb: \xff\n", CAK_E1001, 2, 4, "0xff" },
        { "b: \xed\xa0\x80\n", CAK_E1001, 1, 4, "UTF-8" },
        { "b: \xc0\x80\n", CAK_E1001, 1, 4, "UTF-8" },
        { "\xc3\xa9: \xe2\x80\xa8\n", CAK_E1001, 1, 4, "U+2028" },
    };
    begin();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_error(cases[i].text, strlen(cases[i].text), cases[i].code, cases[i].line, cases[i].col, cases[i].part);
    expect_error("\xff\xfe"
                 "a\0:\0",
                 6, CAK_E1001, 1, 1, "UTF-16");
    expect_error("a: \0b\n", 6, CAK_E1001, 1, 4, "U+0000");
    expect_error("a: \"\\0b\"\n", 9, CAK_E1001, 1, 4, "0x00");
    end();
}
END_TEST

START_TEST(all_refusals_of_a_file_are_reported)
{
    begin();
    ck_assert(!parse("a: &x 1\nb: *x\nc: !!int 2\na: {deep: [*y]}\n<<: *x\n? [q, &r s]\n: {t: *u}\nd: 1\nd: 2\n"));
    static const cak_code want[] = { CAK_E1003, CAK_E1003, CAK_E1003, CAK_E1005, CAK_E1003, CAK_E1003, CAK_E1005 };
    ck_assert_int_eq(cak_diag_errors(d), 7);
    for (int i = 0; i < 7; i++) ck_assert_int_eq(cak_diag_code(d, i), want[i]);
    ck_assert_int_eq(cak_diag_pos(d, 6).line, 9);
    end();
}
END_TEST

static const char *repeat(const char *before, const char *part, int n, const char *after)
{
    cak_text_builder b = { .a = a };
    cak_text_add(&b, "%s", before);
    for (int i = 0; i < n; i++) cak_text_add(&b, "%s", part);
    cak_text_add(&b, "%s", after);
    return cak_text_done(&b);
}

static void limit(const char *good, const char *bad, const char *part)
{
    ck_assert_msg(parse(good) != NULL, "%s", cak_diag_errors(d) ? cak_diag_message(d, 0) : "");
    ck_assert_msg(!parse(bad), "accepted beyond: %s", part);
    ck_assert_int_eq(cak_diag_code(d, 0), CAK_E1004);
    ck_assert_msg(strstr(cak_diag_message(d, 0), part) != NULL, "%s", cak_diag_message(d, 0));
    ck_assert_int_eq(cak_diag_errors(d), 1);
}

START_TEST(limits)
{
    begin();
    limit(repeat(repeat("", "[", 32, ""), "]", 32, ""), repeat(repeat("", "[", 33, ""), "]", 33, ""), "deeper than 32");
    limit("a: 1", repeat("", "[", 100000, ""), "deeper than 32");
    limit("a: 1", repeat("", "{a: ", 100000, ""), "deeper than 32");
    limit(repeat("", "k", 128, ": 1"), repeat("", "k", 129, ": 1"), "128 bytes");
    limit(repeat("a: ", "x", 65536, ""), repeat("a: ", "x", 65537, ""), "64 KiB");
    limit(repeat("[", "1,", 4096, "]"), repeat("[", "1,", 4097, "]"), "4096 items");
    const char *row = repeat("[", "1,", 98, "]\n"); /* 99 values */
    limit(repeat("", repeat("- ", row, 1, ""), 101, ""), repeat("", repeat("- ", row, 1, ""), 102, ""), "10000 values");
    limit(repeat("a: 1\n#", "x", 1048576 - 6, ""), repeat("a: 1\n#", "x", 1048576 - 5, ""), "1 MiB");
    end();
}
END_TEST

START_TEST(round_trip)
{
    static const char *const texts[] = {
        "a: 1e-4\nb: 1.0e-4\nc: .5\nd: 0x10\ne: no\nf: ~\ng:\nh: ''\ni: \"1\"\n",
        "m: {}\nl: []\nn: {a: {b: []}}\no: [[1, 2], [], {}]\np: [{a: 1, b: {c: d}}, [x, [y]]]\n",
        "t: |\n  two\n  lines\nu: >\n  folded\n  text\nv: plain over\n  two lines\nw: plain with\n\n  a gap\n",
        "q: \"tab\\t quote \\\" back \\\\ nl \\n cr \\r\"\nr: 'it''s'\ns: caf\xc3\xa9 \xe9\x9f\xb3\n",
        "a: -1\nb: -x\nc: a#b\nd: a:b\ne: \"a: b\"\nf: 'a #b'\ng: '- x'\nh: '? x'\ni: ' x'\nj: 'x '\nk: x:y:z\nl: ?x\nm: :x\n",
        "\"a b\": 1\n'-': 2\n\"---\": 3\n\"<\": 4\n\"0\": 5\n\"caf\xc3\xa9\": 6\nx-y: 7\n.z: 8\n\"a: b\": 9\n\"q\\\"\\n\": 10\n",
        "- a\n- -\n- [b]\n-\n- null\n",
        "just text\n",
        "\"quoted\"\n",
        "[]\n",
        "{}\n",
        "k: [a, '', b]\n",
        "l:\n  -\n  - a\n",
        "k: ${a.b}\nl: \"${a.b}\"\nm: [\"${a}\", 1]\n",
        "d: ---\ne: ...\nf: '%x'\ng: a, b\nh: a]\n",
    };
    begin();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cak_yaml *tree = parse(texts[i]);
        ck_assert_msg(tree != NULL, "%s: %s", texts[i], cak_diag_errors(d) ? cak_diag_message(d, 0) : "");
        char *text = cak_yaml_print(a, tree);
        cak_yaml *again = parse(text);
        ck_assert_msg(again != NULL, "%s\n->\n%s: %s", texts[i], text, cak_diag_errors(d) ? cak_diag_message(d, 0) : "");
        same(tree, again);
        ck_assert_str_eq(cak_yaml_print(a, again), text);
    }
    end();
}
END_TEST

START_TEST(printed_form)
{
    begin();
    cak_yaml *tree = parse("{hp: {lr: 1e-4, betas: [0.0, 0.9]}, list: [{a: 1, b: [x, {y: 'z'}]}, 2], \"k k\": , e: {}}");
    ck_assert_str_eq(cak_yaml_print(a, tree), "hp:\n"
                                              "  lr: 1e-4\n"
                                              "  betas: [0.0, 0.9]\n"
                                              "list:\n"
                                              "  - a: 1\n"
                                              "    b:\n"
                                              "      - x\n"
                                              "      - y: \"z\"\n"
                                              "  - 2\n"
                                              "\"k k\":\n"
                                              "e: {}\n");
    end();
}
END_TEST

START_TEST(building)
{
    begin();
    cak_yaml *root = parse("a: {b: 1}\nc: [1, 2]\nd: ~\n");
    ck_assert(cak_yaml_null(cak_yaml_get(root, "d")));
    ck_assert(!cak_yaml_null(cak_yaml_get(root, "c")));
    int height;
    ck_assert_int_eq(cak_yaml_measure(root, &height), 7);
    ck_assert_int_eq(height, 2);
    cak_yaml *copy = cak_yaml_clone(a, root);
    cak_yaml_remove(cak_yaml_get(root, "a"));
    ck_assert_int_eq(root->n, 2);
    cak_yaml *b = cak_yaml_clone(a, cak_yaml_path(copy, "a"));
    cak_yaml_assign(cak_yaml_path(root, "c.1"), b);
    cak_yaml *extra = cak_yaml_clone(a, cak_yaml_get(copy, "d"));
    extra->key = "new";
    cak_yaml_append(root, extra);
    ck_assert_str_eq(cak_yaml_print(a, root), "c:\n  - 1\n  - b: 1\nd: ~\nnew: ~\n");
    char buf[32];
    ck_assert_str_eq(cak_yaml_name(cak_yaml_path(root, "c.1.b"), buf, sizeof buf), "c.1.b");
    ck_assert_str_eq(cak_yaml_print(a, copy), "a:\n  b: 1\nc: [1, 2]\nd: ~\n");
    end();
}
END_TEST

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

START_TEST(files)
{
    begin();
    const char *dir = temp_dir(), *path = cak_arena_print(a, "%s/x.yaml", dir);
    ck_assert_ptr_null(cak_yaml_load(a, d, path));
    ck_assert_int_eq(cak_diag_code(d, 0), CAK_E1001);
    cak_diag_clear(d);
    ck_assert_ptr_null(cak_yaml_load(a, d, dir));
    ck_assert_int_eq(cak_diag_code(d, 0), CAK_E1001);
    cak_diag_clear(d);
    write_file(path, "- 1\n");
    ck_assert_ptr_null(cak_yaml_load(a, d, path));
    ck_assert_msg(strstr(cak_diag_message(d, 0), "not a list") != NULL, "%s", cak_diag_message(d, 0));
    cak_diag_clear(d);
    write_file(path, "word\n");
    ck_assert_ptr_null(cak_yaml_load(a, d, path));
    ck_assert_msg(strstr(cak_diag_message(d, 0), "single value") != NULL, "%s", cak_diag_message(d, 0));
    cak_diag_clear(d);
    write_file(path, repeat("a: 1\n#", "x", 1 << 20, ""));
    ck_assert_ptr_null(cak_yaml_load(a, d, path));
    ck_assert_int_eq(cak_diag_exit(d), CAK_EXIT_CONFIG);
    cak_diag_clear(d);
    write_file(path, "a: 1\r\nb: 2\r\n");
    cak_yaml *root = cak_yaml_load(a, d, path);
    ck_assert_ptr_nonnull(root);
    ck_assert_str_eq(cak_yaml_get(root, "b")->text, "2");
    ck_assert_int_eq(cak_yaml_get(root, "b")->pos.line, 2);
    end();
}
END_TEST

SUITE(yaml, places, refusals, all_refusals_of_a_file_are_reported, limits, round_trip, printed_form, building, files)
