/* safetensors files: named tensors with a JSON header (https://github.com/huggingface/safetensors). The reader treats every file as
** hostile: all sizes and offsets are checked before anything is allocated; holes, overlaps and duplicate names are errors. */
#ifndef CAK_SAFETENSORS_H
#define CAK_SAFETENSORS_H

#include "graph/arena.h"
#include "graph/diag.h"
#include "graph/real.h"
#include "graph/shape.h"

typedef enum cak_dtype {
    CAK_F32,
    CAK_F64,
    CAK_I64,
    CAK_U8
} cak_dtype; /* written by us; the reader also takes F16, BF16, I32 and lists others */
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

/* NULL after recording CAK_E4009 (malformed) or CAK_E4002 (unreadable). Files with a "crc32c" metadata entry written by us are verified. */
cak_tensors *cak_tensors_load(cak_arena *a, cak_diag *d, const char *path);
const cak_tensor *cak_tensors_find(const cak_tensors *t, const char *name);
const char *cak_tensors_meta(const cak_tensors *t, const char *key); /* NULL when absent */
/* Elements as real (F32, F64, F16, BF16, I64, I32 are converted); `out` has room for cak_shape_size(&t->shape). */
bool cak_tensor_read(cak_diag *d, const cak_tensor *t, real *out);

/* Written atomically (cak_io_replace); data start at a multiple of 64; metadata gets a checksum over everything else. */
bool cak_tensors_save(cak_diag *d, const char *path, const cak_tensor *tensor, int n, const cak_pair *meta, int n_meta);

#endif
