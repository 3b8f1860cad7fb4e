/* Plain loops compiled once per instruction set. No multiply-add is contracted in them, so all sets give the same bits. */
#ifndef NODES_KERNELS_ISA_H
#define NODES_KERNELS_ISA_H

#include "nodes/kernels/gemm.h"

#define CAK_TARGET_AVX2 __attribute__((target("avx2")))
#define CAK_TARGET_AVX512 __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,prefer-vector-width=512")))

/* Number of the chosen instruction set: 0 generic, 1 AVX2, 2 AVX-512. */
extern const cak_isa cak_isa_avx2, cak_isa_avx512;
static inline int cak_isa_level(void)
{
    const cak_isa *isa = cak_isa_get();
    return isa == &cak_isa_avx512 ? 2 : isa == &cak_isa_avx2;
}

/* CAK_EACH_ISA(name, (parameters), (arguments)): function `name` runs name_loop, an always_inline function, as the chosen set can. */
#define CAK_EACH_ISA(name, params, args)                                                        \
    static void name##_generic params { name##_loop args; }                                     \
    CAK_TARGET_AVX2 static void name##_avx2 params { name##_loop args; }                        \
    CAK_TARGET_AVX512 static void name##_avx512 params { name##_loop args; }                    \
    static void name params                                                                     \
    {                                                                                           \
        static void(*const by_level[]) params = { name##_generic, name##_avx2, name##_avx512 }; \
        by_level[cak_isa_level()] args;                                                         \
    }
#define CAK_INLINE __attribute__((always_inline)) static inline

#endif
