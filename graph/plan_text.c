/* A program as text: what it needs, and a row for each step. */
#include <inttypes.h>

#include "graph/plan.h"
#include "graph/text.h"

static void add_step(cak_text_builder *b, const cak_program *p, const cak_schedule *s, const cak_job *job, int t, int64_t rows)
{
    const cak_unit *u = &job[s->step[t].what].unit;
    for (int i = 0; i < u->n; i++) {
        cak_ref r = { u->id[i] };
        const cak_value *v = cak_graph_value(p->g, r);
        cak_shape shape = rows ? cak_shape_in_slice(p->g, r, rows) : v->shape;
        char text[CAK_SHAPE_TEXT];
        cak_text_add(b, "%4d  %%%-5d %-16s", t, r.id, v->node->name);
        if (s->of[r.id] >= 0) {
            const cak_buffer *u_buf = &s->buf[s->of[r.id]];
            cak_text_add(b, " %12zu %12zu  %5d-%-5d", u_buf->bytes, u_buf->offset, u_buf->first, u_buf->last);
        } else cak_text_add(b, " %12s %12s  %5s-%-5s", "-", "-", "", ""); /* lives in a block of its unit */
        cak_text_add(b, " %s\n", cak_shape_text(&shape, text));
    }
}

static void add_round(cak_text_builder *b, const cak_program *p, const cak_round *w)
{
    for (int k = 0; k < w->n_variants; k++) {
        const cak_variant *v = &w->variant[k];
        cak_text_add(b, "      for each slice of %s: slab %zu bytes (live peak %zu), order %s; %d sums, %d stored values\n",
                     k ? "special samples" : "samples", v->slot.slab, v->slot.peak, v->slot.order, w->n_total, w->n_stored);
        for (int t = 0; t < v->slot.n; t++) add_step(b, p, &v->slot, v->job, t, p->slices.rows);
    }
}

char *cak_program_text(cak_arena *a, const cak_program *p)
{
    const cak_plan_info *i = &p->info;
    cak_text_builder b = { .a = a };
    cak_text_add(&b, "values %d, kernels %d, folds over samples %d, mixed %d\n", i->values, i->kernels, i->folds, i->mixed);
    if (i->rounds)
        cak_text_add(&b, "batch %" PRId64 ", slices of %" PRId64 ", rounds %d, slices at a time %d, threads of each %d\n",
                     i->batch, i->rows, i->rounds, i->slots, i->threads);
    cak_text_add(&b,
                 "slab %zu bytes (live peak %zu), scratch %zu, sum of all tensors %zu, parameters and inputs %zu, order %s\n"
                 "step  value  %-16s %12s %12s  first-last  shape\n",
                 i->slab, i->peak, i->scratch, i->sum, i->external, i->order, "node", "bytes", "offset");
    for (int t = 0; t < p->main.n; t++) {
        int round = p->job[p->main.step[t].what].round;
        if (round >= 0) add_round(&b, p, &p->round[round]);
        else add_step(&b, p, &p->main, p->job, t, 0);
    }
    return cak_text_done(&b);
}
