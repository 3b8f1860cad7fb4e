#!/usr/bin/env bash
# What `cak sweep status` and the plan show of the points.
source "$(dirname "$0")/lib.sh" "$1"
base=$PWD/configs/tiny/synth.yaml

# draws: six digits, the equal key once, no column without a metric, the next step
cat >"$work/draws.yaml" <<Y
base: $base
method: random
run_cap: 3
parameters:
  hp.lr: {distribution: log_uniform_values, min: 1e-4, max: 1e-3}
  train.phases.critic.repeat: {value: 1}
  train.epochs: {value: 1}
Y
expect 0 "" "$cak" sweep "$work/draws.yaml" --sweep-dir "$work/draws" --progress none
expect 0 "all points: train.phases.critic.repeat=1 train.epochs=1" "$cak" sweep status "$work/draws"
grep -qx "ID                STATE        EPOCH  ATTEMPTS  OVERRIDES" "$work/out" || fail "head of the table"
[ "$(grep -cE '^[0-9a-f]{16}  finished         1         1  hp.lr=0\.000[0-9]{1,6}$' "$work/out")" -eq 3 ] || fail "rows of drawn points"
grep -qE '"hp.lr":"0\.000[0-9]{12}' "$work/draws/plan.jsonl" || fail "the plan has lost digits"
expect 0 "compare with: cak compare $work/draws" "$cak" sweep status "$work/draws"

# one point: singular, nothing to compare, nothing in the last column
printf 'base: %s\nmethod: grid\nmetric: {name: violations}\nparameters: {train.epochs: {value: 1}}\n' "$base" >"$work/one.yaml"
expect 0 "" "$cak" sweep "$work/one.yaml" --sweep-dir "$work/one" --progress none
expect 0 "$work/one: 1 point: 1 finished" "$cak" sweep status "$work/one"
grep -qE '^best so far: violations=[0-9.e-]+ after 1 epoch: [0-9a-f]{16}$' "$work/out" || fail "the best of one point"
grep -q "compare with\|OVERRIDES" "$work/out" && fail "one point is compared"

# on a terminal the overrides give way, then the reason
if command -v script >/dev/null; then
    long=$(printf 'x%.0s' {1..60})
    cat >"$work/wide.yaml" <<Y
base: $base
method: grid
metric: {name: violations}
parameters:
  name: [${long}1, ${long}2]
  train.phases.critic.optimizer.lr: {value: 1e6}
  train.epochs: {value: 1}
Y
    expect 0 "" "$cak" sweep "$work/wide.yaml" --sweep-dir "$work/wide" --progress none
    script -qec "stty cols 90; '$cak' sweep status '$work/wide'" /dev/null </dev/null >"$work/out"
    grep -qE 'diverged  *0  *-  *1  diverged in step 0  name=x' "$work/out" || fail "a narrow terminal loses the reason"
    [ "$(grep '^[0-9a-f]' "$work/out" | tr -d '\r' | wc -L)" -eq 90 ] || fail "a line is wider than the terminal"
fi
finish
