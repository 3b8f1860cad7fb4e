/* The author's global statistics: a histogram of the levels of all whole files, read off at two percentiles. */
#include "experiments/prepare_stats.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/build.h"
#include "graph/io.h"
#include "graph/par.h"
#include "graph/rng.h"
#include "graph/text.h"

enum {
    BINS = 10000,
    PROBES = 5,        /* files that tell the range of the histogram ... */
    PROBE_SECONDS = 5, /* ... and how much of each */
    CHUNK_SECONDS = 30,
    MIN_CHUNK = 2560 /* samples; shorter ones do not count */
};

typedef struct measure {
    const cak_section *s;
    const cak_corpus_view *v;
    const cak_yaml *input; /* of the normalise node */
    double alpha, percentile[2];
    int *file, n; /* one clip of each file */
    float edge[BINS + 1];
    uint64_t count[BINS];
} measure;

/* ---- attributes of the node ---- */

static double number_attr(const cak_node *node, const void *attr, const char *name)
{
    const cak_attr *row = node->attr;
    while (strcmp(row->name, name)) row++;
    return *(const double *)((const char *)attr + row->offset);
}

static const cak_nums *numbers_attr(const cak_node *node, const void *attr, const char *name)
{
    const cak_attr *row = node->attr;
    while (strcmp(row->name, name)) row++;
    return (const cak_nums *)((const char *)attr + row->offset);
}

static bool read_node(measure *m, const cak_yaml *yaml)
{
    cak_arena *a = m->s->a;
    cak_diag *d = m->s->d;
    const cak_node *node = cak_node_find("normalise");
    void *attr = cak_arena_alloc(a, node->attr_size);
    cak_yaml *copy = cak_yaml_clone(a, yaml), *list = cak_yaml_get(copy, "inputs");
    copy->key = yaml->key;
    cak_section_set(a, copy, "low", 0);
    cak_section_set(a, copy, "high", 1);
    if (!cak_config_read(a, d, copy, node->attr, attr, yaml->key, NULL, NULL)) return false;
    CAK_CHECK(list && list->n == 1); /* the chain was built before */
    m->input = list->child;
    m->alpha = number_attr(node, attr, "alpha");
    const cak_nums *p = numbers_attr(node, attr, "percentiles");
    if (p->n != 2 || p->v[0] < 0 || p->v[0] >= p->v[1] || p->v[1] > 100)
        return cak_error(d, CAK_E1202, yaml->key_pos, "`percentiles` of '%s' must be two rising numbers from 0 to 100",
                         yaml->key);
    m->percentile[0] = p->v[0], m->percentile[1] = p->v[1];
    return true;
}

/* ---- levels ---- */

typedef void level_sink(void *ctx, const float *level, int64_t n);

/* One thread's chain, made anew when the length of the signal changes: chunks are equal but for the last of a file. */
typedef struct worker {
    const measure *m;
    cak_chain *chain;
    int64_t length;
    float *level;
    size_t n_level;
} worker;

static bool fit(worker *w, int64_t length)
{
    if (w->chain && w->length == length) return true;
    cak_chain_close(w->chain);
    w->chain = cak_chain_open(w->m->s, w->m->input, length, false);
    w->length = length;
    if (!w->chain) return false;
    cak_shape shape = cak_chain_shape(w->chain);
    size_t n = (size_t)cak_shape_size(&shape);
    if (n > w->n_level) w->level = cak_heap_grow(w->level, n * sizeof *w->level, "levels"), w->n_level = n;
    return true;
}

static void close_worker(worker *w)
{
    cak_chain_close(w->chain);
    cak_heap_free(w->level);
}

/* Levels of one chunk of signal. */
static bool chunk_levels(worker *w, const real *signal, int64_t n, level_sink *sink, void *ctx)
{
    if (n < MIN_CHUNK) return true;
    if (!fit(w, n)) return false;
    memcpy(cak_chain_input(w->chain), signal, (size_t)n * sizeof *signal);
    const real *x = cak_chain_run(w->chain);
    cak_shape shape = cak_chain_shape(w->chain);
    int64_t size = cak_shape_size(&shape);
    for (int64_t i = 0; i < size; i++) w->level[i] = (float)CAK_MATH(log1p)((real)w->m->alpha * CAK_MATH(sqrt)(x[i]));
    sink(ctx, w->level, size);
    return true;
}

/* Levels of the first `limit` samples of a file, chunk by chunk. */
static bool file_levels(worker *w, int clip, int64_t chunk, int64_t limit, level_sink *sink, void *ctx)
{
    const cak_corpus_view *v = w->m->v;
    real *signal = cak_heap_alloc((size_t)chunk * sizeof *signal, "signal");
    bool ok = true;
    for (int64_t at = 0, n = chunk; ok && n == chunk && at < limit; at += n) {
        n = v->ops->read_whole(v->src, w->m->s->d, clip, at, cak_min64(chunk, limit - at), signal);
        ok = n >= 0 && chunk_levels(w, signal, n, sink, ctx);
    }
    cak_heap_free(signal);
    return ok;
}

/* ---- the range ---- */

typedef struct range {
    float lo, hi;
} range;

static void widen(void *ctx, const float *level, int64_t n)
{
    range *r = ctx;
    for (int64_t i = 0; i < n; i++) {
        if (level[i] < r->lo) r->lo = level[i];
        if (level[i] > r->hi) r->hi = level[i];
    }
}

/* Range of a few files plus 2 on both sides; the files do not depend on the seed of the run, so that all runs share one cache. */
static bool find_range(measure *m)
{
    int *order = cak_arena_alloc(m->s->a, (size_t)m->n * sizeof *order);
    int64_t probe = llround(PROBE_SECONDS * m->v->info->rate);
    range r = { INFINITY, -INFINITY };
    worker w = { .m = m };
    bool ok = true;
    cak_rng_permutation(0, cak_rng_stream("statistics"), 0, m->n, order);
    for (int i = 0; ok && i < m->n && i < PROBES; i++) ok = file_levels(&w, m->file[order[i]], probe, probe, widen, &r);
    close_worker(&w);
    if (!ok) return false;
    if (!(r.lo <= r.hi)) r = (range){ 0, 10 };
    double lo = (double)(r.lo - 2), hi = (double)(r.hi + 2);
    for (int i = 0; i <= BINS; i++) m->edge[i] = (float)(lo + (hi - lo) / BINS * i);
    m->edge[BINS] = (float)hi;
    return true;
}

/* ---- the histogram ---- */

typedef struct histogram {
    const float *edge;
    uint64_t count[BINS];
} histogram;

/* numpy.histogram: bin i is [edge i, edge i+1), the last one is closed; what lies outside does not count. */
static void count_levels(void *ctx, const float *level, int64_t n)
{
    histogram *h = ctx;
    const float *edge = h->edge;
    float scale = BINS / (edge[BINS] - edge[0]);
    for (int64_t i = 0; i < n; i++) {
        float v = level[i];
        if (!(v >= edge[0] && v <= edge[BINS])) continue;
        int k = (int)((v - edge[0]) * scale);
        if (k > BINS - 1) k = BINS - 1;
        while (k > 0 && v < edge[k]) k--;
        while (k < BINS - 1 && v >= edge[k + 1]) k++;
        h->count[k]++;
    }
}

/* Files are spread over threads; counts are whole numbers, so their sum does not depend on the order. */
static bool count_files(measure *m)
{
    bool ok = true;
    int64_t done = 0, chunk = llround(CHUNK_SECONDS * m->v->info->rate);
    cak_progress_start(m->v->progress, "statistics", m->n);
#ifdef _OPENMP
#pragma omp parallel
#endif
    {
        worker w = { .m = m };
        histogram *h = cak_heap_alloc(sizeof *h, "histogram");
        h->edge = m->edge;
#ifdef _OPENMP
#pragma omp for schedule(dynamic)
#endif
        for (int i = 0; i < m->n; i++) {
            bool good = file_levels(&w, m->file[i], chunk, INT64_MAX, count_levels, h);
#ifdef _OPENMP
#pragma omp critical(cak_statistics)
#endif
            ok = ok && good, cak_progress_show(++done, "files");
        }
#ifdef _OPENMP
#pragma omp critical(cak_statistics)
#endif
        for (int k = 0; k < BINS; k++) m->count[k] += h->count[k];
        cak_heap_free(h);
        close_worker(&w);
    }
    cak_progress_end();
    return ok;
}

/* Left edge of the first bin whose cumulated count reaches the percentile. */
static double percentile(const measure *m, uint64_t total, double percent)
{
    uint64_t sum = 0;
    int k = 0;
    for (; k < BINS; k++) {
        sum += m->count[k];
        if ((double)sum >= (double)total * percent / 100) break;
    }
    return (double)m->edge[k < BINS ? k : BINS - 1];
}

/* ---- memory ---- */

static const char *memory_path(const measure *m, const cak_yaml *node, const char *cache_dir)
{
    char hex[33];
    const char *text =
        cak_arena_print(m->s->a, "statistics 1 " CAK_VERSION " " CAK_REAL_NAME " %s %s %a %a %a\n%s", m->v->info->digest,
                        node->key, m->alpha, m->percentile[0], m->percentile[1], cak_section_chain_text(m->s));
    cak_text_digest(text, hex);
    return cak_arena_print(m->s->a, "%s/%s.stats", cache_dir, hex);
}

static bool recall(const measure *m, const char *path, cak_data_stats *out)
{
    if (!cak_io_exists(path)) return false;
    cak_diag *quiet = cak_diag_open(); /* whatever is wrong with the file, the numbers can be computed again */
    char *text = cak_io_read_all(m->s->a, quiet, CAK_E4002, path, 4096, NULL);
    cak_diag_close(quiet);
    int end = 0;
    return text &&
           sscanf(text, "cak-stats 1 %la %la %la %la %" SCNu64 " %d end%n", &out->low, &out->high, &out->range[0], &out->range[1],
                  &out->count, &out->files, &end) == 6 &&
           end && isfinite(out->low) && isfinite(out->high);
}

static bool remember(const measure *m, const char *path, const cak_data_stats *s)
{
    const char *text = cak_arena_print(m->s->a, "cak-stats 1 %a %a %a %a %" PRIu64 " %d end\n", s->low, s->high, s->range[0],
                                       s->range[1], s->count, s->files);
    return cak_io_replace(m->s->d, path, &(cak_io_part){ text, strlen(text) }, 1);
}

/* ---- */

static void list_files(measure *m)
{
    const cak_source_info *info = m->v->info;
    m->file = cak_arena_alloc(m->s->a, (size_t)info->n * sizeof *m->file);
    for (int i = 0; i < info->n; i++) {
        const char *path = info->clip[i].path, *before = i ? info->clip[i - 1].path : NULL;
        if (!path || !before || strcmp(path, before)) m->file[m->n++] = i;
    }
}

bool cak_stats_compute(const cak_section *s, const cak_corpus_view *v, const cak_yaml *node, const char *cache_dir,
                       cak_data_stats *out)
{
    measure *m = cak_arena_alloc(s->a, sizeof *m);
    *m = (measure){ .s = s, .v = v };
    *out = (cak_data_stats){ .node = node->key };
    if (!read_node(m, node)) return false;
    const char *path = memory_path(m, node, cache_dir);
    if (recall(m, path, out)) return true;
    list_files(m);
    if (!find_range(m) || !count_files(m)) return false;
    *out = (cak_data_stats){ .node = node->key, .files = m->n, .range = { (double)m->edge[0], (double)m->edge[BINS] } };
    for (int k = 0; k < BINS; k++) out->count += m->count[k];
    if (!out->count)
        return cak_error(s->d, CAK_E2004, node->key_pos, "the corpus has no levels to take the percentiles of '%s' from",
                         node->key);
    out->low = percentile(m, out->count, m->percentile[0]);
    out->high = percentile(m, out->count, m->percentile[1]);
    if (out->low >= out->high)
        return cak_error(s->d, CAK_E2004, node->key_pos,
                         "the sounds of the corpus have one level only, %g: there is nothing to normalise", out->low);
    return remember(m, path, out);
}
