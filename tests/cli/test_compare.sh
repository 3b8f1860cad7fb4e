#!/usr/bin/env bash
# Runs trained for real: compare, diff, ls --where; a sweep whose points are paired.
source "$(dirname "$0")/lib.sh" "$1"
config=configs/tiny/synth.yaml

# two arms, three seeds; a run of its own
for lr in 1e-4 1e-2; do
    for seed in 0 1 2; do
        "$cak" train $config --progress none --max-steps 10 --run-dir "$work/r/$lr-$seed" hp.lr=$lr --seed $seed >/dev/null 2>"$work/err" || { fail "train"; cat "$work/err"; }
    done
done
"$cak" train $config --progress none --run-dir "$work/d" hp.lr=1e6 train.guard.abs_loss=inf >/dev/null 2>&1
[ $? -eq 5 ] || fail "a learning rate of 1e6 does not diverge"

expect 0 "6 runs in 2 arms" "$cak" compare "$work/r"
expect 0 "paired by seed: 3 pairs in each of 2 arms, data order identical: yes, initial values identical: yes" "$cak" compare "$work/r"
expect 0 "varies with hp.lr: train.phases.critic.optimizer.lr, train.phases.generator.optimizer.lr" "$cak" compare "$work/r"
expect 0 "3 arms" "$cak" compare "$work/r" "$work/d" --except seed,train.guard.abs_loss
"$cak" compare "$work/r" "$work/d" >"$work/out" 2>/dev/null
awk 'length($0) > 126 { exit 1 }' "$work/out" || fail "a line is too wide"
grep -q "^A .* 1e6 " "$work/out" || grep -q "^C .* 1e6 " "$work/out" || fail "the diverged run has no arm"

# means of violations, by awk from metrics.csv
"$cak" compare "$work/r" --csv --metric violations -o "$work/c.csv"
for lr in 1e-4 1e-2; do
    want=$(for seed in 0 1 2; do
        awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "violations") c = i } { v = $c } END { print v }' "$work/r/$lr-$seed/metrics.csv"
    done | awk '{ s += $1 } END { printf "%.6g", s / NR }')
    got=$(awk -F, -v lr=$lr 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "violations.mean") c = i; next } $2 + 0 == lr + 0 { printf "%.6g", $c }' "$work/c.csv")
    same "$got" "$want" "mean of violations at $lr: $got instead of $want"
done

# the order of data depends on the batch: such arms are not paired
"$cak" train $config --progress none --max-steps 10 --run-dir "$work/b/0" data.batch.batch=4 --seed 0 >/dev/null 2>&1
"$cak" train $config --progress none --max-steps 10 --run-dir "$work/b/1" data.batch.batch=4 --seed 1 >/dev/null 2>&1
expect 0 "are not paired by seed: their batches differ (seed=0)" "$cak" compare "$work/b" "$work/r" --where 'hp.lr<1e-3'
# another kernel begins with other weights, its arms see the same data
for seed in 0 1; do
    "$cak" train $config --progress none --max-steps 10 --run-dir "$work/k/$seed" modules.detector.kernel=5 modules.detector.pad=2 --seed $seed >/dev/null 2>"$work/err" || cat "$work/err"
done
expect 0 "data order identical: yes, initial values identical: no (detector.weight" "$cak" compare "$work/k" "$work/r" --where 'seed<2 and hp.lr<1e-3'

# diff
expect 0 "hp.lr=1e-4 -> hp.lr=1e-2" "$cak" diff "$work/r/1e-4-0" "$work/r/1e-2-0"
expect 0 "data, streams" "$cak" diff "$work/r/1e-4-0" "$work/r/1e-2-0"
expect 0 "batches" "$cak" diff "$work/r/1e-4-0" "$work/r/1e-4-1"
expect 0 "critic: first difference" "$cak" diff "$work/r/1e-4-0" "$work/k/0"
expect 0 "finished -> diverged" "$cak" diff "$work/r/1e-4-0" "$work/d"
expect 0 "the same: " "$cak" diff $config "$work/r/1e-4-0"
"$cak" diff $config "$work/r/1e-4-0" | grep -q "data.x.low\|hp.lr " && fail "what a run resolves or finds is shown as a difference to its file"

# pairs by another key: seeds make no arms all the same
expect 0 " runs in 2 arms" "$cak" compare "$work/r" --pair train.epochs
grep -q "not paired by train.epochs: arm A has several runs with train.epochs=" "$work/err" || fail "--pair does not choose the key"

# ls
same "$("$cak" ls "$work" --where 'state=diverged' --columns seed --csv | sed 1d)" "$work/d,0" "ls --where finds the wrong runs"
same "$("$cak" ls "$work/r" --where 'hp.lr>1e-3 and seed!=1' --columns seed --sort -seed --csv | sed 1d | cut -d, -f2 | tr '\n' ' ')" "2 0 " "ls --sort is wrong"
expect 2 "did you mean 'hp.lr'?" "$cak" ls "$work" --where 'hp.l=1'

# a sweep: its metric ranks, its points are paired by its pair_by, one point fails before it has a run
cat >"$work/s.yaml" <<YAML
name: s
base: $here/$config
method: grid
parameters: {hp.lr: {values: [1e-4, 1e6]}, seed: {range: [0, 3]}}
metric: {name: g_loss, goal: maximize}
pair_by: [seed]
YAML
(cd "$work" && "$cak" sweep s.yaml --progress none) >/dev/null 2>"$work/err" || { fail "sweep"; cat "$work/err"; }
expect 0 "sweep s of $here/$config: 6 runs in 2 arms" "$cak" compare "$work/sweeps/s"
expect 0 "rank: mean rank of the runs by g_loss (more is better), diverged runs are the worst" "$cak" compare "$work/sweeps/s"
expect 0 "paired by seed: 3 pairs in each of 2 arms, data order identical: yes" "$cak" compare "$work/sweeps"
expect 0 "100.0 [43.9, 100.0]" "$cak" compare "$work/sweeps/s"
id=$(ls "$work/sweeps/s/runs" | head -1)
rm -r "$work/sweeps/s/runs/$id"
echo '{"exit":4,"signal":null,"reason":"no sounds","started":"2026-11-24T21:12:18Z","ended":"2026-11-24T21:12:19Z","stopped_early":false,"changes":0}' >"$work/sweeps/s/attempts/$id.jsonl"
"$cak" compare "$work/sweeps/s" --csv >"$work/c.csv"
same "$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) { if ($i == "n") n = i; if ($i == "failed") f = i } next } { s += $n; t += $f } END { print s, t }' "$work/c.csv")" "6 1" "a point without a run is not counted"

# a damaged run is left out, and the warning names its file
cp -r "$work/r/1e-4-0" "$work/damaged"
echo '{"t":"epoch","epoch":9,"g_loss":nonsense}' >>"$work/damaged/metrics.jsonl"
expect 0 "$work/damaged/metrics.jsonl: warning: left out: " "$cak" compare "$work/r" "$work/damaged"
finish
