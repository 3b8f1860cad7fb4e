#!/usr/bin/env bash
# The benchmark program: options, exactness checks, JSON, and that its counts are those derived on paper.
source "$(dirname "$0")/lib.sh" "$1"
program=$(dirname "$cak")/bench
[ -x "$program" ] || { fail "no $program"; finish; }
bench() { timeout 60 "$program" "$@"; }
quick=(--reps 1 --min-time 0 --threads 1)

expect 0 "conv2/1025x1292/dw/direct" bench --list
expect 0 "usage: bench" bench --help
expect 2 "unrecognized option" bench --no-such-option
expect 2 "unexpected 'word'" bench word
expect 2 "is no regular expression" bench --filter '('
for reps in 0 1001 3x ""; do expect 2 "--reps needs a number" bench --reps "$reps"; done
expect 2 "--min-time needs a number" bench --min-time -1
for threads in 0 1,,2 1,2x 1,1,1,1,1,1,1,1,1; do expect 2 "--threads needs" bench --threads "$threads"; done

# every convolution is as exact as promised, and has the same bits with two threads
expect 0 "conv3/64x64/dw/direct" bench "${quick[@]}" --threads 1,2 --filter '^(conv.|detector)/64x64|^micro|^gemm/kernel'
grep -q FAILED "$work/out" && fail "an inexact kernel"
expect 0 "chain/norm/second" bench "${quick[@]}" --filter '^chain/.*/16x'

# PyTorch runs 133.243 GFLOP a sample in the critic step and 33.480 in the generator step
expect 0 "torch_gflop_per_sample = 166.723" bench "${quick[@]}" --filter '^plan/16x'

expect 0 "step/16x64x64/critic/distinct" bench "${quick[@]}" --filter '^step/16x64x64/critic/distinct' --json "$work/b.json" \
    --gradients "$work/g.safetensors"
for key in '"context"' '"benchmarks"' '"peak_before"' '"output_hash"' '"effective_share"' '"aggregate_name": "median"'; do
    grep -q "$key" "$work/b.json" || fail "$key is missing in the JSON"
done
expect 0 "grad/critic.conv3.weight" "$cak" inspect "$work/g.safetensors"
expect 6 "cannot be written" bench "${quick[@]}" --filter '^step/16x64x64/generator/d' --json "$work/none/b.json"
expect 70 "cannot be run" bench "${quick[@]}" --filter '^startup' --cak "$work/none"
expect 70 "failed" bench "${quick[@]}" --filter '^startup' --cak /bin/false
expect 0 "startup/first_step" bench "${quick[@]}" --filter '^startup'

# weights and batch from a file: not there, not what is wanted
expect 4 "holds no tensor batch/input" bench "${quick[@]}" --filter '^step' --tensors tests/golden/published_critic.safetensors
expect 4 "No such file" bench "${quick[@]}" --filter '^step' --tensors "$work/none.safetensors"
finish
