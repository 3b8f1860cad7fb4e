/* Element types of safetensors files and their conversion. */
#include <string.h>

#include "graph/safetensors.h"

/* Elements may lie at any byte, so they are copied out. */
#define GET(name, type)                                                  \
    static double get_##name(const void *data, int64_t i)                \
    {                                                                    \
        type v;                                                          \
        memcpy(&v, (const char *)data + (size_t)i * sizeof v, sizeof v); \
        return (double)v;                                                \
    }
GET(f64, double)
GET(f32, float)
GET(f16, _Float16)
GET(i64, int64_t)
GET(u64, uint64_t)
GET(i32, int32_t)
GET(u32, uint32_t)
GET(i16, int16_t)
GET(u16, uint16_t)
GET(i8, int8_t)
GET(u8, uint8_t)

static double get_bf16(const void *data, int64_t i) /* the upper half of a float */
{
    uint32_t bits = (uint32_t)get_u16(data, i) << 16;
    return get_f32(&bits, 0);
}

typedef struct dtype_row {
    const char *name;
    size_t size;
    double (*get)(const void *data, int64_t i);
} dtype_row;
static const dtype_row dtypes[] = {
    { "F32", 4, get_f32 }, { "F64", 8, get_f64 }, { "F16", 2, get_f16 }, { "BF16", 2, get_bf16 }, { "I64", 8, get_i64 },
    { "U64", 8, get_u64 }, { "I32", 4, get_i32 }, { "U32", 4, get_u32 }, { "I16", 2, get_i16 },   { "U16", 2, get_u16 },
    { "I8", 1, get_i8 },   { "U8", 1, get_u8 },   { "BOOL", 1, get_u8 }, { "F8_E4M3", 1, NULL },  { "F8_E5M2", 1, NULL },
};

static const dtype_row *row_of(const char *name)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(dtypes[i].name, name) == 0) return &dtypes[i];
    return NULL;
}

size_t cak_dtype_size(const char *dtype)
{
    const dtype_row *row = row_of(dtype);
    return row ? row->size : 0;
}

bool cak_tensor_at(const cak_tensor *t, int64_t i, double *out)
{
    const dtype_row *row = row_of(t->dtype);
    if (!row || !row->get) return false;
    *out = row->get(t->data, i);
    return true;
}

bool cak_tensor_read(cak_diag *d, const cak_tensor *t, real *out)
{
    const dtype_row *row = row_of(t->dtype);
    if (!row || !row->get)
        return cak_error(d, CAK_E2005, CAK_NOWHERE, "tensor %s: elements of type %s are not read", t->name, t->dtype);
    int64_t n = cak_shape_size(&t->shape);
    if (strcmp(t->dtype, CAK_REAL_DTYPE) == 0) {
        if (n) memcpy(out, t->data, (size_t)n * sizeof *out);
        return true;
    }
    for (int64_t i = 0; i < n; i++) out[i] = (real)row->get(t->data, i);
    return true;
}
