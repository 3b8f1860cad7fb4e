/* What went into a run's data, as JSON. */
#include <jansson.h>
#include <string.h>

#include "experiments/prepare.h"

static json_t *shape_of(const cak_shape *s)
{
    json_t *list = json_array();
    for (int i = 0; i < s->rank; i++) json_array_append_new(list, json_integer(s->dim[i]));
    return list;
}

/* Clips with their control values, where the loader has some. */
static json_t *clips_of(const cak_data *x, const double *control)
{
    json_t *list = json_array();
    for (int i = 0; i < x->source.n; i++) {
        const cak_source_clip *c = &x->source.clip[i];
        json_t *j = json_pack("{s:s, s:I}", "name", c->name, "samples", (json_int_t)c->frames);
        if (control) json_object_set_new(j, "control", json_real(control[i]));
        json_array_append_new(list, j);
    }
    return list;
}

static json_t *skipped_of(const cak_data *x)
{
    json_t *list = json_array();
    for (int i = 0; i < x->source.n_skipped; i++) json_array_append_new(list, json_string(x->source.skipped[i]));
    return list;
}

static json_t *stats_of(const cak_data *x)
{
    json_t *list = json_array();
    for (int i = 0; i < x->n_stats; i++) {
        const cak_data_stats *s = &x->stats[i];
        json_array_append_new(list, json_pack("{s:s, s:f, s:f, s:[f,f], s:I, s:i}", "node", s->node, "low", s->low, "high",
                                              s->high, "histogram_range", s->range[0], s->range[1], "levels",
                                              (json_int_t)s->count, "files", s->files));
    }
    return list;
}

static json_t *pairs_of(cak_arena *a, cak_pairs *pairs)
{
    cak_pair_summary s = cak_pairs_summary(a, pairs);
    return json_pack("{s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f}", "identity_items", (json_int_t)s.identity, "transformation_items",
                     (json_int_t)s.transformation, "distinct_pairs", (json_int_t)s.distinct, "unused_clips", (json_int_t)s.unused,
                     "control_mean", s.mean, "control_sd", s.sd, "control_min", s.min, "control_max", s.max);
}

static json_t *loader_of(const cak_data *x)
{
    json_t *ports = json_object();
    for (int i = 0; i < x->info.n_ports; i++) json_object_set_new(ports, x->info.port[i].name, shape_of(&x->info.port[i].shape));
    return json_pack("{s:s, s:I, s:I, s:b, s:b, s:o}", "type", x->loader_node->name, "items", (json_int_t)x->info.items, "batch",
                     (json_int_t)x->info.batch, "drop_last", x->info.drop_last, "shuffle", x->info.shuffle, "ports", ports);
}

static json_t *source_of(const cak_data *x, const double *control)
{
    return json_pack("{s:s, s:I, s:f, s:I, s:s, s:o, s:o, s:o}", "type", x->source_node->name, "clips", (json_int_t)x->source.n,
                     "rate", x->source.rate, "samples_per_clip", (json_int_t)x->source.length, "digest", x->source.digest,
                     "shape", shape_of(&x->prepared.shape), "skipped", skipped_of(x), "files", clips_of(x, control));
}

const char *cak_data_json(const cak_data *x, cak_arena *a)
{
    cak_pairs *pairs = cak_data_pairs(x);
    json_t *all = json_pack("{s:s, s:o}", "digest", x->digest, "loader", loader_of(x));
    if (x->source_node) {
        json_object_set_new(all, "cache", json_string(x->cache_path));
        json_object_set_new(all, "source", source_of(x, pairs ? cak_pairs_controls(pairs) : NULL));
        json_object_set_new(all, "statistics", stats_of(x));
    }
    if (pairs) json_object_set_new(all, "pairs", pairs_of(a, pairs));
    const size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(17), n = json_dumpb(all, NULL, 0, flags);
    char *text = cak_arena_alloc(a, n + 2);
    json_dumpb(all, text, n, flags);
    text[n] = '\n';
    json_decref(all);
    return text;
}

cak_pairs *cak_data_pairs(const cak_data *x)
{
    return strcmp(x->loader_node->name, "pair_loader") ? NULL : cak_pair_loader_pairs(x->loader);
}
