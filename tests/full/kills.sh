#!/usr/bin/env bash
# Forty runs killed with SIGKILL at random moments, up to three times each, all thread counts mixed: every one ends in the same state.
here=$(cd "$(dirname "$0")/../.." && pwd)
cd "$here"
source tests/cli/lib.sh "$1"
RANDOM=7
config=(configs/tiny/synth.yaml train.epochs=6 train.checkpoint.every_steps=3)
"$cak" train "${config[@]}" --progress none --run-dir "$work/ref" >/dev/null 2>&1 || fail "reference"
want=$(values "$work/ref")
for trial in $(seq 40); do
    rm -rf "$work/k"
    "$cak" train "${config[@]}" --progress none --threads $((RANDOM % 3 + 1)) --run-dir "$work/k" >/dev/null 2>&1 &
    for kill in 1 2 3; do
        sleep 0.$((RANDOM % 6))$((RANDOM % 10))
        kill -9 $! 2>/dev/null
        wait $! 2>/dev/null
        [ -e "$work/k/plan.txt" ] || continue 2          # killed before the run began: there is nothing to resume
        "$cak" resume "$work/k" --progress none --threads $((RANDOM % 3 + 1)) >/dev/null 2>"$work/err" &
    done
    wait $! || { fail "trial $trial: resume"; cat "$work/err"; }
    same "$want" "$(values "$work/k" | grep -v '"event"')" "trial $trial: metrics differ"
    cmp -s "$work/ref/ckpt/$(ls "$work/ref/ckpt" | tail -1)" "$work/k/ckpt/$(ls "$work/k/ckpt" | tail -1)" || fail "trial $trial: checkpoints differ"
done
finish
