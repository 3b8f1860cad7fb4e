#!/usr/bin/env bash
# Training has the same bits for any thread count and for AVX2 and AVX-512, in blocked and Winograd kernels, slices, fused units and
# special samples too: a critic with channels in blocks of 16, a batch of several slices, every second item an identity.
source "$(dirname "$0")/lib.sh" "$1"
train() {
    "$cak" train configs/tiny/synth.yaml --progress none --max-steps 2 'modules.critic.channels=[16, 32, 48]' data.batch.batch=10 \
        data.batch.crop_f=64 data.batch.crop_t=48 --run-dir "$work/$1" --threads "$2" >/dev/null 2>"$work/err" ||
        { fail "train $1"; cat "$work/err"; }
}
"$cak" graph configs/tiny/synth.yaml 'modules.critic.channels=[16, 32, 48]' data.batch.crop_f=64 data.batch.crop_t=48 >"$work/graph"
grep -q wino_forward "$work/graph" || fail "the critic is not lowered: this test tests nothing"
threads=(1 2 3 5)
grep -q '^CAK_SANITIZE:BOOL=ON' "$(dirname "$cak")/CMakeCache.txt" 2>/dev/null && threads=(3) # ten times slower, the same bits
CAK_ISA=avx512 train a 1
for isa in avx512 avx2; do
    for n in "${threads[@]}"; do
        CAK_ISA=$isa train "$isa$n" $n
        same "$(values "$work/a")" "$(values "$work/$isa$n")" "metrics differ with $isa and $n threads"
        cmp -s "$work/a/ckpt/$(ls "$work/a/ckpt" | tail -1)" "$work/$isa$n/ckpt/$(ls "$work/$isa$n/ckpt" | tail -1)" ||
            fail "checkpoints differ with $isa and $n threads"
    done
done
finish
