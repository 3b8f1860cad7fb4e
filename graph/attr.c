/* Attribute structs by table: defaults, equality, hash, text. */
#include "graph/graph.h"

#include <string.h>
#include <xxhash.h>

#include "graph/config.h"
#include "graph/number.h"
#include "graph/text.h"

/* Numbers of a default such as "[32, 64]"; the table is ours, so a mistake in it is a bug. */
static int32_t read_list(const char *text, double v[CAK_MAX_INTS])
{
    int32_t n = 0;
    while (text && *text) {
        char item[CAK_NUMBER_TEXT];
        text += strspn(text, "[], ");
        size_t len = strcspn(text, "[], ");
        if (!len) break;
        CAK_CHECK(n < CAK_MAX_INTS && len < sizeof item);
        memcpy(item, text, len);
        item[len] = 0;
        CAK_CHECK(cak_number_real(item, &v[n++]) == CAK_NUMBER_OK);
        text += len;
    }
    return n;
}

static void set_default(cak_arena *a, const cak_attr *row, void *field)
{
    double list[CAK_MAX_INTS];
    switch (row->kind) {
    case CAK_INT: *(int64_t *)field = (int64_t)row->def; break;
    case CAK_NUM: *(double *)field = row->def; break;
    case CAK_BOOL: *(bool *)field = row->def != 0; break;
    case CAK_ENUM: *(int32_t *)field = (int32_t)row->def; break;
    case CAK_TEXT: *(const char **)field = row->def_text ? cak_arena_text(a, row->def_text) : NULL; break;
    case CAK_INTS: {
        cak_ints *ints = field;
        ints->n = read_list(row->def_text, list);
        for (int i = 0; i < ints->n; i++) ints->v[i] = (int64_t)list[i];
        break;
    }
    case CAK_NUMS: {
        cak_nums *nums = field;
        nums->n = read_list(row->def_text, list);
        memcpy(nums->v, list, (size_t)nums->n * sizeof *list);
        break;
    }
    case CAK_MODULE: *(const cak_module **)field = NULL; break;
    case CAK_VALUE: *(cak_ref *)field = CAK_NONE; break;
    case CAK_SHAPE_OF: *(cak_shape *)field = CAK_SCALAR; break;
    case CAK_END: break;
    }
}

void cak_attr_defaults(cak_arena *a, const cak_attr *rows, void *out)
{
    for (; rows && rows->kind != CAK_END; rows++) set_default(a, rows, (char *)out + rows->offset);
}

/* What of a field counts for equality and hash, as bytes. Doubles count by their bits: 0 and -0 differ, NaN equals itself. */
typedef struct bytes {
    const void *p;
    size_t n;
} bytes;

static bytes text_bytes(const char *text) { return text ? (bytes){ text, strlen(text) + 1 } : (bytes){ "", 0 }; }

static bytes field_bytes(const cak_attr *row, const void *field)
{
    switch (row->kind) {
    case CAK_INT: return (bytes){ field, sizeof(int64_t) };
    case CAK_NUM: return (bytes){ field, sizeof(double) };
    case CAK_BOOL: return (bytes){ field, sizeof(bool) };
    case CAK_ENUM: return (bytes){ field, sizeof(int32_t) };
    case CAK_VALUE: return (bytes){ field, sizeof(cak_ref) };
    case CAK_TEXT: return text_bytes(*(const char *const *)field);
    case CAK_INTS: return (bytes){ ((const cak_ints *)field)->v, (size_t)((const cak_ints *)field)->n * sizeof(int64_t) };
    case CAK_NUMS: return (bytes){ ((const cak_nums *)field)->v, (size_t)((const cak_nums *)field)->n * sizeof(double) };
    case CAK_SHAPE_OF:
        return (bytes){ ((const cak_shape *)field)->dim, (size_t)((const cak_shape *)field)->rank * sizeof(int64_t) };
    case CAK_MODULE: { /* modules of one graph have different names */
        const cak_module *m = *(const cak_module *const *)field;
        return text_bytes(m ? m->name : NULL);
    }
    case CAK_END: break;
    }
    return (bytes){ "", 0 };
}

bool cak_attr_equal(const cak_attr *rows, const void *a, const void *b)
{
    for (; rows && rows->kind != CAK_END; rows++) {
        bytes x = field_bytes(rows, (const char *)a + rows->offset), y = field_bytes(rows, (const char *)b + rows->offset);
        if (x.n != y.n || memcmp(x.p, y.p, x.n) != 0) return false;
    }
    return true;
}

uint64_t cak_attr_hash(const cak_attr *rows, const void *a)
{
    uint64_t h = 0;
    for (; rows && rows->kind != CAK_END; rows++) {
        bytes x = field_bytes(rows, (const char *)a + rows->offset);
        h = XXH3_64bits_withSeed(x.p, x.n, h + x.n + 1);
    }
    return h;
}

static void put_field(cak_text_builder *b, const cak_attr *row, const void *field)
{
    char num[CAK_NUMBER_TEXT], shape[CAK_SHAPE_TEXT];
    const cak_ints *ints = field;
    const cak_nums *nums = field;
    switch (row->kind) {
    case CAK_INT: cak_text_add(b, "%lld", (long long)*(const int64_t *)field); break;
    case CAK_NUM: cak_text_add(b, "%s", cak_number_text(*(const double *)field, num)); break;
    case CAK_BOOL: cak_text_add(b, "%s", *(const bool *)field ? "true" : "false"); break;
    case CAK_ENUM: cak_text_add(b, "%s", row->choices[*(const int32_t *)field]); break;
    case CAK_TEXT: cak_text_add(b, "%s", *(const char *const *)field); break;
    case CAK_INTS:
        for (int i = 0; i < ints->n; i++) cak_text_add(b, "%s%lld", i ? ", " : "[", (long long)ints->v[i]);
        cak_text_add(b, "%s", ints->n ? "]" : "[]");
        break;
    case CAK_NUMS:
        for (int i = 0; i < nums->n; i++) cak_text_add(b, "%s%s", i ? ", " : "[", cak_number_text(nums->v[i], num));
        cak_text_add(b, "%s", nums->n ? "]" : "[]");
        break;
    case CAK_MODULE: cak_text_add(b, "%s", (*(const cak_module *const *)field)->name); break;
    case CAK_VALUE: cak_text_add(b, "%%%d", ((const cak_ref *)field)->id); break;
    case CAK_SHAPE_OF: cak_text_add(b, "%s", cak_shape_text(field, shape)); break;
    case CAK_END: break;
    }
}

static bool absent(const cak_attr *row, const void *field)
{
    if (row->kind == CAK_TEXT || row->kind == CAK_MODULE) return *(const void *const *)field == NULL;
    return row->kind == CAK_VALUE && cak_is_none(*(const cak_ref *)field);
}

char *cak_attr_text(cak_arena *arena, const cak_attr *rows, const void *attr)
{
    cak_text_builder b = { .a = arena };
    for (; rows && rows->kind != CAK_END; rows++) {
        const void *field = (const char *)attr + rows->offset;
        if (absent(rows, field)) continue;
        cak_text_add(&b, "%s%s: ", b.n ? ", " : "{", rows->name);
        put_field(&b, rows, field);
    }
    if (b.n) cak_text_add(&b, "}");
    return cak_text_done(&b);
}
