/* safetensors files: what is written is read back; malformed and damaged files are refused. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/io.h"
#include "graph/safetensors.h"
#include "graph/text.h"
#include "tests/support/suite.h"

static cak_arena *a;
static cak_diag *d;
static const char *path;

static void begin(void)
{
    a = cak_arena_open("test");
    d = cak_diag_open();
    path = cak_arena_print(a, "%s/x.safetensors", temp_dir());
}

static void end(void)
{
    cak_diag_close(d);
    cak_arena_close(a);
}

static void expect(cak_code code, const char *part)
{
    ck_assert_msg(cak_diag_errors(d) == 1, "%d errors where one with '%s' was expected", cak_diag_errors(d), part);
    ck_assert_str_eq(cak_code_name(cak_diag_code(d, 0)), cak_code_name(code));
    ck_assert_msg(strstr(cak_diag_message(d, 0), part) != NULL, "'%s' lacks '%s'", cak_diag_message(d, 0), part);
    cak_diag_clear(d);
}

static void write_bytes(const void *data, size_t size)
{
    cak_io_part part = { data, size };
    ck_assert(cak_io_replace(d, path, &part, 1));
}

/* A file of header length, header and n data bytes. */
static void write_file(uint64_t length, const char *header, size_t size, size_t n)
{
    cak_io_part part[] = { { &length, 8 }, { header, size }, { cak_arena_alloc(a, n), n } };
    ck_assert(cak_io_replace(d, path, part, 3));
}

static void refuse(const char *header, size_t n, const char *part)
{
    write_file(strlen(header), header, strlen(header), n);
    ck_assert_msg(cak_tensors_load(a, d, path) == NULL, "accepted: %.200s", header);
    expect(CAK_E4009, part);
}

static cak_tensors *accept(const char *header, size_t n)
{
    write_file(strlen(header), header, strlen(header), n);
    cak_tensors *t = cak_tensors_load(a, d, path);
    ck_assert_msg(t != NULL, "refused: %s", t ? "" : cak_diag_message(d, 0));
    return t;
}

static void save_small(void)
{
    static const real w[] = { 1, -2, 3, 0.5, 0, 7 };
    static const uint8_t flags[] = { 3, 4, 5 };
    const cak_tensor t[] = { { "param/w", CAK_REAL_DTYPE, CAK_SHAPE(2, 3), w, sizeof w },
                             { "empty", "F32", CAK_SHAPE(0, 4), NULL, 0 },
                             { "flags", "U8", CAK_SHAPE(3), flags, 3 } };
    const cak_pair meta[] = { { "step", "12" }, { "note", "a \"quoted\"\ntext" } };
    ck_assert(cak_tensors_save(d, path, t, 3, meta, 2));
}

START_TEST(reads_what_it_wrote)
{
    begin();
    save_small();
    cak_tensors *t = cak_tensors_load(a, d, path);
    ck_assert_ptr_nonnull(t);
    ck_assert_int_eq(t->n, 3);
    ck_assert_str_eq(t->tensor[0].name, "param/w");
    real w[6];
    const cak_tensor *found = cak_tensors_find(t, "param/w");
    ck_assert(cak_shape_equal(&found->shape, &CAK_SHAPE(2, 3)));
    ck_assert(cak_tensor_read(d, found, w));
    ck_assert(w[0] == 1 && w[1] == -2 && w[3] == (real)0.5 && w[5] == 7);
    ck_assert_uint_eq((uintptr_t)found->data % 64, 0);
    found = cak_tensors_find(t, "flags");
    ck_assert(cak_tensor_read(d, found, w) && w[0] == 3 && w[2] == 5);
    ck_assert_int_eq(cak_tensors_find(t, "empty")->size, 0);
    ck_assert(cak_tensor_read(d, cak_tensors_find(t, "empty"), w));
    ck_assert_ptr_null(cak_tensors_find(t, "absent"));
    ck_assert_str_eq(cak_tensors_meta(t, "step"), "12");
    ck_assert_str_eq(cak_tensors_meta(t, "note"), "a \"quoted\"\ntext");
    ck_assert_ptr_null(cak_tensors_meta(t, "absent"));
    end();
}
END_TEST

START_TEST(data_are_aligned_and_equal_contents_give_equal_files)
{
    begin();
    size_t n, m;
    save_small();
    const char *first = cak_io_read_all(a, d, CAK_E4002, path, 0, &n);
    save_small();
    const char *second = cak_io_read_all(a, d, CAK_E4002, path, 0, &m);
    ck_assert(n == m && memcmp(first, second, n) == 0);
    uint64_t length;
    memcpy(&length, first, 8);
    ck_assert_uint_eq((8 + length) % 64, 0);
    ck_assert_uint_eq(n, 8 + length + 6 * sizeof(real) + 3);
    end();
}
END_TEST

START_TEST(every_flipped_bit_is_found)
{
    begin();
    size_t n;
    save_small();
    char *text = cak_io_read_all(a, d, CAK_E4002, path, 0, &n);
    for (size_t i = 0; i < n; i++)
        for (int bit = 0; bit < 8; bit += 1 + (int)(i % 3)) {
            cak_arena *own = cak_arena_open("damaged");
            text[i] ^= (char)(1 << bit);
            FILE *f = fopen(path, "wb"); /* without fsync: there are many */
            ck_assert(f && fwrite(text, 1, n, f) == n && fclose(f) == 0);
            ck_assert_msg(cak_tensors_load(own, d, path) == NULL, "bit %d of byte %zu was not found", bit, i);
            ck_assert(cak_diag_errors(d) == 1 && cak_diag_code(d, 0) == CAK_E4009);
            cak_diag_clear(d);
            text[i] ^= (char)(1 << bit);
            cak_arena_close(own);
        }
    end();
}
END_TEST

START_TEST(every_truncation_is_found)
{
    begin();
    size_t n;
    save_small();
    char *text = cak_io_read_all(a, d, CAK_E4002, path, 0, &n);
    for (size_t i = 0; i < n; i++) {
        cak_arena *own = cak_arena_open("truncated");
        FILE *f = fopen(path, "wb");
        ck_assert(f && fwrite(text, 1, i, f) == i && fclose(f) == 0);
        ck_assert_msg(cak_tensors_load(own, d, path) == NULL, "%zu bytes were accepted", i);
        ck_assert(cak_diag_errors(d) == 1 && cak_diag_code(d, 0) == CAK_E4009);
        cak_diag_clear(d);
        cak_arena_close(own);
    }
    end();
}
END_TEST

START_TEST(malformed_lengths)
{
    begin();
    write_bytes("", 0);
    ck_assert_ptr_null(cak_tensors_load(a, d, path));
    expect(CAK_E4009, "0 bytes are too short");
    write_bytes("1234567", 7);
    ck_assert_ptr_null(cak_tensors_load(a, d, path));
    expect(CAK_E4009, "7 bytes are too short");
    static const uint64_t lengths[] = { 1ULL << 63, UINT64_MAX, UINT64_MAX - 7, (16 << 20) + 1, 16 << 20, 3, 10 };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        write_file(lengths[i], "{}", 2, 0);
        ck_assert_ptr_null(cak_tensors_load(a, d, path));
        expect(CAK_E4009, i < 4 ? "is not a safetensors file" : "the header says");
    }
    ck_assert_ptr_null(cak_tensors_load(a, d, "no/such/file"));
    expect(CAK_E4002, "No such file");
    end();
}
END_TEST

START_TEST(large_headers)
{
    begin();
    size_t n = (16 << 20) + 1; /* also where a million tensors or 100 MB of header end */
    char *header = memset(cak_arena_alloc(a, n), ' ', n);
    header[0] = '{', header[1] = '}';
    write_file(n, header, n, 0);
    ck_assert_ptr_null(cak_tensors_load(a, d, path));
    expect(CAK_E4009, "more than the limit");
    write_file(n - 1, header, n - 1, 0);
    ck_assert_ptr_nonnull(cak_tensors_load(a, d, path));
    memset(header, '[', n - 1);
    header[0] = '{';
    write_file(n - 1, header, n - 1, 0);
    ck_assert_ptr_null(cak_tensors_load(a, d, path));
    expect(CAK_E4009, "no JSON");
    end();
}
END_TEST

/* One tensor "w" with these parts. */
#define TENSOR(dtype, shape, offsets) "{\"w\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

START_TEST(malformed_headers)
{
    begin();
    refuse("[]", 0, "does not start with '{'");
    refuse(" {}", 0, "does not start with '{'");
    refuse("", 0, "does not start with '{'");
    refuse("{", 0, "no JSON");
    refuse("{}x", 0, "goes on after its end");
    refuse("{}\n", 0, "goes on after its end");
    refuse("{}{}", 0, "goes on after its end");
    refuse("{\"\xff\":1}", 0, "no JSON");
    refuse("{\"w\":{\"dtype\":NaN}}", 0, "no JSON");
    refuse("{\"a\":1,\"a\":1}", 0, "duplicate");
    refuse("{\"w\":1,\"\\u0077\":1}", 0, "duplicate");
    refuse("{\"__metadata__\":[]}", 0, "no JSON object");
    refuse("{\"__metadata__\":{\"k\":1}}", 0, "the value of 'k'");
    refuse("{\"w\":[]}", 0, "not an object");
    refuse("{\"w\":{}}", 0, "not an object");
    refuse("{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4, "not an object");
    refuse("{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"offsets\":[0,4]}}", 4, "'data_offsets' are not");
    refuse("{\"\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "not allowed as the name");
    refuse("{\"a b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "not allowed as the name");
    refuse("{\"\\u001b[2J\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "not allowed as the name");
    accept("{}   ", 0);
    accept("{\"__metadata__\":{}}", 0);
    end();
}
END_TEST

START_TEST(malformed_tensors)
{
    begin();
    refuse(TENSOR("\"F7\"", "[1]", "[0,4]"), 4, "unknown dtype");
    refuse(TENSOR("7", "[1]", "[0,4]"), 4, "not an object");
    refuse(TENSOR("\"F32\"", "4", "[0,4]"), 4, "no list");
    refuse(TENSOR("\"F32\"", "[-1]", "[0,4]"), 4, "no whole number");
    refuse(TENSOR("\"F32\"", "[1e3]", "[0,4000]"), 4000, "no whole number");
    refuse(TENSOR("\"F32\"", "[1.0]", "[0,4]"), 4, "no whole number");
    refuse(TENSOR("\"F32\"", "[01]", "[0,4]"), 4, "no JSON");
    refuse(TENSOR("\"F32\"", "[\"1\"]", "[0,4]"), 4, "no whole number");
    refuse(TENSOR("\"F32\"", "[9223372036854775808]", "[0,4]"), 4, "no JSON");
    refuse(TENSOR("\"F32\"", "[4611686018427387904,2]", "[0,4]"), 4, "too large");
    refuse(TENSOR("\"F32\"", "[9223372036854775807,2]", "[0,4]"), 4, "too large");
    refuse(TENSOR("\"U8\"", "[9223372036854775807]", "[0,4]"), 4, "do not make");
    refuse(TENSOR("\"F32\"", "[1,1,1,1,1,1]", "[0,4]"), 4, "6 axes");
    refuse(TENSOR("\"F32\"", "[1]", "[0]"), 4, "not two whole numbers");
    refuse(TENSOR("\"F32\"", "[1]", "[0,4,8]"), 4, "not two whole numbers");
    refuse(TENSOR("\"F32\"", "[1]", "[-4,0]"), 4, "not two whole numbers");
    refuse(TENSOR("\"F32\"", "[1]", "[0,4.0]"), 4, "not two whole numbers");
    refuse(TENSOR("\"F32\"", "[1]", "[4,0]"), 4, "do not make");
    refuse(TENSOR("\"F32\"", "[1]", "[0,8]"), 8, "do not make");
    refuse(TENSOR("\"F32\"", "[2]", "[0,8]"), 7, "ends at byte 8 of 7");
    refuse(TENSOR("\"F32\"", "[1]", "[0,4]"), 5, "1 bytes follow");
    refuse(TENSOR("\"F32\"", "[1]", "[4,8]"), 8, "a hole");
    refuse("{}", 1, "1 bytes follow");
    end();
}
END_TEST

START_TEST(places_of_several_tensors)
{
    begin();
#define TWO(a, b)                                                                                                                \
    "{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":" a "},\"y\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":" b \
    "}}"
    refuse(TWO("[0,4]", "[2,6]"), 8, "an overlap");
    refuse(TWO("[0,4]", "[0,4]"), 4, "an overlap");
    refuse(TWO("[0,4]", "[5,9]"), 9, "a hole");
    cak_tensors *t = accept(TWO("[4,8]", "[0,4]"), 8);
    ck_assert_str_eq(t->tensor[0].name, "y"); /* file order */
    ck_assert((const char *)cak_tensors_find(t, "x")->data == (const char *)t->tensor[0].data + 4);
    end();
}
END_TEST

START_TEST(many_tensors)
{
    begin();
    enum { N = 20000 };
    cak_text_builder b = { .a = a };
    for (int i = 0; i < N; i++)
        cak_text_add(&b, "%c\"t%d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}", i ? ',' : '{', i, N - i - 1,
                     N - i);
    cak_text_add(&b, "}");
    cak_tensors *t = accept(cak_text_done(&b), N);
    ck_assert_int_eq(t->n, N);
    ck_assert_str_eq(t->tensor[0].name, cak_arena_print(a, "t%d", N - 1));
    end();
}
END_TEST

START_TEST(checksum_and_version)
{
    begin();
    refuse("{\"__metadata__\":{\"cak\":\"2\",\"xxh3\":\"0000000000000000\"}}", 0, "format version '2'");
    refuse("{\"__metadata__\":{\"cak\":\"1\"}}", 0, "checksum is missing");
    refuse("{\"__metadata__\":{\"cak\":\"1\",\"xxh3\":\"0000000000000000\"}}", 0, "the file is damaged");
    refuse("{\"__metadata__\":{\"xxh3\":\"0000000000000000\"}}", 0, "the file is damaged");
    refuse("{\"__metadata__\":{\"cak\":\"1\",\"xxh3\":\"00\"}}", 0, "checksum is missing");
    refuse("{\"__metadata__\":{\"cak\":\"1\",\"xxh3\" : \"0000000000000000\"}}", 0, "checksum is missing");
    end();
}
END_TEST

START_TEST(names_we_do_not_write)
{
    begin();
    static const real one = 1;
    const cak_tensor t[] = { { "w", CAK_REAL_DTYPE, CAK_SHAPE(1), &one, sizeof one },
                             { "w", CAK_REAL_DTYPE, CAK_SHAPE(1), &one, sizeof one } };
    cak_tensor bad = t[0];
    static const char *const names[] = { "", "a b", "__metadata__\n", "__metadata__" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bad.name = names[i];
        ck_assert(!cak_tensors_save(d, path, &bad, 1, NULL, 0));
        expect(CAK_E4001, "not allowed");
    }
    ck_assert(!cak_tensors_save(d, path, t, 2, NULL, 0));
    expect(CAK_E4001, "occurs twice");
    static const cak_pair metas[] = { { "xxh3", "" }, { "cak", "" }, { "k", "\xff" }, { "a b", "" } };
    for (size_t i = 0; i < sizeof metas / sizeof *metas; i++) {
        ck_assert(!cak_tensors_save(d, path, t, 1, &metas[i], 1));
        expect(CAK_E4001, "not allowed");
    }
    ck_assert(!cak_io_exists(path));
    ck_assert(!cak_tensors_save(d, "/no/such/dir/x", t, 1, NULL, 0));
    expect(CAK_E4001, "No such file");
    end();
}
END_TEST

START_TEST(converts_elements)
{
    begin();
    static const struct {
        const char *dtype;
        unsigned char bytes[8];
        double value;
    } cases[] = {
        { "F32", { 0, 0, 0xc0, 0xbf }, -1.5 },
        { "F64", { 0, 0, 0, 0, 0, 0, 0xf8, 0xbf }, -1.5 },
        { "F16", { 0, 0xbe }, -1.5 },
        { "F16", { 1, 0 }, 5.9604644775390625e-08 },
        { "BF16", { 0xc0, 0xbf }, -1.5 },
        { "I64", { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, -2 },
        { "U64", { 2 }, 2 },
        { "I32", { 0xfe, 0xff, 0xff, 0xff }, -2 },
        { "U32", { 0, 0, 0, 0x80 }, 2147483648.0 },
        { "I16", { 0xfe, 0xff }, -2 },
        { "U16", { 0xfe, 0xff }, 65534 },
        { "I8", { 0xfe }, -2 },
        { "U8", { 0xfe }, 254 },
        { "BOOL", { 1 }, 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const cak_tensor t = { "x", cases[i].dtype, CAK_SHAPE(1), cases[i].bytes, cak_dtype_size(cases[i].dtype) };
        real v;
        double w;
        ck_assert(cak_tensor_read(d, &t, &v) && cak_tensor_at(&t, 0, &w));
        ck_assert_msg((double)v == cases[i].value && w == cases[i].value, "%s gives %g", cases[i].dtype, (double)v);
    }
    const cak_tensor odd = { "x", "F8_E4M3", CAK_SHAPE(1), cases[0].bytes, 1 };
    real v;
    double w;
    ck_assert(!cak_tensor_at(&odd, 0, &w));
    ck_assert(!cak_tensor_read(d, &odd, &v));
    expect(CAK_E2005, "F8_E4M3");
    ck_assert_uint_eq(cak_dtype_size("F7"), 0);
    end();
}
END_TEST

START_TEST(reads_files_of_others)
{
    begin();
    cak_tensors *t = cak_tensors_load(a, d, source_path("tests/golden/published_critic.safetensors"));
    ck_assert_ptr_nonnull(t);
    const cak_tensor *w = cak_tensors_find(t, "detector.weight");
    real v[9];
    ck_assert(cak_shape_equal(&w->shape, &CAK_SHAPE(1, 1, 3, 3)) && cak_tensor_read(d, w, v) && isfinite(v[8]) && v[8] != 0);
    end();
}
END_TEST

SUITE(safetensors, reads_what_it_wrote, data_are_aligned_and_equal_contents_give_equal_files, every_flipped_bit_is_found,
      every_truncation_is_found, malformed_lengths, large_headers, malformed_headers, malformed_tensors,
      places_of_several_tensors, many_tensors, checksum_and_version, names_we_do_not_write, converts_elements,
      reads_files_of_others)
