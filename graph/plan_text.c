/* A program as text: what it needs, and a row for each step. */
#include <inttypes.h>

#include "graph/plan.h"
#include "graph/text.h"

const char cak_program_legend[] =
    "# The program of a phase: a row for each value, in the order in which they are computed.\n"
    "#   step        rows of the same step share one pass over memory (they are fused)\n"
    "#   value, node the number in `cak graph --show after`, and what computes it\n"
    "#   bytes       memory of the value; '-': it never lies in memory as a whole, its step hands it on in small blocks\n"
    "#   offset      place in the slab, the one piece of memory of all values; it is shared by values that do not live at a "
    "time\n"
    "#   first-last  the steps from which and until which the value lives\n"
    "#   shape       a slice has a few samples, the batch has all\n"
    "# A round is a pass over the batch, slice by slice; its rows stand below 'for each slice', their steps count from 0. It "
    "leaves, 'for\n"
    "# the batch', sums over the samples (folds) and values stored for all samples; the next round, or the steps after it, read "
    "them.\n"
    "# Special samples obey facts (control 0, target equal to input) under which algebra found a cheaper way to the same sums.\n"
    "# Kernels: steps that run. Mixed: values that mix samples in another way than a sum. Live peak: bytes alive at the worst "
    "step, below\n"
    "# which no slab can be. Scratch: working memory of kernels. Parameters and inputs have no row: they lie outside the slab.\n";

static void add_value(cak_text_builder *b, const cak_program *p, const cak_timetable *s, int id, int step, int64_t rows)
{
    cak_ref r = { id };
    cak_shape shape = cak_shape_in_slice(p->g, r, rows);
    char text[CAK_SHAPE_TEXT];
    cak_text_add(b, "%4d  %%%-5d %-16s", step, id, cak_graph_value(p->g, r)->node->name);
    if (s->of[id] >= 0) {
        const cak_buffer *u = &s->buf[s->of[id]];
        cak_text_add(b, " %12zu %12zu  %5d-%-5d", u->bytes, u->offset, u->first, u->last);
    } else cak_text_add(b, " %12s %12s  %5s-%-5s", "-", "-", "", ""); /* lives in a block of its unit */
    cak_text_add(b, " %s\n", cak_shape_text(&shape, text));
}

static void add_step(cak_text_builder *b, const cak_program *p, const cak_timetable *s, const cak_job *job, int t, int64_t rows)
{
    const cak_unit *u = &job[s->step[t].what].unit;
    for (int i = 0; i < u->n; i++) add_value(b, p, s, u->id[i], t, rows);
}

static void add_round(cak_text_builder *b, const cak_program *p, const cak_round *w, int step)
{
    for (int k = 0; k < w->n_variants; k++) {
        const cak_variant *v = &w->variant[k];
        cak_text_add(b, "      for each slice of %s: slab %zu bytes (live peak %zu), order %s\n",
                     k ? "special samples" : "samples", v->slot.slab, v->slot.peak, v->slot.order);
        for (int t = 0; t < v->slot.n; t++) add_step(b, p, &v->slot, v->job, t, p->slices.rows);
    }
    cak_text_add(b, "      for the batch: %d sums, %d stored values\n", w->n_total, w->n_stored);
    for (int i = 0; i < w->n_total; i++) add_value(b, p, &p->main, w->total[i], step, 0);
    for (int i = 0; i < w->n_stored; i++) add_value(b, p, &p->main, w->stored[i], step, 0);
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
        if (round >= 0) add_round(&b, p, &p->round[round], t);
        else add_step(&b, p, &p->main, p->job, t, 0);
    }
    return cak_text_done(&b);
}
