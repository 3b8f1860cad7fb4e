/* From steps to tapes: which instructions they become, what stays in registers, what is stored, and where a unit is cut. */
#include "graph/fused.h"
#include "tests/support/suite.h"

extern const cak_node cak_node_add, cak_node_sub, cak_node_mul, cak_node_square, cak_node_leaky_mask, cak_node_tanh,
    cak_node_expand, cak_node_reduce_sum;

enum { X, Y, CHANNEL, ONE, OPERANDS, A = OPERANDS, B, C, D, SLOTS };
static const double slope = 0.2;

/* Two operands in memory, one number per channel, one number; the values of the unit lie in blocks of their own. */
static void open_slots(cak_slot *slot)
{
    static const cak_operand operand[SLOTS] = {
        [CHANNEL] = { .kind = CAK_OPERAND_PERIODIC, .period = CAK_TAPE_LANES }, [ONE] = { .kind = CAK_OPERAND_CONSTANT }
    };
    for (int k = 0; k < SLOTS; k++)
        slot[k] = (cak_slot){ k < OPERANDS ? k : -1, k < OPERANDS ? -1 : k, operand[k], k <= Y ? -1 : 0 };
}

typedef struct op {
    int code, slot;
} op;

static void check_tape(const cak_part *p, const op *want, int n)
{
    for (int i = 0; i < n; i++)
        ck_assert_msg(p->tape[i].op == want[i].code && p->tape[i].slot == want[i].slot, "instruction %d: %d %d", i, p->tape[i].op,
                      p->tape[i].slot);
    ck_assert_int_eq(p->tape[n].op, CAK_TAPE_END);
}
#define CHECK_TAPE(p, ...) check_tape(p, (const op[]){ __VA_ARGS__ }, (int)(sizeof(const op[]){ __VA_ARGS__ } / sizeof(op)))

static int parts_of(const cak_step *step, int n, const int *stored, cak_part *part)
{
    static cak_arena *a;
    cak_slot slot[SLOTS];
    if (a) cak_arena_close(a);
    a = cak_arena_open("tapes");
    open_slots(slot);
    for (; *stored >= 0; stored++) slot[*stored].id = *stored;
    return cak_fused_parts(a, step, n, slot, part);
}
#define STORED(...) ((const int[]){ __VA_ARGS__, -1 })

START_TEST(values_stay_in_registers)
{
    cak_part part[4];
    const cak_step chain[] = { { &cak_node_sub, NULL, { X, CHANNEL }, 2, A }, { &cak_node_mul, NULL, { ONE, A }, 2, B },
                               { &cak_node_sub, NULL, { Y, B }, 2, C },       { &cak_node_square, NULL, { C }, 1, D },
                               { &cak_node_reduce_sum, NULL, { D }, 1, 0 },   { &cak_node_reduce_sum, NULL, { D }, 1, 1 } };
    ck_assert_int_eq(parts_of(chain, 6, STORED(D), part), 1);
    CHECK_TAPE(part, { CAK_TAPE_AHEAD, X }, { CAK_TAPE_LOAD + CAK_TAPE_EACH, X }, { CAK_TAPE_SUB + CAK_TAPE_AGAIN, CHANNEL },
               { CAK_TAPE_MUL + CAK_TAPE_SAME, ONE }, { CAK_TAPE_AHEAD, Y }, { CAK_TAPE_FROM + CAK_TAPE_EACH, Y },
               { CAK_TAPE_SQUARE, -1 }, { CAK_TAPE_STORE, D }, { CAK_TAPE_SUM, 0 }, { CAK_TAPE_SUM, 1 });
}
END_TEST

START_TEST(what_is_read_later_is_stored)
{
    cak_part part[4];
    const cak_step steps[] = { { &cak_node_add, NULL, { X, Y }, 2, A },
                               { &cak_node_square, NULL, { A }, 1, B },
                               { &cak_node_mul, NULL, { B, A }, 2, C },
                               { &cak_node_mul, NULL, { C, C }, 2, D } };
    ck_assert_int_eq(parts_of(steps, 4, STORED(D), part), 1);
    CHECK_TAPE(part, { CAK_TAPE_AHEAD, X }, { CAK_TAPE_LOAD, X }, { CAK_TAPE_AHEAD, Y }, { CAK_TAPE_ADD, Y },
               { CAK_TAPE_STORE, A }, { CAK_TAPE_SQUARE, -1 }, { CAK_TAPE_MUL, A }, { CAK_TAPE_STORE, C }, { CAK_TAPE_MUL, C },
               { CAK_TAPE_STORE, D });
}
END_TEST

START_TEST(leaky_relu_is_one_instruction)
{
    cak_part part[4];
    const cak_step steps[] = { { &cak_node_expand, NULL, { X }, 1, A },
                               { &cak_node_leaky_mask, &slope, { A }, 1, B },
                               { &cak_node_mul, NULL, { A, B }, 2, C },
                               { &cak_node_mul, NULL, { C, B }, 2, D } };
    parts_of(steps, 3, STORED(C), part);
    CHECK_TAPE(part, { CAK_TAPE_AHEAD, X }, { CAK_TAPE_LOAD, X }, { CAK_TAPE_LEAKY, -1 }, { CAK_TAPE_STORE, C });
    ck_assert(part->tape[2].slope == (real)slope);
    parts_of(steps, 3, STORED(B, C), part); /* the mask itself is wanted */
    ck_assert_int_eq(part->tape[3].op, CAK_TAPE_MASK);
    parts_of(steps, 4, STORED(D), part); /* the mask is read twice */
    ck_assert_int_eq(part->tape[3].op, CAK_TAPE_MASK);
}
END_TEST

START_TEST(other_nodes_cut_a_unit)
{
    cak_part part[4];
    const cak_step steps[] = { { &cak_node_square, NULL, { X }, 1, A },
                               { &cak_node_tanh, NULL, { A }, 1, B },
                               { &cak_node_add, NULL, { B, A }, 2, C },
                               { &cak_node_add, NULL, { C, X }, 2, D } };
    ck_assert_int_eq(parts_of(steps, 4, STORED(D), part), 3);
    ck_assert(part[1].first == 1 && part[1].n == 1 && part[1].tape == NULL && part[2].first == 2 && part[2].n == 2);
    CHECK_TAPE(&part[0], { CAK_TAPE_AHEAD, X }, { CAK_TAPE_LOAD, X }, { CAK_TAPE_SQUARE, -1 }, { CAK_TAPE_STORE, A });
    CHECK_TAPE(&part[2], { CAK_TAPE_LOAD, B }, { CAK_TAPE_ADD, A }, { CAK_TAPE_AHEAD, X }, { CAK_TAPE_ADD, X },
               { CAK_TAPE_STORE, D });
}
END_TEST

SUITE(fused_tape, values_stay_in_registers, what_is_read_later_is_stored, leaky_relu_is_one_instruction, other_nodes_cut_a_unit)
