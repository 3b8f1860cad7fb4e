/* Tapes: every instruction with every kind of operand has the bits of a plain loop, on every instruction set. */
#include <string.h>

#include "graph/rng.h"
#include "nodes/kernels/tape.h"
#include "tests/support/suite.h"

enum { N = 1000, GUARD = 16, X = 0, Y, ONE, LANES, OUT, MASKED, SLOTS };

typedef struct isa {
    const char *name;
    cak_tape_run *run;
    int64_t vector; /* bytes */
} isa;
static const isa sets[] = {
    { "generic", cak_tape_generic, 16 },
    { "avx2", cak_tape_avx2, 32 },
    { "avx512", cak_tape_avx512, 64 },
};
enum { SETS = sizeof sets / sizeof *sets };

static real memory[SLOTS][N + GUARD];
static real *const slots[SLOTS] = { memory[0], memory[1], memory[2], memory[3], memory[4], memory[5] };
static double lanes[2][CAK_TAPE_LANES];

static void fill(void)
{
    for (int k = 0; k < SLOTS; k++)
        for (int i = 0; i < N + GUARD; i++) memory[k][i] = k < OUT ? (real)cak_rng_normal(1, (uint64_t)k, 0, (uint64_t)i) : 77;
    for (int i = 0; i < 20; i++) memory[X][i * 3] = i % 2 ? (real)0.0 : -(real)0.0;
    memory[ONE][0] = (real)-0.75;
    memset(lanes, 0, sizeof lanes);
}

static real slope_at(real a, real slope) { return a > 0 ? 1 : slope; }

static real operand_at(int kind, int64_t i)
{
    static const int slot[CAK_TAPE_KINDS] = { Y, ONE, LANES };
    const int64_t at[CAK_TAPE_KINDS] = { i, 0, i % CAK_TAPE_LANES };
    return memory[slot[kind]][at[kind]];
}

/* What the accumulator is after an instruction, if it was `a`. */
static real expected(int op, real a, int64_t i, real slope)
{
    if (op < CAK_TAPE_STORE) {
        real x = operand_at(op % CAK_TAPE_KINDS, i);
        const real y[] = { x, a + x, a - x, x - a, a * x };
        return y[op / CAK_TAPE_KINDS];
    }
    const real y[CAK_TAPE_OPS] = { [CAK_TAPE_STORE] = a,
                                   [CAK_TAPE_AHEAD] = a,
                                   [CAK_TAPE_NEG] = -a,
                                   [CAK_TAPE_SQUARE] = a * a,
                                   [CAK_TAPE_SUM] = a,
                                   [CAK_TAPE_MASK] = slope_at(a, slope),
                                   [CAK_TAPE_LEAKY] = a * slope_at(a, slope) };
    return y[op];
}

static cak_tape_step instruction(int op)
{
    static const int slot[CAK_TAPE_KINDS] = { Y, ONE, LANES };
    bool reads = op < CAK_TAPE_STORE;
    int s = reads ? slot[op % CAK_TAPE_KINDS] : op == CAK_TAPE_SUM ? 1 : op == CAK_TAPE_STORE ? MASKED : X;
    return (cak_tape_step){ op, s, s == ONE || s == LANES || s == MASKED ? 0 : -1, (real)0.2 };
}

static void check_op(const isa *set, int op, int64_t n)
{
    const int64_t tile = set->vector / (int64_t)sizeof(real) * CAK_TAPE_VECTORS, whole = n / tile * tile;
    const cak_tape_step code[] = { { CAK_TAPE_LOAD, X, -1, 0 },    instruction(op),
                                   { CAK_TAPE_STORE, OUT, -1, 0 }, { CAK_TAPE_SUM, 0, 0, 0 },
                                   { CAK_TAPE_STORE, OUT, -1, 0 }, { CAK_TAPE_END, 0, 0, 0 } };
    double want[CAK_TAPE_LANES] = { 0 };
    fill();
    ck_assert_int_eq(set->run(code, &(cak_tape_data){ slots, lanes[0] }, n), whole);
    for (int64_t i = 0; i < whole; i++) {
        real y = expected(op, memory[X][i], i, (real)0.2);
        want[i % CAK_TAPE_LANES] += (double)y;
        ck_assert_msg(!memcmp(&memory[OUT][i], &y, sizeof y), "%s, op %d, element %d", set->name, op, (int)i);
        if (op == CAK_TAPE_STORE && i >= whole - tile) ck_assert(memory[MASKED][i - whole + tile] == y); /* one tile for all */
    }
    for (int64_t i = whole; i < N + GUARD; i++) ck_assert(memory[OUT][i] == 77);
    for (int64_t i = op == CAK_TAPE_STORE ? tile : 0; i < N + GUARD; i++) ck_assert(memory[MASKED][i] == 77);
    ck_assert_msg(!memcmp(lanes[0], want, sizeof want), "%s, op %d: sum", set->name, op);
    if (op == CAK_TAPE_SUM) ck_assert(!memcmp(lanes[1], want, sizeof want));
}

START_TEST(instructions_have_the_bits_of_loops)
{
    const char *best = cak_isa_get()->name;
    for (int k = 0; k < SETS && cak_isa_set(sets[k].name); k++)
        for (int op = 0; op < CAK_TAPE_END; op++) {
            check_op(&sets[k], op, N);
            check_op(&sets[k], op, 15);
        }
    cak_isa_set(best);
}
END_TEST

SUITE(tape, instructions_have_the_bits_of_loops)
