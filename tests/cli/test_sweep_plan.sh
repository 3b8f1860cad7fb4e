#!/usr/bin/env bash
# From sweep files and multirun to plans: dry runs, extension, edits, mistakes.
source "$(dirname "$0")/lib.sh" "$1"

cp -r configs "$work/"
cat >"$work/s.yaml" <<'Y'
base: configs/tiny/synth.yaml
method: grid
metric: {name: violations}
parameters:
  hp.lr: {values: [1e-3, 1e-4]}
  seed: {range: [0, 2]}
  train.epochs: {value: 1}
pair_by: [seed]
Y
cd "$work"

# a dry run shows everything and writes nothing
expect 0 "4 points: 4 new, 0 done, 4 to run; different programs: 1," "$cak" sweep --dry-run s.yaml
grep -q "^time .* memory .* disk " out || fail "no bill"
grep -q "^s: grid over hp.lr, seed; all with train.epochs=1$" out || fail "what points have in common"
grep -qE '^[0-9a-f]{16}  hp.lr=1e-4 seed=1$' out || fail "no list of points"
[ ! -e sweeps ] || fail "a dry run made a directory"
ids=$(grep -oE '^[0-9a-f]{16}' out | paste -sd' ')

# the plan is there before the first run, and the file's copy means the same from anywhere
expect 0 "sweeps/s" "$cak" sweep s.yaml --jobs 2 --progress none
same "$ids" "$(grep -oE '^.{7}[0-9a-f]{16}' sweeps/s/plan.jsonl | cut -c8- | paste -sd' ')" "the plan is not what the dry run said"
grep -q "4 points: 4 new" sweeps/s/plan.txt || fail "no bill in plan.txt"
grep -q "^base: /" sweeps/s/sweep.yaml || fail "the base of the copy is not absolute"
[ "$(ls sweeps/s/runs | wc -l)" -eq 4 ] || fail "not every point was run"
expect 0 "0 new, 4 done, 0 to run" "$cak" sweep --dry-run s.yaml
expect 0 "0 new, 4 done, 0 to run" "$cak" sweep --dry-run sweeps/s

# more values: only the new points are run
before=$(stat -c '%n %Y' sweeps/s/runs/*/run.json)
sed -i 's/\[0, 2\]/[0, 3]/' s.yaml
expect 0 "6 points: 2 new, 4 done, 2 to run" "$cak" sweep --dry-run s.yaml
expect 0 "" "$cak" sweep s.yaml --progress none
[ "$(ls sweeps/s/runs | wc -l)" -eq 6 ] || fail "the new points were not run"
while read -r line; do stat -c '%n %Y' sweeps/s/runs/*/run.json | grep -qxF "$line" || fail "run again: $line"; done <<<"$before"

# what runs write about themselves makes no new points
sed 's/^parameters:/&\n  +log.tensorboard: {value: true}/' s.yaml >logged.yaml
expect 0 "6 points: 0 new, 6 done, 0 to run" "$cak" sweep --dry-run logged.yaml --sweep-dir sweeps/s
expect 0 "6 points: 6 finished" "$cak" sweep logged.yaml --sweep-dir sweeps/s --progress plain
grep -q started err && fail "log.tensorboard starts points anew"

# another configuration under the same name changes nothing
cp -r sweeps/s kept
echo 'tags: [new]' >>configs/tiny/synth.yaml
expect 3 "[E5002]" "$cak" sweep s.yaml
grep -q "and that of 5 more points" err && grep -q "configs/tiny/synth.yaml: note: this file" err || fail "no hint at what was edited"
diff -r -x sweep.lock kept sweeps/s >/dev/null || fail "a refused plan changed the directory"
expect 0 "" "$cak" sweep s.yaml --sweep-dir other --run-cap 1 --progress none
[ "$(wc -l <other/plan.jsonl)" -eq 1 ] || fail "--run-cap 1 planned something else"

# multirun
expect 0 "" "$cak" train -m configs/tiny/synth.yaml hp.lr=1e-3,1e-2 'seed=range(0,1)' train.epochs=1 --sweeps many --progress none
[ "$(ls many)" = "$(sed 's|^many/||' out)" ] || fail "the directory is not what was printed"
same "$(wc -l <many/*/plan.jsonl)" 2 "a multirun of two points"
expect 0 "" "$cak" train configs/tiny/synth.yaml --multirun hp.lr=1e-3,1e-2,1 'seed=range(0,1)' train.epochs=1 --sweeps many --dry-run
grep -q "3 points: 1 new, 2 done" out || fail "more values of the same keys are another sweep"
expect 2 "each point has a directory of its own" "$cak" train -m configs/tiny/synth.yaml seed=0,1 --run-dir x
expect 2 "write seed=0,1,2" "$cak" train -m configs/tiny/synth.yaml hp.lr=1,2 --seed 3
expect 3 "an interval is no list of values" "$cak" train -m configs/tiny/synth.yaml 'hp.lr=interval(0,1)'
expect 2 "-m needs overrides" "$cak" train -m configs/tiny/synth.yaml
expect 2 "CONFIG is missing" "$cak" train -m

# where each point is a program of its own, one list tells points and costs; what is done costs nothing
cat >own.yaml <<'Y'
base: configs/tiny/synth.yaml
method: sobol
run_cap: 2
parameters: {hp.lambda_gp: {distribution: uniform, min: 1, max: 1000003}, train.epochs: {value: 1}}
Y
expect 0 "own: Sobol sequence over hp.lambda_gp; all with train.epochs=1" "$cak" sweep --dry-run own.yaml
same "$(grep -c 'hp.lambda_gp=' out)" 2 "each point is named once"
grep -qE '^[0-9a-f]{16}  .* KiB  .*0:0[0-9]  hp.lambda_gp=750002$' out || fail "a point with its cost"
expect 0 "" "$cak" sweep own.yaml --progress none --run-cap 1
expect 0 "2 points: 1 new, 1 done, 1 to run" "$cak" sweep --dry-run own.yaml
grep -qE '^[0-9a-f]{16}  .*done  .*done  .*done  hp.lambda_gp=500002$' out || fail "a point that is done"

# one for the other, and several values for one run
expect 2 "this is an experiment: train it with" "$cak" sweep configs/tiny/synth.yaml
grep -q "^1 error$" err || fail "an experiment is more than one error"
for verb in train graph config preprocess; do expect 2 "this is a sweep file: run it with" "$cak" $verb s.yaml; done
expect 3 "is a sweep itself" "$cak" train -m s.yaml seed=1,2
expect 3 "each of several values is trained with \`cak train -m configs/tiny/synth.yaml 'hp.lr=1e-4,1e-3'\`" "$cak" train configs/tiny/synth.yaml hp.lr=1e-4,1e-3
expect 3 "'seed=range(0,2)'" "$cak" train configs/tiny/synth.yaml 'seed=range(0,2)'
expect 3 "expected a number" "$cak" train configs/tiny/synth.yaml 'hp.lr=[1,2]'
grep -q "several values" err && fail "a list is taken for several values"
"$cak" train -m --help | grep -q "run-dir" && fail "help of -m names what does not go with it"

# mistakes
sed 's/1e-4/x, y/' s.yaml >bad.yaml
expect 3 "bad.yaml:5:3: note: in point hp.lr=x seed=0 train.epochs=1, and 2 more points" "$cak" sweep bad.yaml
[ ! -e sweeps/bad ] || fail "a plan with mistakes was written"
expect 3 "and 2 more points" "$cak" check bad.yaml
expect 0 "points: 6" "$cak" check s.yaml
expect 0 "" "$cak" check --quiet configs/sweeps/quickstart_lr_kernel.yaml
expect 2 "is no sweep directory" "$cak" sweep configs
expect 2 "belong to a sweep file" "$cak" sweep sweeps/s --run-cap 3
expect 2 "exactly one" "$cak" sweep
expect 0 "usage: cak sweep FILE|DIR" "$cak" sweep --help
expect 0 "usage: cak train -m CONFIG" "$cak" train -m --help
expect 2 "did you mean --dry-run?" "$cak" sweep --dryrun s.yaml
expect 2 "--retry takes 'failed'" "$cak" sweep s.yaml --retry all
expect 2 "--progress needs" "$cak" sweep s.yaml --progress fancy
for option in jobs threads run-cap; do expect 2 "E5001" "$cak" sweep s.yaml --$option 0; done
expect 3 "[E1001]" "$cak" sweep nothing.yaml

# a corpus that is missing is an outcome of a run, not of a plan
sed 's|/usr/share/sonic-pi/samples|/nowhere|' configs/quickstart.yaml >configs/gone.yaml
printf 'base: configs/gone.yaml\nmethod: grid\nparameters: {seed: {range: [0, 3]}}\n' >gone.yaml
expect 0 "point seed=0 and 2 more: the data cannot be opened" "$cak" sweep --dry-run gone.yaml
grep -q "^time unknown" out || fail "the time of what cannot be opened is not unknown"
finish
