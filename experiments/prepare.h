/* The `data` section: source -> chain of nodes -> loader. The chain runs once per clip; the results are kept in a cache file that later
** runs with the same sounds and the same chain use without decoding anything. */
#ifndef CAK_PREPARE_H
#define CAK_PREPARE_H

#include "experiments/progress.h"
#include "graph/config.h"
#include "graph/stage.h"
#include "nodes/audio/lib_pairs.h"

typedef struct cak_data_options {
    const char *cache_dir; /* NULL: $XDG_CACHE_HOME/cak or ~/.cache/cak */
    cak_progress_mode progress;
} cak_data_options;

typedef struct cak_data_stats { /* what was computed from the corpus for one `normalise` node */
    const char *node;
    double low, high;
    double range[2]; /* of the histogram */
    uint64_t count;  /* levels counted */
    int files;
} cak_data_stats;

typedef struct cak_data {
    cak_arena *arena;
    char digest[33]; /* of everything that decides the prepared values; names the cache file */
    const cak_stage_ops *ops;
    void *loader;
    cak_loader_info info;

    /* for reports */
    const cak_node *source_node, *loader_node; /* source_node is NULL when the loader reads by itself */
    cak_source_info source;
    cak_prepared prepared;
    const char *cache_path;
    bool cached; /* the cache file was there */
    cak_data_stats *stats;
    int n_stats;
    void *src, *cache; /* open source, open cache file */
    const cak_stage_ops *source_ops;
} cak_data;

/* What the attributes alone tell: ports, shapes, batch. Sounds are not read (a loader of tensors reads its file). `items` is one full
** batch when only the sounds tell their number. Reports every error of the section; false after one. `info` then holds ports with stand-in
** shapes, or none when not even the ports are known. */
bool cak_data_describe(cak_arena *a, cak_diag *d, cak_yaml *data, const char *base_dir, cak_loader_info *info);

/* Open source, cache and loader; prepare what the cache does not hold. Statistics that `normalise` takes from the corpus (`low`, `high`
** absent, null or auto) are computed and written into the tree, so that the saved configuration holds the numbers; what is written lives
** until the data are closed. NULL after an error. */
cak_data *cak_data_open(cak_diag *d, cak_yaml *data, const char *base_dir, uint64_t seed, const cak_data_options *o);
void cak_data_close(cak_data *x); /* NULL is fine */

/* Source, files, statistics, pairs, cache as JSON text. */
const char *cak_data_json(const cak_data *x, cak_arena *a);
cak_pairs *cak_data_pairs(const cak_data *x); /* of a pair_loader; NULL: another loader */

#endif
