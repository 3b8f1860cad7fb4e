/* Digests of the batches of a run and of its initial values. */
#include "experiments/streams.h"

#include <jansson.h>
#include <string.h>
#include <xxhash.h>

#include "graph/par.h"
#include "graph/text.h"

static json_t *digest_json(const void *data, size_t size, uint64_t seed)
{
    char hex[33];
    cak_digest(data, size, seed, hex);
    return json_string(hex);
}

typedef struct numbers {
    cak_arena *a;
    uint64_t *v;
    int n, cap;
} numbers;

static void add(numbers *b, uint64_t v)
{
    b->v = cak_arena_grow(b->a, b->v, &b->cap, b->n + 1, sizeof *b->v);
    b->v[b->n++] = v;
}

static json_t *digest_batches(const cak_experiment *x, const cak_batches *data)
{
    numbers all = { .a = cak_arena_open("digest of batches") };
    int64_t steps = cak_experiment_steps(x), per_epoch = cak_experiment_batches(x);
    add(&all, (uint64_t)steps);
    for (int64_t step = 0, samples = 0; step < steps && samples < CAK_STREAM_SAMPLES; step++) {
        int64_t first = step % per_epoch * x->batch[0], n = cak_min64(x->batch[0], x->loader.items - first);
        data->ops->open_batch(data->loader, step / per_epoch, first);
        add(&all, (uint64_t)n);
        for (int64_t b = 0; b < n; b++) add(&all, data->ops->row_id(data->loader, b));
        samples += n;
    }
    uint64_t seed = XXH3_64bits(data->digest, strlen(data->digest)); /* what the numbers of clips mean */
    json_t *digest = digest_json(all.v, (size_t)all.n * sizeof *all.v, seed);
    cak_arena_close(all.a);
    return digest;
}

static json_t *digest_parameter(const cak_parameter *p)
{
    uint64_t seed = XXH3_64bits(p->shape.dim, (size_t)p->shape.rank * sizeof *p->shape.dim);
    return digest_json(p->value, (size_t)p->n * sizeof *p->value, seed);
}

void cak_streams_put(cak_run *run, const cak_experiment *x, const cak_batches *data)
{
    json_t *streams = json_object(), *init = json_object();
    if (data->ops->row_id) json_object_set_new(streams, "batches", digest_batches(x, data));
    for (int i = 0; i < x->n_params; i++) json_object_set_new(init, x->param[i].name, digest_parameter(&x->param[i]));
    json_object_set_new(streams, "init", init);
    cak_run_put_json(run, "streams", streams);
}
