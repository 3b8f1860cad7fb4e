/* The cache file: all prepared clips of a corpus behind a header that describes them. */
#ifndef CAK_PREPARE_CACHE_H
#define CAK_PREPARE_CACHE_H

#include "graph/stage.h"
#include "nodes/audio/lib_feature.h"

typedef struct cak_cache cak_cache;

/* Open a finished file, everything in it checked; NULL, with a warning, when it is damaged or describes something else. */
cak_cache *cak_cache_open(cak_arena *a, cak_diag *d, const char *path, const char *digest, int n);

/* Write a new file beside `path`, clip by clip in any order and from any thread, then give it its name. */
cak_cache *cak_cache_create(cak_arena *a, cak_diag *d, const char *path, const char *digest, const cak_source_info *info,
                            const cak_shape *shape);
bool cak_cache_put(cak_cache *c, cak_diag *d, int i, const real *x, const double feature[CAK_FEATURES]);
bool cak_cache_finish(cak_cache *c, cak_diag *d); /* after this it can be read */

cak_shape cak_cache_shape(const cak_cache *c);
double cak_cache_feature(const cak_cache *c, int i, int feature);
/* The reader of cak_prepared; ctx is the cache. */
bool cak_cache_read(void *ctx, cak_diag *d, int i, int64_t r0, int64_t rows, int64_t c0, int64_t cols, real *out);
void cak_cache_close(cak_cache *c); /* NULL is fine; an unfinished file is removed */

#endif
