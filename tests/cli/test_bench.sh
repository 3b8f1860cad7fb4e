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
for how in --list --reps=1; do
    expect 2 "no case matches --filter 'nosuch'" bench $how --filter nosuch
    [ -s "$work/out" ] && fail "something is printed although no case matches"
done
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
mkfifo "$work/pipe" # stays what it is
expect 70 "not a regular file" bench "${quick[@]}" --filter '^step/16x64x64/generator/d' --gradients "$work/pipe"
[ -p "$work/pipe" ] || fail "a file took the place of a pipe"
expect 0 "grad/critic.conv3.weight" "$cak" inspect "$work/g.safetensors"
expect 6 "cannot be written" bench "${quick[@]}" --filter '^step/16x64x64/generator/d' --json "$work/none/b.json"
expect 70 "cannot be run" bench "${quick[@]}" --filter '^startup' --cak "$work/none"
expect 70 "failed" bench "${quick[@]}" --filter '^startup' --cak /bin/false
expect 0 "startup/first_step" bench "${quick[@]}" --filter '^startup'

grep -q '^CAK_OPENMP:BOOL=OFF' "$(dirname "$cak")/CMakeCache.txt" 2>/dev/null && finish # one thread: nothing to divide

# how work is divided is exact; of the speed-up it is known that it cannot be more than the threads
expect 0 "2_threads: slots 2  team 1  waves 1  inside 1 " bench "${quick[@]}" --filter '^balance/16x64x64/generator/d' --json "$work/b.json"
for key in samples_of_a_slice special_work 64_threads.slots 64_threads.team 16_threads.waves 4_threads.inside 2_threads.outside \
    64_threads.speedup; do
    grep -q "\"$key\": [0-9]" "$work/b.json" || fail "$key is missing in the JSON"
done
grep -q '"special_work": 0\.' "$work/b.json" || fail "identities are not cheaper"
expect 0 "4_threads: slots 4  team 1  waves 0." bench "${quick[@]}" --filter '^balance/16x64x64/generator/mix'
mkdir "$work/tiny" && cp -r configs/model configs/critic configs/game "$work"
{ cat configs/tiny/synth.yaml; echo 'engine: {slices: false}'; } >"$work/tiny/whole.yaml"
expect 70 "no phase 'critic' that takes the batch in slices" bench "${quick[@]}" --filter '^balance/16x64x64/critic/d' \
    --config "$work/tiny/whole.yaml"

# weights and batch from a file: not there, not what is wanted
expect 4 "holds no tensor batch/input" bench "${quick[@]}" --filter '^step' --tensors tests/golden/published_critic.safetensors
expect 4 "No such file" bench "${quick[@]}" --filter '^step' --tensors "$work/none.safetensors"
finish
