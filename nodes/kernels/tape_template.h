/* The tape for one instruction set; the including file defines the name of its function and the vector width. */
#include "nodes/kernels/tape.h"

enum {
    WIDTH = VECTOR_BYTES / sizeof(real),
    TILE = WIDTH * CAK_TAPE_VECTORS,
    PARTS = CAK_TAPE_LANES / WIDTH, /* vectors of the lanes */
    AHEAD = 512,                    /* bytes */
    LINE = 64
};
#ifdef CAK_DOUBLE
typedef int64_t bits;
#else
typedef int32_t bits;
#endif
typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef bits mask __attribute__((vector_size(VECTOR_BYTES)));
typedef double wide __attribute__((vector_size(VECTOR_BYTES / sizeof(real) * sizeof(double))));
typedef real loose __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));
typedef wide wide_loose __attribute__((aligned(sizeof(double)), may_alias));

/* The accumulator: eight vectors, as many as a function gets in registers. */
#define EACH(F, X) F(0, X(0)) F(1, X(1)) F(2, X(2)) F(3, X(3)) F(4, X(4)) F(5, X(5)) F(6, X(6)) F(7, X(7))
#define PARAMS \
    const cak_tape_step *s, const cak_tape_data *t, int64_t at, vec a0, vec a1, vec a2, vec a3, vec a4, vec a5, vec a6, vec a7
typedef void instruction(PARAMS);
static instruction *const ops[CAK_TAPE_OPS];
#define NEXT ops[s[1].op](s + 1, t, at, a0, a1, a2, a3, a4, a5, a6, a7)

static inline real *place(const cak_tape_step *s, const cak_tape_data *t, int64_t at) { return t->x[s->slot] + (at & s->move); }
static inline vec load(const real *x) { return *(const loose *)x; }
static inline vec all(real x) { return x - (vec){ 0 }; } /* keeps the sign of zero */
static inline vec slope_of(vec v, real slope)
{
    const mask one = (mask)all(1), low = (mask)all(slope);
    return (vec)(low ^ ((v > 0) & (one ^ low)));
}

/* ---- instructions with an operand: a function for each way to read it ---- */

#define X_EACH(k) load(x + k * WIDTH)
#define X_SAME(k) one
#define X_AGAIN(k) again[k % PARTS]
#define OPERAND(name, F)                                                \
    static void name##_each(PARAMS)                                     \
    {                                                                   \
        const real *x = place(s, t, at);                                \
        EACH(F, X_EACH)                                                 \
        NEXT;                                                           \
    }                                                                   \
    static void name##_same(PARAMS)                                     \
    {                                                                   \
        const vec one = all(*t->x[s->slot]);                            \
        EACH(F, X_SAME)                                                 \
        NEXT;                                                           \
    }                                                                   \
    static void name##_again(PARAMS)                                    \
    {                                                                   \
        const real *x = t->x[s->slot];                                  \
        vec again[PARTS];                                               \
        for (int k = 0; k < PARTS; k++) again[k] = load(x + k * WIDTH); \
        EACH(F, X_AGAIN)                                                \
        NEXT;                                                           \
    }
#define LOAD(k, x) a##k = x;
#define ADD(k, x) a##k = a##k + x;
#define SUB(k, x) a##k = a##k - x;
#define FROM(k, x) a##k = x - a##k;
#define MUL(k, x) a##k = a##k * x;
OPERAND(load, LOAD)
OPERAND(add, ADD)
OPERAND(sub, SUB)
OPERAND(from, FROM)
OPERAND(mul, MUL)

/* ---- instructions on the accumulator ---- */

#define X_NONE(k)
#define ALONE(name, F)            \
    static void name##_op(PARAMS) \
    {                             \
        EACH(F, X_NONE)           \
        NEXT;                     \
    }
#define NEG(k, x) a##k = -a##k;
#define SQUARE(k, x) a##k = a##k * a##k;
#define MASK(k, x) a##k = slope_of(a##k, s->slope);
#define LEAKY(k, x) a##k = a##k * slope_of(a##k, s->slope);
ALONE(neg, NEG)
ALONE(square, SQUARE)
ALONE(mask, MASK)
ALONE(leaky, LEAKY)

static void store_op(PARAMS)
{
    real *x = place(s, t, at);
#define STORE(k, none) *(loose *)(x + k * WIDTH) = a##k;
    EACH(STORE, X_NONE)
    NEXT;
}

/* A tile takes so little of each stream that the processor does not see in time where the streams go. */
static void ahead_op(PARAMS)
{
    const char *x = (const char *)place(s, t, at) + AHEAD;
    for (size_t k = 0; k < TILE * sizeof(real); k += LINE) __builtin_prefetch(x + k);
    NEXT;
}

/* In the order of the elements: the sums of a lane are a chain. */
static void sum_op(PARAMS)
{
    wide_loose *lane = (wide_loose *)(t->lanes + s->slot * CAK_TAPE_LANES);
    wide sum[PARTS];
    for (int k = 0; k < PARTS; k++) sum[k] = lane[k];
#define SUM(k, none) sum[k % PARTS] += __builtin_convertvector(a##k, wide);
    EACH(SUM, X_NONE)
    for (int k = 0; k < PARTS; k++) lane[k] = sum[k];
    NEXT;
}

static void end_op(PARAMS)
{
    (void)s, (void)t, (void)at;
    (void)a0, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7;
}

#define KINDS(OP, name) \
    [OP + CAK_TAPE_EACH] = name##_each, [OP + CAK_TAPE_SAME] = name##_same, [OP + CAK_TAPE_AGAIN] = name##_again
static instruction *const ops[CAK_TAPE_OPS] = {
    KINDS(CAK_TAPE_LOAD, load),    KINDS(CAK_TAPE_ADD, add),    KINDS(CAK_TAPE_SUB, sub),    KINDS(CAK_TAPE_FROM, from),
    KINDS(CAK_TAPE_MUL, mul),      [CAK_TAPE_STORE] = store_op, [CAK_TAPE_AHEAD] = ahead_op, [CAK_TAPE_NEG] = neg_op,
    [CAK_TAPE_SQUARE] = square_op, [CAK_TAPE_MASK] = mask_op,   [CAK_TAPE_LEAKY] = leaky_op, [CAK_TAPE_SUM] = sum_op,
    [CAK_TAPE_END] = end_op,
};

int64_t RUN(const cak_tape_step *code, const cak_tape_data *t, int64_t n)
{
    const vec v = { 0 };
    int64_t at = 0;
    for (; at + TILE <= n; at += TILE) ops[code->op](code, t, at, v, v, v, v, v, v, v, v);
    return at;
}
