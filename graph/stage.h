/* Stages: nodes that bring data into a run. A *source* lists clips of sound and reads them; a *loader* serves batches to the graph.
**
** The `data:` section of a configuration is a chain   source -> nodes of any type (stft, normalise, ...) -> loader.   The nodes
** between are run once per clip and their result is cached. */
#ifndef CAK_STAGE_H
#define CAK_STAGE_H

#include "graph/arena.h"
#include "graph/diag.h"
#include "graph/node.h"

typedef struct cak_source_clip { /* one item of a source */
    const char *name;            /* path relative to the corpus, or a made name; UTF-8, unique */
    const char *path;            /* file it comes from, NULL when synthetic */
    int64_t frames;              /* whole length in samples at the source's rate after resampling, before cropping */
    double control;              /* feature- or sampler-based control value is set by the loader */
} cak_source_clip;

typedef struct cak_source_info { /* what open() reports */
    const cak_source_clip *clip; /* sorted by path */
    int n;
    int64_t length;             /* samples of a prepared clip: read() fills exactly this many */
    double rate;                /* Hz */
    char digest[33];            /* of everything that decides the samples: file contents and attributes */
    const char *const *skipped; /* "name: reason", on_bad_file: skip */
    int n_skipped;
} cak_source_info;

typedef struct cak_batch_port { /* one output of a loader */
    const char *name;
    cak_shape shape; /* per sample: the engine puts the batch axis in front */
} cak_batch_port;

typedef struct cak_loader_info {
    const char *name; /* of the loader's node: its ports are NAME.PORT in the graph; set by the reader of the section */
    cak_batch_port port[CAK_MAX_OUT];
    int n_ports;
    int64_t items; /* items of an epoch */
    int64_t batch; /* samples of a full batch; the last batch of an epoch may be shorter */
    bool drop_last, shuffle;
} cak_loader_info;

typedef struct cak_prepared { /* clips after the chain, read one at a time; given to a loader */
    int n;
    cak_shape shape; /* of one clip's result without batch axis: [1,F,T] */
    const char *const *name;
    /* rows [r0, r0+rows) of axis 1 and columns [c0, c0+cols) of axis 2 of clip i; false after recording the error */
    bool (*read)(void *ctx, cak_diag *d, int i, int64_t r0, int64_t rows, int64_t c0, int64_t cols, real *out);
    void *ctx;
    double rate;
    const double *feature; /* [n] one measured value per clip when the loader asked for one, else NULL */
} cak_prepared;

typedef struct cak_stage_ops {
    /* sources; base_dir NULL: nothing is read, only length and rate are told */
    void *(*open_source)(cak_arena *a, cak_diag *d, const void *attr, cak_pos at, const char *base_dir, cak_source_info *info);
    bool (*read_clip)(void *src, cak_diag *d, int i, real *out); /* `length` samples: cropped, padded, faded; thread-safe */
    /* whole signal of clip i in pieces of `chunk` samples for corpus statistics; returns samples read, 0 at the end, -1 on error */
    int64_t (*read_whole)(void *src, cak_diag *d, int i, int64_t from, int64_t chunk, real *out);
    void (*close_source)(void *src);
    /* loaders; `in` is NULL for loaders that read tensors themselves; in->read NULL: only shapes are told, `items` is one batch */
    void *(*open_loader)(cak_arena *a, cak_diag *d, const void *attr, cak_pos at, const char *base_dir, uint64_t seed,
                         const cak_prepared *in, cak_loader_info *info);
    /* turn to the batch whose samples are items first, first + 1, ... of the epoch's order; the functions below are about it */
    void (*open_batch)(void *ld, int64_t epoch, int64_t first);
    /* one sample of a port; thread-safe */
    bool (*read_row)(void *ld, cak_diag *d, int port, int64_t sample, real *out);
    /* true: the rows of two ports are known to be equal without reading them; NULL: never. Thread-safe */
    bool (*same_row)(const void *ld, int port, int other, int64_t sample);
    /* number of what a sample holds in all ports together: equal for equal clips, window and control of the same data, whatever its
    ** place; NULL: not known */
    uint64_t (*row_id)(const void *ld, int64_t sample);
    void (*close_loader)(void *ld);
} cak_stage_ops;

#endif
