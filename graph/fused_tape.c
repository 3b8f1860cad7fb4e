/* From the steps of a fused unit to tapes: neighbouring steps that a tape can run, with the value between two of them in registers. */
#include <string.h>

#include "graph/fused.h"

extern const cak_node cak_node_add, cak_node_sub, cak_node_mul, cak_node_neg, cak_node_square, cak_node_leaky_mask,
    cak_node_expand;

typedef struct entry {
    const cak_node *node;
    cak_tape_op first, second; /* with the accumulator as first and as second input */
} entry;

static const entry ops[] = {
    { &cak_node_add, CAK_TAPE_ADD, CAK_TAPE_ADD },       { &cak_node_sub, CAK_TAPE_SUB, CAK_TAPE_FROM },
    { &cak_node_mul, CAK_TAPE_MUL, CAK_TAPE_MUL },       { &cak_node_neg, CAK_TAPE_NEG, CAK_TAPE_OPS },
    { &cak_node_square, CAK_TAPE_SQUARE, CAK_TAPE_OPS }, { &cak_node_leaky_mask, CAK_TAPE_MASK, CAK_TAPE_OPS },
};

static const entry *find_op(const cak_node *node)
{
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (ops[i].node == node) return &ops[i];
    return NULL;
}

bool cak_fused_on_tape(const cak_step *s) { return !s->node->map || s->node == &cak_node_expand || find_op(s->node); }

typedef struct writer {
    const cak_step *step;
    const cak_slot *slot;
    int readers[CAK_FUSE_SLOTS];                 /* by slot: inputs of steps of the unit */
    bool own[CAK_FUSE_SLOTS];                    /* by slot: a value of the unit */
    bool read[CAK_FUSE_SLOTS];                   /* by slot: as an operand, from its block */
    bool ahead[CAK_FUSE_SLOTS];                  /* by slot: the tape fetches it ahead */
    int now;                                     /* slot in the accumulator; -1: none */
    cak_tape_step code[5 * CAK_FUSE_VALUES + 1]; /* fetch, load, fetch, compute, store; the end */
    int n;
} writer;

static void put(writer *w, cak_tape_op op, int slot, const cak_step *s)
{
    bool mask = op == CAK_TAPE_MASK || op == CAK_TAPE_LEAKY;
    w->code[w->n++] =
        (cak_tape_step){ (int)op, slot, slot < 0 ? 0 : w->slot[slot].move, mask ? (real) * (const double *)s->attr : 0 };
}

static void put_operand(writer *w, cak_tape_op op, int slot)
{
    const cak_operand *o = &w->slot[slot].operand;
    cak_tape_kind kind = o->kind == CAK_OPERAND_CONSTANT ? CAK_TAPE_SAME : cak_fused_again(o) ? CAK_TAPE_AGAIN : CAK_TAPE_EACH;
    w->read[slot] = true;
    if (o->kind == CAK_OPERAND_DENSE && !w->own[slot] && !w->ahead[slot]) put(w, CAK_TAPE_AHEAD, slot, NULL);
    w->ahead[slot] = true;
    put(w, op + kind, slot, NULL);
}

/* x * leaky_mask(x) with x in the accumulator and a mask that nothing else reads. */
static bool is_leaky(const writer *w, const cak_step *s, int left)
{
    if (left < 2 || s->node != &cak_node_leaky_mask || s[1].node != &cak_node_mul) return false;
    int x = s->in[0], mask = s->y;
    const int *in = s[1].in;
    if (w->now != x || w->readers[mask] != 1 || w->slot[mask].id >= 0) return false;
    return (in[0] == x && in[1] == mask) || (in[0] == mask && in[1] == x);
}

static void put_step(writer *w, const cak_step *s)
{
    const entry *o = find_op(s->node);
    bool second = s->n_in == 2 && w->now == s->in[1];
    if (!second && w->now != s->in[0]) put_operand(w, CAK_TAPE_LOAD, s->in[0]);
    if (!s->node->map) {
        w->code[w->n++] = (cak_tape_step){ .op = CAK_TAPE_SUM, .slot = s->y };
        w->now = s->in[0];
        return;
    }
    if (s->n_in == 2) put_operand(w, second ? o->second : o->first, s->in[second ? 0 : 1]);
    else if (o) put(w, o->first, -1, s);
    w->now = s->y;
}

/* Writes the tape of a part. A value is stored if it has memory, or if a pass before this one read it from its block. */
static void write_tape(writer *w, const cak_part *p)
{
    w->n = 0;
    w->now = -1;
    memset(w->ahead, 0, sizeof w->ahead);
    for (int i = p->first; i < p->first + p->n; i++) {
        const cak_step *s = &w->step[i];
        if (is_leaky(w, s, p->first + p->n - i)) {
            put(w, CAK_TAPE_LEAKY, -1, s);
            w->now = w->step[++i].y;
        } else {
            put_step(w, s);
        }
        if (w->step[i].node->map && (w->slot[w->now].id >= 0 || w->read[w->now])) put(w, CAK_TAPE_STORE, w->now, NULL);
    }
    w->code[w->n++] = (cak_tape_step){ .op = CAK_TAPE_END };
}

/* Neighbours of one kind are a part. */
static int cut(const cak_step *step, int n, cak_part *part)
{
    int parts = 0;
    for (int i = 0; i < n; i++) {
        if (i == 0 || cak_fused_on_tape(&step[i]) != cak_fused_on_tape(&step[i - 1])) part[parts++] = (cak_part){ .first = i };
        part[parts - 1].n++;
    }
    return parts;
}

static void read_by_maps(writer *w, const cak_part *p)
{
    for (const cak_step *s = w->step + p->first; s < w->step + p->first + p->n; s++)
        for (int k = 0; k < s->n_in; k++) w->read[s->in[k]] = true;
}

int cak_fused_parts(cak_arena *a, const cak_step *step, int n, const cak_slot *slot, cak_part *part)
{
    writer w = { .step = step, .slot = slot };
    int parts = cut(step, n, part);
    for (int i = 0; i < n; i++) {
        if (step[i].node->map) w.own[step[i].y] = true;
        for (int k = 0; k < step[i].n_in; k++) w.readers[step[i].in[k]]++;
    }
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < parts; i++) {
            if (!cak_fused_on_tape(&step[part[i].first])) {
                read_by_maps(&w, &part[i]);
                continue;
            }
            write_tape(&w, &part[i]);
            if (pass == 1)
                part[i].tape = memcpy(cak_arena_alloc(a, (size_t)w.n * sizeof *w.code), w.code, (size_t)w.n * sizeof *w.code);
        }
    return parts;
}
