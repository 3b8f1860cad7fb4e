/* Checkpoints: saving, loading, falling back, pruning. */
#include "experiments/checkpoint.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/io.h"
#include "graph/text.h"

enum { MAX_LISTED = 5 };
#define COUNTER "counter/"
#define NUMBER "number/"
#define IDENTITY "identity/"

const char *cak_ckpt_path(cak_arena *a, const char *dir, uint64_t step)
{
    return cak_arena_print(a, "%s/ckpt/step-%010" PRIu64 ".safetensors", dir, step);
}

/* ---- saving ---- */

/* Scalars go into the metadata as text: whole numbers in decimal, others in hexadecimal, which is exact. */
static cak_pair *meta_of(cak_arena *a, const cak_ckpt_state *s, int *n)
{
    cak_pair *meta = cak_arena_alloc(a, (size_t)(s->n_counters + s->n_numbers + s->n_identity + 1) * sizeof *meta);
    *n = 0;
    for (int i = 0; i < s->n_identity; i++)
        meta[(*n)++] = (cak_pair){ cak_arena_print(a, IDENTITY "%s", s->identity[i].key), s->identity[i].value };
    for (int i = 0; i < s->n_counters; i++)
        meta[(*n)++] = (cak_pair){ cak_arena_print(a, COUNTER "%s", s->counter[i].name),
                                   cak_arena_print(a, "%" PRIu64, *s->counter[i].value) };
    for (int i = 0; i < s->n_numbers; i++)
        meta[(*n)++] =
            (cak_pair){ cak_arena_print(a, NUMBER "%s", s->number[i].name), cak_arena_print(a, "%a", *s->number[i].value) };
    return meta;
}

static cak_tensor tensor_of(const cak_ckpt_array *v)
{
    return (cak_tensor){ v->name, CAK_REAL_DTYPE, v->shape, v->data, (size_t)cak_shape_size(&v->shape) * sizeof(real) };
}

bool cak_ckpt_write(cak_diag *d, const char *path, const cak_ckpt_state *s)
{
    cak_arena *a = cak_arena_open("checkpoint");
    cak_tensor *tensor = cak_arena_alloc(a, (size_t)s->n_arrays * sizeof *tensor);
    for (int i = 0; i < s->n_arrays; i++) tensor[i] = tensor_of(&s->array[i]);
    int n_meta;
    cak_pair *meta = meta_of(a, s, &n_meta);
    bool ok = cak_tensors_save(d, path, tensor, s->n_arrays, meta, n_meta);
    cak_arena_close(a);
    return ok;
}

static bool all_finite(const real *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

bool cak_ckpt_save(cak_diag *d, const char *dir, uint64_t step, const cak_ckpt_state *s)
{
    for (int i = 0; i < s->n_arrays; i++)
        if (!all_finite(s->array[i].data, cak_shape_size(&s->array[i].shape)))
            return cak_error(d, CAK_E4008, CAK_NOWHERE, "no checkpoint at step %" PRIu64 ": %s is not finite", step,
                             s->array[i].name);
    cak_arena *a = cak_arena_open("checkpoint path");
    const char *folder = cak_arena_print(a, "%s/ckpt", dir);
    bool ok = cak_io_no_link(d, folder) && cak_io_mkdirs(d, folder) && cak_ckpt_write(d, cak_ckpt_path(a, dir, step), s);
    cak_arena_close(a);
    return ok;
}

uint64_t cak_ckpt_size(const cak_ckpt_state *s)
{
    enum { ENTRY = 80, SCALAR = 40 }; /* text of a header entry besides the name */
    uint64_t bytes = 128;
    for (int i = 0; i < s->n_arrays; i++)
        bytes += (uint64_t)cak_shape_size(&s->array[i].shape) * sizeof(real) + strlen(s->array[i].name) + ENTRY;
    for (int i = 0; i < s->n_counters; i++) bytes += strlen(s->counter[i].name) + SCALAR;
    for (int i = 0; i < s->n_numbers; i++) bytes += strlen(s->number[i].name) + SCALAR;
    for (int i = 0; i < s->n_identity; i++) bytes += strlen(s->identity[i].key) + strlen(s->identity[i].value) + SCALAR;
    return bytes;
}

/* ---- loading ---- */

typedef struct misfit { /* what does not fit, the first few listed */
    cak_text_builder text;
    int n;
} misfit;

#define MISFIT(m, ...)                                        \
    do {                                                      \
        if ((m)->n++ < MAX_LISTED) {                          \
            cak_text_add(&(m)->text, (m)->n > 1 ? "; " : ""); \
            cak_text_add(&(m)->text, __VA_ARGS__);            \
        }                                                     \
    } while (0)

static void compare_arrays(misfit *m, const cak_tensors *t, const cak_ckpt_state *s)
{
    for (int i = 0; i < s->n_arrays; i++) {
        char want[CAK_SHAPE_TEXT], got[CAK_SHAPE_TEXT];
        const cak_tensor *found = cak_tensors_find(t, s->array[i].name);
        if (!found) MISFIT(m, "%s is missing", s->array[i].name);
        else if (!cak_shape_equal(&found->shape, &s->array[i].shape))
            MISFIT(m, "%s has shape %s, the run needs %s", found->name, cak_shape_text(&found->shape, got),
                   cak_shape_text(&s->array[i].shape, want));
        else if (strcmp(found->dtype, CAK_REAL_DTYPE))
            MISFIT(m, "%s is %s, this program computes in " CAK_REAL_DTYPE, found->name, found->dtype);
    }
    for (int i = 0; i < t->n; i++) {
        bool known = false;
        for (int j = 0; !known && j < s->n_arrays; j++) known = strcmp(t->tensor[i].name, s->array[j].name) == 0;
        if (!known) MISFIT(m, "%s is not part of the run", t->tensor[i].name);
    }
}

static const char *meta(cak_arena *a, const cak_tensors *t, const char *kind, const char *name)
{
    return cak_tensors_meta(t, cak_arena_print(a, "%s%s", kind, name));
}

static bool whole_number(const char *text, uint64_t *out)
{
    char *end;
    *out = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0';
}

static bool any_number(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0';
}

static int n_scalars(const cak_tensors *t)
{
    int n = 0;
    for (int i = 0; i < t->n_meta; i++)
        n += strncmp(t->meta[i].key, COUNTER, strlen(COUNTER)) == 0 || strncmp(t->meta[i].key, NUMBER, strlen(NUMBER)) == 0;
    return n;
}

/* Read the scalars into counter[] and number[]. */
static void compare_scalars(cak_arena *a, misfit *m, const cak_tensors *t, const cak_ckpt_state *s, uint64_t *counter,
                            double *number)
{
    for (int i = 0; i < s->n_identity; i++) {
        const char *text = meta(a, t, IDENTITY, s->identity[i].key);
        if (!text || strcmp(text, s->identity[i].value))
            MISFIT(m, "%s is %.40s, the run has %.40s", s->identity[i].key, text ? text : "missing", s->identity[i].value);
    }
    for (int i = 0; i < s->n_counters; i++) {
        const char *text = meta(a, t, COUNTER, s->counter[i].name);
        if (!text || !whole_number(text, &counter[i]))
            MISFIT(m, "counter %s is %s", s->counter[i].name, text ? "malformed" : "missing");
    }
    for (int i = 0; i < s->n_numbers; i++) {
        const char *text = meta(a, t, NUMBER, s->number[i].name);
        if (!text || !any_number(text, &number[i]))
            MISFIT(m, "number %s is %s", s->number[i].name, text ? "malformed" : "missing");
    }
    int more = n_scalars(t) - s->n_counters - s->n_numbers;
    if (m->n == 0 && more > 0) MISFIT(m, "%d counters or numbers are not part of the run", more);
}

static bool finite_file(cak_diag *d, const cak_tensors *t)
{
    for (int i = 0; i < t->n; i++)
        if (!all_finite(t->tensor[i].data, cak_shape_size(&t->tensor[i].shape)))
            return cak_error(d, CAK_E4005, CAK_NOWHERE, "%s: %s is not finite", t->path, t->tensor[i].name);
    return true;
}

static bool load(cak_arena *a, cak_diag *d, const char *path, const cak_ckpt_state *s)
{
    cak_tensors *t = cak_io_no_link(d, path) ? cak_tensors_load(a, d, path) : NULL;
    if (!t) return false;
    if (!cak_tensors_meta(t, "cak")) return cak_error(d, CAK_E4006, CAK_NOWHERE, "%s: not written by this program", path);
    misfit m = { .text = { .a = a } };
    uint64_t *counter = cak_arena_alloc(a, (size_t)s->n_counters * sizeof *counter);
    double *number = cak_arena_alloc(a, (size_t)s->n_numbers * sizeof *number);
    compare_scalars(a, &m, t, s, counter, number);
    compare_arrays(&m, t, s);
    if (m.n > MAX_LISTED) cak_text_add(&m.text, "; and %d more", m.n - MAX_LISTED);
    if (m.n) return cak_error(d, CAK_E4006, CAK_NOWHERE, "%s does not fit the run: %s", path, cak_text_done(&m.text));
    if (!finite_file(d, t)) return false;
    for (int i = 0; i < s->n_arrays; i++)
        if (!cak_tensor_read(d, cak_tensors_find(t, s->array[i].name), s->array[i].data)) return false;
    for (int i = 0; i < s->n_counters; i++) *s->counter[i].value = counter[i];
    for (int i = 0; i < s->n_numbers; i++) *s->number[i].value = number[i];
    return true;
}

bool cak_ckpt_load(cak_diag *d, const char *path, const cak_ckpt_state *s)
{
    cak_arena *a = cak_arena_open("checkpoint");
    bool ok = load(a, d, path, s);
    cak_arena_close(a);
    return ok;
}

bool cak_ckpt_verify(cak_diag *d, const char *path)
{
    cak_arena *a = cak_arena_open("checkpoint");
    cak_tensors *t = cak_io_no_link(d, path) ? cak_tensors_load(a, d, path) : NULL;
    bool ok = t && finite_file(d, t);
    cak_arena_close(a);
    return ok;
}

/* ---- the checkpoints of a run ---- */

/* "step-0000000012.safetensors" and nothing else. */
static bool step_of(const char *name, uint64_t *step)
{
    char again[64], *end;
    if (strncmp(name, "step-", 5) || name[5] < '0' || name[5] > '9') return false;
    *step = strtoull(name + 5, &end, 10);
    snprintf(again, sizeof again, "step-%010" PRIu64 ".safetensors", *step);
    return strcmp(name, again) == 0 && *step != CAK_CKPT_NONE;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

const uint64_t *cak_ckpt_steps(cak_arena *a, cak_diag *d, const char *dir, int *n)
{
    int n_entries = 0;
    const char *folder = cak_arena_print(a, "%s/ckpt", dir);
    const cak_io_entry *entry = cak_io_exists(folder) ? cak_io_list(a, d, folder, &n_entries) : NULL;
    uint64_t *step = cak_arena_alloc(a, (size_t)n_entries * sizeof *step);
    *n = 0;
    for (int i = 0; i < n_entries; i++) *n += step_of(entry[i].name, &step[*n]);
    qsort(step, (size_t)*n, sizeof *step, ascending); /* by number: 11 digits sort after 10 */
    return step;
}

typedef enum attempt { LOADED, DAMAGED, REFUSED } attempt;

/* Damage is a warning, because an older checkpoint may do; anything else is handed on. */
static attempt try_load(cak_diag *d, const char *path, const cak_ckpt_state *s)
{
    cak_diag *own = cak_diag_open();
    attempt result = LOADED;
    if (!cak_ckpt_load(own, path, s)) {
        cak_code code = cak_diag_code(own, 0);
        result = code == CAK_E4006 || code == CAK_E4001 ? REFUSED : DAMAGED;
        if (result == REFUSED) cak_error(d, code, CAK_NOWHERE, "%s", cak_diag_message(own, 0));
        else cak_warn(d, CAK_NOWHERE, "%s; going back to an older checkpoint", cak_diag_message(own, 0));
    }
    cak_diag_close(own);
    return result;
}

static bool resume(cak_arena *a, cak_diag *d, const char *dir, const cak_ckpt_state *s, uint64_t *found)
{
    int n;
    const uint64_t *step = cak_ckpt_steps(a, d, dir, &n);
    *found = CAK_CKPT_NONE;
    for (int i = n - 1; i >= 0; i--) {
        attempt result = try_load(d, cak_ckpt_path(a, dir, step[i]), s);
        if (result == LOADED) *found = step[i];
        if (result != DAMAGED) return result == LOADED;
    }
    return n == 0 || cak_error(d, CAK_E4005, CAK_NOWHERE, "%s/ckpt: none of %d checkpoints is intact", dir, n);
}

bool cak_ckpt_resume(cak_diag *d, const char *dir, const cak_ckpt_state *s, uint64_t *step)
{
    cak_arena *a = cak_arena_open("checkpoints");
    bool ok = resume(a, d, dir, s, step);
    cak_arena_close(a);
    return ok;
}

static bool intact(const char *path)
{
    cak_diag *own = cak_diag_open();
    bool ok = cak_ckpt_verify(own, path);
    cak_diag_close(own);
    return ok;
}

bool cak_ckpt_prune(cak_diag *d, const char *dir, int keep, uint64_t best)
{
    CAK_CHECK(keep >= 1);
    cak_arena *a = cak_arena_open("checkpoints");
    int n, kept = 0;
    const uint64_t *step = cak_ckpt_steps(a, d, dir, &n);
    bool ok = true;
    for (int i = n - 1; i >= 0; i--) {
        const char *path = cak_ckpt_path(a, dir, step[i]);
        if (kept < keep) kept += intact(path); /* a damaged one does not count, so the last intact one always stays */
        else if (step[i] != best) ok = cak_io_remove(d, path) && ok;
    }
    cak_arena_close(a);
    return ok;
}
