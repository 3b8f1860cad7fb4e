/* safetensors files: named tensors with a JSON header (https://github.com/huggingface/safetensors). The reader treats every file as
** hostile: all sizes and offsets are checked before anything is allocated; holes, overlaps and duplicate names are errors. */
#ifndef CAK_SAFETENSORS_H
#define CAK_SAFETENSORS_H

#include "graph/arena.h"
#include "graph/diag.h"
#include "graph/real.h"
#include "graph/shape.h"

#ifdef CAK_DOUBLE
#define CAK_REAL_DTYPE "F64"
#else
#define CAK_REAL_DTYPE "F32"
#endif

typedef struct cak_tensor {
    const char *name;
    const char *dtype; /* "F32" ... as in the file */
    cak_shape shape;   /* rank <= 5 */
    const void *data;  /* little-endian, row-major */
    size_t size;       /* bytes */
} cak_tensor;
typedef struct cak_pair {
    const char *key, *value;
} cak_pair;

typedef struct cak_tensors { /* the contents of a file */
    const char *path;
    const cak_tensor *tensor; /* in file order */
    int n;
    const cak_pair *meta; /* __metadata__ */
    int n_meta;
} cak_tensors;

/* NULL after recording CAK_E4009 (malformed, or the checksum is wrong) or CAK_E4002 (unreadable). Files of ours carry the metadata
** entries "cak" (format version) and "xxh3", a digest of the whole file with the digits of the digest itself taken as zeros. */
cak_tensors *cak_tensors_load(cak_arena *a, cak_diag *d, const char *path);
const cak_tensor *cak_tensors_find(const cak_tensors *t, const char *name);
const char *cak_tensors_meta(const cak_tensors *t, const char *key); /* NULL when absent */
/* Elements as real, converted; CAK_E2005 for the 8-bit floats, which have no standard meaning here. `out` has room for cak_shape_size(&t->shape). */
bool cak_tensor_read(cak_diag *d, const cak_tensor *t, real *out);

/* Written atomically (cak_io_replace); data start at a multiple of 64; "cak" and "xxh3" are added to the metadata, the caller gives
** neither. Names of tensors and keys are ours: [A-Za-z0-9_.\-/]{1,256}, unique; CAK_E4001 otherwise. */
bool cak_tensors_save(cak_diag *d, const char *path, const cak_tensor *tensor, int n, const cak_pair *meta, int n_meta);

bool cak_tensor_at(const cak_tensor *t, int64_t i, double *out); /* one element; false for the 8-bit floats */
size_t cak_dtype_size(const char *dtype);                        /* bytes of an element, 0 when the type is not known */

#endif
