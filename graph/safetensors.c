/* Reading safetensors files: every size, offset and name is checked before it is used. */
#include "graph/safetensors.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "graph/io.h"
#include "graph/safetensors_digest.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors files are little-endian");

enum { MAX_HEADER = 16 << 20, ALIGN = 64, LENGTH = 8 /* bytes of the header's length */ };

typedef struct reader { /* a file being read */
    cak_arena *a;
    cak_diag *d;
    const char *path;
    int fd;
    uint64_t size;  /* of the file */
    char *header;   /* JSON text */
    uint64_t n;     /* bytes of it */
    uint64_t *from; /* first data byte of every tensor */
    cak_tensors *t;
    cak_tensor *tensor;
    cak_pair *meta;
} reader;

#define MALFORMED(r, fmt, ...) cak_error((r)->d, CAK_E4009, CAK_NOWHERE, "%s: " fmt, (r)->path, __VA_ARGS__)

static bool read_header(reader *r)
{
    if (r->size < LENGTH) return MALFORMED(r, "%" PRIu64 " bytes are too short for a safetensors file", r->size);
    if (!cak_io_pread(r->d, CAK_E4002, r->fd, r->path, &r->n, LENGTH, 0)) return false;
    if (r->n > r->size - LENGTH && r->n > MAX_HEADER) /* neither complete nor cut off */
        return MALFORMED(r, "this is not a safetensors file: its first %d bytes are not the length of a header", LENGTH);
    if (r->n > r->size - LENGTH)
        return MALFORMED(r, "the header says it has %" PRIu64 " bytes, the file holds %" PRIu64, r->n, r->size - LENGTH);
    if (r->n > MAX_HEADER) return MALFORMED(r, "the header has %" PRIu64 " bytes, more than the limit of %d", r->n, MAX_HEADER);
    r->header = cak_arena_alloc(r->a, r->n + 1);
    if (!cak_io_pread(r->d, CAK_E4002, r->fd, r->path, r->header, r->n, LENGTH)) return false;
    return r->header[0] == '{' || MALFORMED(r, "the header does not start with '{'%s", "");
}

static json_t *parse_header(reader *r)
{
    json_error_t e;
    json_t *json = json_loadb(r->header, r->n, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &e);
    if (!json) {
        MALFORMED(r, "the header is no JSON: %s", e.text);
        return NULL;
    }
    size_t end = (size_t)e.position;
    if (end + strspn(r->header + end, " ") == r->n) return json;
    MALFORMED(r, "the header goes on after its end at byte %zu", end);
    json_decref(json);
    return NULL;
}

static bool read_meta(reader *r, json_t *json)
{
    if (!json_is_object(json)) return MALFORMED(r, "__metadata__ is no JSON object%s", "");
    r->meta = cak_arena_alloc(r->a, json_object_size(json) * sizeof *r->meta);
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value)
    {
        if (!json_is_string(value)) return MALFORMED(r, "the value of '%s' in __metadata__ is no string", key);
        r->meta[r->t->n_meta++] = (cak_pair){ cak_arena_text(r->a, key), cak_arena_text(r->a, json_string_value(value)) };
    }
    return true;
}

static bool whole_number(const json_t *json, int64_t *out)
{
    *out = json_integer_value(json);
    return json_is_integer(json) && *out >= 0;
}

static bool read_shape(reader *r, const char *name, json_t *json, size_t item, cak_tensor *t)
{
    if (!json_is_array(json)) return MALFORMED(r, "tensor %s: 'shape' is no list", name);
    if (json_array_size(json) > CAK_MAX_DIM)
        return MALFORMED(r, "tensor %s: %zu axes, at most %d are read", name, json_array_size(json), CAK_MAX_DIM);
    t->size = item;
    for (t->shape.rank = 0; t->shape.rank < (int32_t)json_array_size(json); t->shape.rank++) {
        int64_t *dim = &t->shape.dim[t->shape.rank];
        if (!whole_number(json_array_get(json, (size_t)t->shape.rank), dim))
            return MALFORMED(r, "tensor %s: axis %d of 'shape' is no whole number", name, t->shape.rank);
        if (__builtin_mul_overflow(t->size, (size_t)*dim, &t->size) || t->size > INT64_MAX)
            return MALFORMED(r, "tensor %s: 'shape' is too large", name);
    }
    return true;
}

static bool read_offsets(reader *r, const char *name, json_t *json, const cak_tensor *t, uint64_t *from)
{
    int64_t begin, end;
    if (json_array_size(json) != 2 || !whole_number(json_array_get(json, 0), &begin) ||
        !whole_number(json_array_get(json, 1), &end))
        return MALFORMED(r, "tensor %s: 'data_offsets' are not two whole numbers", name);
    if (begin > end || (uint64_t)(end - begin) != t->size)
        return MALFORMED(r, "tensor %s: bytes %" PRId64 " to %" PRId64 " do not make the %zu bytes of its shape", name, begin,
                         end, t->size);
    if ((uint64_t)end > r->size - LENGTH - r->n)
        return MALFORMED(r, "tensor %s: ends at byte %" PRId64 " of %" PRIu64 " data bytes", name, end, r->size - LENGTH - r->n);
    *from = (uint64_t)begin;
    return true;
}

static bool read_tensor(reader *r, const char *name, json_t *json)
{
    cak_tensor t = { .name = cak_arena_text(r->a, name) };
    if (!cak_tensors_name_fits(name)) return MALFORMED(r, "'%.80s' is not allowed as the name of a tensor", name);
    json_t *dtype = json_object_get(json, "dtype");
    if (json_object_size(json) != 3 || !json_is_string(dtype))
        return MALFORMED(r, "tensor %s: not an object of 'dtype', 'shape' and 'data_offsets'", name);
    size_t item = cak_dtype_size(json_string_value(dtype));
    if (!item) return MALFORMED(r, "tensor %s: unknown dtype '%.20s'", name, json_string_value(dtype));
    t.dtype = cak_arena_text(r->a, json_string_value(dtype));
    if (!read_shape(r, name, json_object_get(json, "shape"), item, &t)) return false;
    if (!read_offsets(r, name, json_object_get(json, "data_offsets"), &t, &r->from[r->t->n])) return false;
    r->tensor[r->t->n++] = t;
    return true;
}

static bool read_entries(reader *r, json_t *json)
{
    size_t n = json_object_size(json);
    r->tensor = cak_arena_alloc(r->a, n * sizeof *r->tensor);
    r->from = cak_arena_alloc(r->a, n * sizeof *r->from);
    const char *key;
    json_t *value;
    json_object_foreach(json, key,
                        value) if (strcmp(key, "__metadata__") ? !read_tensor(r, key, value) : !read_meta(r, value)) return false;
    r->t->tensor = r->tensor;
    r->t->meta = r->meta;
    return true;
}

typedef struct span {
    uint64_t from, to;
    int tensor;
} span;

static int by_place(const void *a, const void *b)
{
    const span *x = a, *y = b;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    return x->to != y->to ? (x->to < y->to ? -1 : 1) : x->tensor - y->tensor;
}

/* The tensors must fill the data one after the other: no hole, no overlap, nothing behind the last. Puts them in file order. */
static bool check_places(reader *r)
{
    uint64_t at = 0, end = r->size - LENGTH - r->n;
    span *s = cak_arena_alloc(r->a, (size_t)r->t->n * sizeof *s);
    for (int i = 0; i < r->t->n; i++) s[i] = (span){ r->from[i], r->from[i] + r->tensor[i].size, i };
    qsort(s, (size_t)r->t->n, sizeof *s, by_place);
    cak_tensor *sorted = cak_arena_alloc(r->a, (size_t)r->t->n * sizeof *sorted);
    for (int i = 0; i < r->t->n; i++) {
        sorted[i] = r->tensor[s[i].tensor];
        if (s[i].from != at)
            return MALFORMED(r, "tensor %s: starts at byte %" PRIu64 " where %" PRIu64 " was expected: %s", sorted[i].name,
                             s[i].from, at, s[i].from > at ? "a hole" : "an overlap");
        at = s[i].to;
        r->from[i] = s[i].from;
    }
    r->t->tensor = r->tensor = sorted;
    return at == end || MALFORMED(r, "%" PRIu64 " bytes follow the last tensor", end - at);
}

static bool read_data(reader *r)
{
    uint64_t size = r->size - LENGTH - r->n;
    char *block = cak_arena_alloc(r->a, size + ALIGN);
    char *data = block + (ALIGN - (uintptr_t)block % ALIGN) % ALIGN;
    if (!cak_io_pread(r->d, CAK_E4002, r->fd, r->path, data, size, LENGTH + r->n)) return false;
    for (int i = 0; i < r->t->n; i++) r->tensor[i].data = data + r->from[i];

    const char *version = cak_tensors_meta(r->t, "cak"), *digest = cak_tensors_meta(r->t, "xxh3");
    if (version && strcmp(version, CAK_TENSORS_VERSION))
        return MALFORMED(r, "format version '%.20s' is not known to this program, which writes %s", version, CAK_TENSORS_VERSION);
    if (!version && !digest) return true; /* somebody else's file */
    char want[CAK_DIGEST_TEXT];
    if (!digest || !cak_tensors_digest(r->header, r->n, r->tensor, r->t->n, want))
        return MALFORMED(r, "the checksum is missing%s", "");
    return strcmp(digest, want) == 0 ||
           MALFORMED(r, "the checksum is %.16s, the contents give %s: the file is damaged", digest, want);
}

static bool read_file(reader *r)
{
    if (!read_header(r)) return false;
    json_t *json = parse_header(r);
    bool ok = json && read_entries(r, json) && check_places(r) && read_data(r);
    json_decref(json);
    return ok;
}

cak_tensors *cak_tensors_load(cak_arena *a, cak_diag *d, const char *path)
{
    reader r = { .a = a, .d = d, .path = path };
    r.fd = cak_io_open_read(d, CAK_E4002, path, &r.size);
    if (r.fd < 0) return NULL;
    r.t = cak_arena_alloc(a, sizeof *r.t);
    r.t->path = cak_arena_text(a, path);
    bool ok = read_file(&r);
    cak_io_close(r.fd);
    return ok ? r.t : NULL;
}

const cak_tensor *cak_tensors_find(const cak_tensors *t, const char *name)
{
    for (int i = 0; i < t->n; i++)
        if (strcmp(t->tensor[i].name, name) == 0) return &t->tensor[i];
    return NULL;
}

const char *cak_tensors_meta(const cak_tensors *t, const char *key)
{
    for (int i = 0; i < t->n_meta; i++)
        if (strcmp(t->meta[i].key, key) == 0) return t->meta[i].value;
    return NULL;
}
