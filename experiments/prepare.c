/* From the data section to a loader that serves batches. */
#include "experiments/prepare.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "experiments/prepare_cache.h"
#include "experiments/prepare_stats.h"
#include "graph/io.h"
#include "graph/par.h"
#include "graph/text.h"
#include "nodes/audio/lib_corpus.h"
#include "nodes/audio/lib_files.h"

/* ---- shapes only ---- */

/* Chain and loader over a source that was asked for its shape alone. */
static bool describe_chain(const cak_section *s, cak_prepared *in)
{
    cak_source_info info;
    if (!s->source_node->stage->open_source(s->a, s->d, s->source_attr, s->source->key_pos, NULL, &info)) return false;
    cak_chain *c = cak_chain_open(s, s->input, info.length, true);
    if (!c) return false;
    *in = (cak_prepared){ .shape = cak_chain_shape(c), .rate = info.rate };
    cak_chain_close(c);
    return true;
}

/* A required text that could not be read leaves nothing to work with. */
static bool complete(const cak_node *node, const void *attr)
{
    for (const cak_attr *row = node->attr; row->kind != CAK_END; row++)
        if (row->required && row->kind == CAK_TEXT && !*(const char *const *)((const char *)attr + row->offset)) return false;
    return true;
}

static bool describe_loader(const cak_section *s, cak_diag *d, const char *base_dir, const cak_prepared *in,
                            cak_loader_info *info)
{
    const cak_stage_ops *ops = s->loader_node->stage;
    const cak_prepared *clips = s->loader_node->in[0].name ? in : NULL;
    void *loader = ops->open_loader(s->a, d, s->loader_attr, s->loader->key_pos, base_dir, 0, clips, info);
    if (loader) ops->close_loader(loader);
    else *info = (cak_loader_info){ 0 };
    info->name = s->loader->key;
    return loader != NULL;
}

bool cak_data_describe(cak_arena *a, cak_diag *d, cak_yaml *data, const char *base_dir, cak_loader_info *info)
{
    cak_section s;
    cak_prepared in = { .shape = CAK_SHAPE(1, 4096, 4096) }; /* stand-in: a window of any usual size fits */
    *info = (cak_loader_info){ 0 };
    bool ok = cak_section_read(a, d, data, &s) && (!s.input || describe_chain(&s, &in));
    if (!s.loader || !complete(s.loader_node, s.loader_attr)) return false;
    cak_diag *quiet = cak_diag_open();
    cak_diag_mute(d, CAK_E2004, !ok); /* about sizes */
    ok = describe_loader(&s, s.loader_read ? d : quiet, base_dir, &in, info) && ok;
    cak_diag_mute(d, CAK_E2004, false);
    if (!info->n_ports) describe_loader(&s, quiet, base_dir, &(cak_prepared){ .shape = CAK_SHAPE(1, 4096, 4096) }, info);
    cak_diag_close(quiet);
    return ok;
}

/* ---- where the cache is ---- */

static const char *find_cache_dir(cak_arena *a, cak_diag *d, const char *asked)
{
    const struct passwd *user = getpwuid(getuid());
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME"), *dir = asked;
    if ((!home || *home != '/') && user) home = user->pw_dir; /* services run without HOME */
    if (!dir && xdg && *xdg == '/') dir = cak_arena_print(a, "%s/cak", xdg);
    if (!dir && home && *home == '/') dir = cak_arena_print(a, "%s/.cache/cak", home);
    if (!dir) return cak_error(d, CAK_E4001, CAK_NOWHERE, "no place for prepared data: neither --cache nor HOME is set"), NULL;
    return cak_io_mkdirs(d, dir) ? cak_arena_text(a, dir) : NULL;
}

/* ---- preparing ---- */

typedef struct preparing {
    const cak_section *s;
    cak_data *x;
    cak_cache *cache;
    int64_t done;
    bool ok;
} preparing;

static bool prepare_clip(preparing *p, cak_chain *c, int i)
{
    double feature[CAK_FEATURES];
    if (!p->x->source_ops->read_clip(p->x->src, p->s->d, i, cak_chain_input(c))) return false;
    cak_feature_measure(cak_chain_input(c), p->x->source.length, feature);
    return cak_cache_put(p->cache, p->s->d, i, cak_chain_run(c), feature);
}

/* Clips are spread over threads, each with a chain of its own; a clip's result does not depend on the thread. */
static bool prepare_all(preparing *p, cak_progress_mode mode)
{
    p->ok = true;
    cak_progress_start(mode, "preparing", p->x->source.n);
#ifdef _OPENMP
#pragma omp parallel
#endif
    {
        cak_chain *c = cak_chain_open(p->s, p->s->input, p->x->source.length, false);
#ifdef _OPENMP
#pragma omp for schedule(dynamic)
#endif
        for (int i = 0; i < p->x->source.n; i++) {
            bool good = c && prepare_clip(p, c, i);
#ifdef _OPENMP
#pragma omp critical(cak_preparing)
#endif
            p->ok = p->ok && good, cak_progress_show(++p->done, "clips");
        }
        cak_chain_close(c);
    }
    cak_progress_end();
    return p->ok;
}

/* Take the cache file, or make it. */
static bool fill_cache(cak_data *x, const cak_section *s, const cak_shape *shape, cak_progress_mode mode)
{
    cak_cache *c = NULL;
    if (cak_io_exists(x->cache_path)) c = cak_cache_open(x->arena, s->d, x->cache_path, x->digest, x->source.n);
    x->cached = c != NULL;
    if (!c) {
        c = cak_cache_create(x->arena, s->d, x->cache_path, x->digest, &x->source, shape);
        preparing p = { .s = s, .x = x, .cache = c };
        if (!c || !prepare_all(&p, mode) || !cak_cache_finish(c, s->d)) return cak_cache_close(c), false;
    }
    x->cache = c;
    return true;
}

/* The measurement that the loader asked for, one per clip. */
static const double *take_feature(const cak_data *x, const cak_section *s)
{
    const char *name = cak_section_choice(s->loader_node, s->loader_attr, "feature");
    for (int k = 0; k < CAK_FEATURES && name; k++) {
        if (strcmp(name, cak_feature_choices[k])) continue;
        double *v = cak_arena_alloc(x->arena, (size_t)x->source.n * sizeof *v);
        for (int i = 0; i < x->source.n; i++) v[i] = cak_cache_feature(x->cache, i, k);
        return v;
    }
    return NULL;
}

static void serve_cache(cak_data *x, const cak_section *s)
{
    const char **name = cak_arena_alloc(x->arena, (size_t)x->source.n * sizeof *name);
    for (int i = 0; i < x->source.n; i++) name[i] = x->source.clip[i].name;
    x->prepared = (cak_prepared){ .n = x->source.n,
                                  .shape = cak_cache_shape(x->cache),
                                  .name = name,
                                  .read = cak_cache_read,
                                  .ctx = x->cache,
                                  .rate = x->source.rate,
                                  .feature = take_feature(x, s) };
}

/* ---- from the source to the prepared clips ---- */

/* Files are hashed, and decoded once in their life to check them; the bar only says that this is going on. */
static bool open_source(cak_data *x, const cak_section *s, const char *base_dir, const char *cache_dir, cak_progress_mode mode)
{
    cak_corpus_memory(cache_dir);
    cak_progress_start(mode, "checking sounds", 1);
    cak_progress_show(0, "");
    x->source_ops = s->source_node->stage;
    x->src = x->source_ops->open_source(x->arena, s->d, s->source_attr, s->source->key_pos, base_dir, &x->source);
    cak_progress_end();
    cak_corpus_memory(NULL);
    return x->src != NULL;
}

/* Compute what `normalise` nodes left open, in file order, and write it into the tree. */
static bool fill_statistics(cak_data *x, const cak_section *s, const char *cache_dir, cak_progress_mode mode)
{
    const cak_corpus_view v = { x->source_ops, x->src, &x->source, mode };
    x->stats = cak_arena_alloc(x->arena, ((size_t)s->data->n + 1) * sizeof *x->stats);
    cak_yaml_each (n, s->data) {
        if (!cak_section_is_auto(n)) continue;
        cak_data_stats *stats = &x->stats[x->n_stats++];
        if (!cak_stats_compute(s, &v, n, cache_dir, stats)) return false;
        cak_section_set(x->arena, n, "low", stats->low);
        cak_section_set(x->arena, n, "high", stats->high);
    }
    return true;
}

static bool prepare(cak_data *x, const cak_section *s, const char *base_dir, const cak_data_options *o)
{
    const char *cache_dir = find_cache_dir(x->arena, s->d, o->cache_dir);
    if (!cache_dir || !open_source(x, s, base_dir, cache_dir, o->progress)) return false;
    cak_chain *sketch = cak_chain_open(s, s->input, x->source.length, true); /* mistakes show before the work begins */
    if (!sketch) return false;
    cak_shape shape = cak_chain_shape(sketch);
    cak_chain_close(sketch);
    if (!fill_statistics(x, s, cache_dir, o->progress)) return false;
    const char *text = cak_arena_print(x->arena, "data 1 " CAK_VERSION " " CAK_REAL_NAME " %s %" PRId64 " %a\n%s",
                                       x->source.digest, x->source.length, x->source.rate, cak_section_chain_text(s));
    cak_text_digest(text, x->digest);
    x->cache_path = cak_arena_print(x->arena, "%s/%s." CAK_REAL_NAME, cache_dir, x->digest);
    if (!fill_cache(x, s, &shape, o->progress)) return false;
    serve_cache(x, s);
    return true;
}

/* A loader that reads a file by itself: its bytes and attributes decide. */
static void digest_file(cak_data *x, const cak_section *s, const char *base_dir)
{
    const char *path = cak_section_choice(s->loader_node, s->loader_attr, "path");
    cak_scan file = { 0 };
    if (path) cak_sound_hash(cak_path_join(x->arena, base_dir, path), &file);
    cak_text_digest(cak_arena_print(x->arena, "file 1 %s\n%s", file.hash, cak_yaml_print(x->arena, s->loader)), x->digest);
}

cak_data *cak_data_open(cak_diag *d, cak_yaml *data, const char *base_dir, uint64_t seed, const cak_data_options *o)
{
    cak_arena *a = cak_arena_open("data");
    cak_data *x = cak_arena_alloc(a, sizeof *x);
    cak_section s;
    *x = (cak_data){ .arena = a };
    bool ok = cak_section_read(a, d, data, &s);
    if (ok && s.input) ok = prepare(x, &s, base_dir, o);
    else if (ok) digest_file(x, &s, base_dir);
    if (ok) {
        x->source_node = s.source_node, x->loader_node = s.loader_node;
        x->ops = s.loader_node->stage;
        x->loader =
            x->ops->open_loader(a, d, s.loader_attr, s.loader->key_pos, base_dir, seed, s.input ? &x->prepared : NULL, &x->info);
        x->info.name = s.loader->key;
    }
    if (x->loader) return x;
    cak_data_close(x);
    return NULL;
}

void cak_data_close(cak_data *x)
{
    if (!x) return;
    if (x->loader) x->ops->close_loader(x->loader);
    cak_cache_close(x->cache);
    if (x->src) x->source_ops->close_source(x->src);
    cak_arena_close(x->arena);
}
