/* Writing safetensors files, and the checksum that both sides compute. */
#include <jansson.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "graph/io.h"
#include "graph/safetensors_digest.h"

enum { ALIGN = 64, LENGTH = 8 };
static const char zeros[CAK_DIGEST_TEXT] = "0000000000000000";

bool cak_tensors_name_fits(const char *name)
{
    size_t n = strlen(name);
    return n >= 1 && n <= 256 && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/") == n;
}

bool cak_tensors_digest(const char *header, size_t n, const cak_tensor *tensor, int n_tensors, char text[CAK_DIGEST_TEXT])
{
    const char *mark = memmem(header, n, CAK_TENSORS_MARK, strlen(CAK_TENSORS_MARK));
    size_t before = mark ? (size_t)(mark - header) + strlen(CAK_TENSORS_MARK) : n, after = before + CAK_DIGEST_DIGITS;
    if (after > n) return false;
    XXH3_state_t *state = XXH3_createState();
    if (!state) cak_out_of_memory(sizeof state, "checksum");
    uint64_t length = n;
    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, &length, sizeof length);
    XXH3_64bits_update(state, header, before);
    XXH3_64bits_update(state, zeros, CAK_DIGEST_DIGITS);
    XXH3_64bits_update(state, header + after, n - after);
    for (int i = 0; i < n_tensors; i++)
        if (tensor[i].size) XXH3_64bits_update(state, tensor[i].data, tensor[i].size);
    snprintf(text, CAK_DIGEST_TEXT, "%016" PRIx64, (uint64_t)XXH3_64bits_digest(state));
    XXH3_freeState(state);
    return true;
}

/* Add to a JSON object unless the key is taken or the value could not be made (text that is no UTF-8). */
static bool put(json_t *object, const char *key, json_t *value)
{
    if (value && !json_object_get(object, key)) return json_object_set_new(object, key, value) == 0;
    json_decref(value);
    return false;
}

static json_t *meta_json(const cak_pair *meta, int n)
{
    json_t *json = json_object();
    bool ok = put(json, "cak", json_string(CAK_TENSORS_VERSION));
    for (int i = 0; ok && i < n; i++)
        ok = cak_tensors_name_fits(meta[i].key) && put(json, meta[i].key, json_string(meta[i].value));
    if (ok && put(json, "xxh3", json_string(zeros))) return json;
    json_decref(json);
    return NULL;
}

static json_t *tensor_json(const cak_tensor *t, uint64_t from)
{
    json_t *shape = json_array();
    for (int i = 0; i < t->shape.rank; i++) json_array_append_new(shape, json_integer(t->shape.dim[i]));
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", t->dtype, "shape", shape, "data_offsets", (json_int_t)from,
                     (json_int_t)(from + t->size));
}

/* The header as text, padded so that the data start at a multiple of ALIGN; NULL when a name or a text is not allowed. */
static char *header_text(cak_arena *a, const cak_tensor *tensor, int n, const cak_pair *meta, int n_meta, size_t *size)
{
    json_t *json = json_object();
    bool ok = put(json, "__metadata__", meta_json(meta, n_meta));
    uint64_t at = 0;
    for (int i = 0; ok && i < n; at += tensor[i++].size)
        ok = cak_tensors_name_fits(tensor[i].name) && put(json, tensor[i].name, tensor_json(&tensor[i], at));
    size_t length = ok ? json_dumpb(json, NULL, 0, JSON_COMPACT) : 0;
    char *text = NULL;
    if (ok) {
        *size = (LENGTH + length + ALIGN - 1) / ALIGN * ALIGN - LENGTH;
        text = memset(cak_arena_alloc(a, *size), ' ', *size);
        json_dumpb(json, text, *size, JSON_COMPACT);
    }
    json_decref(json);
    return text;
}

static bool sizes_fit(const cak_tensor *tensor, int n)
{
    for (int i = 0; i < n; i++)
        if (tensor[i].size != (size_t)cak_shape_size(&tensor[i].shape) * cak_dtype_size(tensor[i].dtype)) return false;
    return true;
}

static bool save(cak_arena *a, cak_diag *d, const char *path, const cak_tensor *tensor, int n, const cak_pair *meta, int n_meta)
{
    CAK_CHECK(sizes_fit(tensor, n));
    size_t size;
    char *header = header_text(a, tensor, n, meta, n_meta, &size);
    if (!header)
        return cak_error(d, CAK_E4001, CAK_NOWHERE,
                         "cannot write %s: a name of a tensor or its metadata is not allowed or occurs twice", path);
    char digest[CAK_DIGEST_TEXT];
    CAK_CHECK(cak_tensors_digest(header, size, tensor, n, digest));
    char *mark = memmem(header, size, CAK_TENSORS_MARK, strlen(CAK_TENSORS_MARK));
    memcpy(mark + strlen(CAK_TENSORS_MARK), digest, CAK_DIGEST_DIGITS);

    uint64_t length = size;
    cak_io_part *part = cak_arena_alloc(a, (size_t)(n + 2) * sizeof *part);
    part[0] = (cak_io_part){ &length, LENGTH };
    part[1] = (cak_io_part){ header, size };
    for (int i = 0; i < n; i++) part[2 + i] = (cak_io_part){ tensor[i].data, tensor[i].size };
    return cak_io_replace(d, path, part, n + 2);
}

bool cak_tensors_save(cak_diag *d, const char *path, const cak_tensor *tensor, int n, const cak_pair *meta, int n_meta)
{
    cak_arena *a = cak_arena_open("safetensors header");
    bool ok = save(a, d, path, tensor, n, meta, n_meta);
    cak_arena_close(a);
    return ok;
}
