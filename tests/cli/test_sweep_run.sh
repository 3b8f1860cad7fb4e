#!/usr/bin/env bash
# Running a sweep: shared, stopped, killed, continued; the end is always that of an undisturbed sweep.
source "$(dirname "$0")/lib.sh" "$1"

# a base that the test can change
"$cak" config configs/tiny/synth.yaml train.epochs=2 >"$work/base.yaml" || fail "config"

sweep_file() { # NAME: the rest of the file on stdin
    { printf 'base: %s\nmethod: grid\nmetric: {name: violations, goal: minimize}\n' "$work/base.yaml"; cat; } >"$work/$1.yaml"
}
sweep_file six <<'YAML'
parameters:
  train.phases.critic.optimizer.lr: {values: [1e-4, 1e-3, 1e6]}
  seed: {range: [0, 2]}
on_failure: {max_retries: 3}
keep: {checkpoints: last, diverged: nothing}
launcher: {type: local, jobs: 2, threads_per_job: 1}
YAML
plan() { expect "$1" "$2" "$cak" sweep "$work/six.yaml" --sweep-dir "$work/$3" --progress plain; }
start() { "$cak" sweep "$work/six.yaml" --sweep-dir "$work/$1" --progress plain "${@:2}" >/dev/null 2>"$work/$1.err" & pid=$!; }
wait_for() { # WHAT CONDITION: a minute at most
    for _ in $(seq 3000); do eval "$2" && return; sleep 0.02; done
    fail "waited in vain for $1"
}
lines() { cat "$work/$1"/attempts/*.jsonl | wc -l; }
same_end() { # NAME: the summary of an undisturbed sweep, and no run done twice
    cmp -s "$work/whole/summary.csv" "$work/$1/summary.csv" || { fail "$1: the summary is another one"; diff "$work/whole/summary.csv" "$work/$1/summary.csv" | cut -c1-120; }
    for dir in "$work/$1"/runs/*; do
        same "$(values "$work/whole/runs/${dir##*/}" | grep -v '"event"')" "$(values "$dir" | grep -v '"event"')" "$1: metrics differ in ${dir##*/}"
    done
}

# undisturbed
plan 0 "6 points: 4 finished, 2 diverged" whole
grep -qx "compare with: cak compare $work/whole" "$work/err" || fail "an ended sweep names no next step"
same "$(lines whole)" 6 "an attempt for each point"
same "$(head -1 "$work/whole/summary.csv" | cut -d, -f1-8)" "id,train.phases.critic.optimizer.lr,seed,state,exit_code,epochs,steps,diverged_step" "columns of the summary"
same "$(cut -d, -f2-8 "$work/whole/summary.csv" | sed -n 5,7p)" "$(printf '1e-3,1,finished,0,2,10,\n1e6,0,diverged,5,0,0,0\n1e6,1,diverged,5,0,0,0')" "rows of the summary"
for dir in "$work"/whole/runs/*; do
    [ "$(ls "$dir/ckpt" | wc -l)" -eq 1 ] || fail "keep: more than one checkpoint in $dir"
    [ ! -e "$dir/snapshot" ] || fail "keep: a snapshot in $dir"
done
grep -q '"parent": "six/' "$work"/whole/runs/*/run.json || fail "runs do not name their sweep"
grep -q '== attempt 1, .*Z: cak train .* seed=0 ' "$work"/whole/logs/*.txt || fail "logs do not begin with their attempt"

# nothing is left to do; diverged points may count as failed
expect 0 "4 finished, 2 diverged" "$cak" sweep "$work/whole" --progress plain
expect 10 "1e6 seed=1  diverged: diverged in step 0" "$cak" sweep "$work/whole" --strict-diverged
expect 0 "nothing is left to start" "$cak" agent "$work/whole" --once
expect 0 "" "$cak" agent "$work/whole" --index 5
expect 10 "" "$cak" agent "$work/whole" --index 5 --strict-diverged
expect 2 "the plan has 6 points" "$cak" agent "$work/whole" --index 6
same "$(lines whole)" 6 "points with a result are not started again"

# a name that would confuse a terminal
odd=$(printf 'a\033[2J b"')
cp -r "$work/whole" "$work/$odd"
expect 0 'a\x1b[2J b": 6 points: 4 finished, 2 diverged' "$cak" sweep "$work/$odd" --progress plain

# status
"$cak" sweep status "$work/whole" >"$work/out" || fail "status"
grep -q 'diverged  *0  *-  *1  diverged in step 0  .*seed=0' "$work/out" || fail "status: no row of a diverged point"
grep -q 'best so far: violations=0' "$work/out" || fail "status: no best point"
"$cak" sweep status "$work/whole" --json >"$work/out" || fail "status --json"
grep -q '"counts": {' "$work/out" && grep -q '"finished": 4' "$work/out" || fail "status --json: no counts"

expect 0 "4 finished, 2 diverged" "$cak" sweep status --watch 1 "$work/whole" # nothing more will come
expect 2 "E5003" "$cak" sweep status "$work"
expect 2 "one sweep directory is needed" "$cak" sweep status "$work/whole" 5
expect 2 "one word, failed" "$cak" agent "$work/whole" --retry all
expect 2 "--progress needs" "$cak" agent "$work/whole" --progress much
expect 2 "one sweep directory is needed" "$cak" agent

# two launchers share the work: no run is done twice
start two --jobs 1
wait_for "a plan" '[ -e "$work/two/plan.jsonl" ]'
expect 0 "6 points: 4 finished, 2 diverged" "$cak" sweep "$work/two" --jobs 1 --progress plain
grep -q ' started ' "$work/err" || fail "the second launcher had nothing to do"
wait $pid || fail "the first of two launchers: exit $?"
grep -q ' started ' "$work/two.err" || fail "the first launcher had nothing to do"
for file in "$work"/two/attempts/*; do [ "$(wc -l <"$file")" -eq 1 ] || fail "two launchers: ${file##*/} was run twice"; done
same_end two

# SIGTERM, and on with it
start term
wait_for "a checkpoint" 'ls "$work"/term/runs/*/ckpt/* >/dev/null 2>&1'
kill -TERM $pid
wait $pid
[ $? -eq 75 ] || { fail "SIGTERM is not exit code 75"; cat "$work/term.err"; }
expect 0 "6 points" "$cak" sweep "$work/term" --progress plain
same_end term

# SIGKILL of the launcher at three moments, and on with it; children of dead launchers stop by themselves
"$cak" agent "$work/killed" 2>/dev/null # not yet a sweep: nothing is left behind
[ ! -e "$work/killed" ] || fail "agent makes a directory"
for wait in 0.$((RANDOM % 4 + 1)) 0.$((RANDOM % 4 + 1))5 0.$((RANDOM % 4 + 1))2; do
    start killed
    wait_for "a plan" '[ -e "$work/killed/plan.jsonl" ]'
    sleep $wait
    kill -KILL $pid
    wait $pid 2>/dev/null
done
plan 0 "6 points: 4 finished, 2 diverged" killed
same_end killed

# a child is killed from outside: tried again, as often as on_failure says
sweep_file bad <<'YAML'
parameters: {train.epochs: {value: 100000}, train.checkpoint.every_epochs: {value: 0}}
on_failure: {max_retries: 1}
YAML
"$cak" sweep "$work/bad.yaml" --sweep-dir "$work/bad" --progress plain >/dev/null 2>"$work/err" &
pid=$!
runs() { child=$(sed -n 's/.*"pid": \([0-9]*\).*/\1/p' "$work"/bad/runs/*/run.json 2>/dev/null) && [ -n "$child" ] && [ "$child" != "$last" ]; }
last=
for attempt in 1 2; do
    wait_for "run $attempt" runs
    last=$child
    kill -KILL "$child"
done
wait $pid
[ $? -eq 10 ] || { fail "a killed point is not exit code 10"; cat "$work/err"; }
grep -q 'killed .*: signal 9 (Killed); log: .*; it is tried again' "$work/err" || fail "no retry of a killed point"
grep -q '  killed: signal 9 (Killed); log: ' "$work/err" || fail "the report does not name the killed point"
same "$(lines bad)" 2 "attempts of a killed point"

# what cannot be written is no reason to be called again, as 75 would be
"$cak" sweep "$work/bad" --progress plain >/dev/null 2>"$work/err" &
pid=$!
wait_for "a run that goes on" runs
rm "$work/bad/summary.csv"
mkdir "$work/bad/summary.csv"
kill -TERM $pid
wait $pid
[ $? -eq 6 ] || { fail "a summary that cannot be written is not exit code 6"; cat "$work/err"; }
rmdir "$work/bad/summary.csv"
last=$child

# a launcher dies: its child holds the claim, too, until it has stopped, which it does by itself
"$cak" sweep "$work/bad" --progress plain >/dev/null 2>"$work/bad.err" &
pid=$!
wait_for "a run that goes on" runs
expect 8 "1 running" "$cak" agent "$work/bad" --index 0 --progress plain
ls -l "/proc/$child/fd" | grep -q 'claims/[0-9a-f]*\.lock' || fail "the child does not hold the claim"
kill -KILL $pid
wait $pid 2>/dev/null
wait_for "the end of an orphan" '"$cak" sweep status "$work/bad" | grep -q "1 interrupted"'
same "$(lines bad)" 3 "an attempt that nobody saw end"

# the insistent user
"$cak" sweep "$work/bad" --progress plain >/dev/null 2>"$work/err" &
pid=$!
wait_for "a resumed run" 'grep -q resumed "$work/err"'
kill -INT $pid
kill -INT $pid 2>/dev/null
sleep 0.05
kill -INT $pid 2>/dev/null
wait $pid
code=$?
[ $code -eq 130 ] && same "$(lines bad)" 3 "a killed child leaves no record"
[ $code -eq 130 ] || [ $code -eq 75 ] || { fail "SIGINT, and again: exit $code"; cat "$work/err"; } # 75: the run was faster

# a corpus that is not there is a failure of the point, never tried again by itself
sed '/^  clips:/,/^  [a-z]*:$/{s/type: synth/type: load_audio/; s/^    count:.*/    path: \/nowhere/; s/^    seed:.*/    fade_s: 0/}' "$work/base.yaml" >"$work/silent.yaml"
sweep_file missing <<'YAML'
parameters: {seed: {range: [0, 2]}}
on_failure: {max_retries: 1, fail_fast: 1}
launcher: {jobs: 1}
YAML
sed -i 's/base.yaml/silent.yaml/' "$work/missing.yaml"
expect 10 "failed: exit code 4: " "$cak" sweep "$work/missing.yaml" --sweep-dir "$work/missing" --progress none
grep -q '/nowhere' "$work/err" || fail "the report does not name the missing corpus"
same "$(lines missing)" 1 "a failed point is tried again, or fail_fast does not stop the sweep"
expect 10 "" "$cak" agent "$work/missing" --index 0
same "$(lines missing)" 1 "failed points are started without --retry"
expect 10 "" "$cak" agent "$work/missing" --index 0 --retry failed
same "$(lines missing)" 2 "--retry failed starts nothing"

# what a run directory holds without run.json is nobody's to remove, nor what it links to
mkdir "$work/foreign"
cp "$work/whole/sweep.yaml" "$work/whole/plan.jsonl" "$work/foreign"
point() { sed -n "$1"'s/{"id":"\([0-9a-f]*\)".*/\1/p' "$work/foreign/plan.jsonl"; }
runs=$work/foreign/runs
mkdir -p "$work/precious" "$runs/$(point 1)" "$runs/$(point 2)"
touch "$work/precious/data" "$runs/$(point 1)/notes" "$runs/$(point 2)/run.lock" "$runs/$(point 2)/.tmp-run.json-1-0"
ln -s "$work/precious" "$runs/$(point 3)"
expect 10 "move it away to train the point anew [E4011]" "$cak" agent "$work/foreign" --index 0
expect 0 "" "$cak" agent "$work/foreign" --index 1
expect 10 "is a symbolic link" "$cak" agent "$work/foreign" --index 2
[ -e "$runs/$(point 1)/notes" ] && [ -e "$work/precious/data" ] || fail "files of somebody else are removed"
same "$(lines foreign)" 1 "a point is trained in a directory of somebody else"
: >"$runs/$(point 2)/run.json"
expect 10 "move it away to train the point anew" "$cak" agent "$work/foreign" --index 1 --retry failed
ls "$runs/$(point 2)"/ckpt/* >/dev/null || fail "checkpoints beside a damaged run.json are removed"

# a directory that cannot be written is one error
cp -r "$work/whole" "$work/locked"
rm "$work/locked/claims/summary.lock"
mkdir "$work/locked/claims/summary.lock"
expect 6 "cannot lock" "$cak" sweep "$work/locked" --progress plain
grep -q failed "$work/err" && fail "a directory that cannot be written: points are called failed"

# no room for a second process: the first one is waited for
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    mkdir "$work/crowded"
    cp "$work/whole/sweep.yaml" "$work/whole/plan.jsonl" "$work/crowded"
    chmod a+rx "$work" && chmod a+r "$work/base.yaml" && chmod -R a+rwX "$work/crowded"
    crowded() { setpriv --reuid 54321 --regid 54321 --clear-groups bash -c 'ulimit -u 2; exec "$@"' crowded "$cak" "$@"; }
    if crowded --version >/dev/null 2>&1; then
        expect 0 "4 finished, 2 diverged" env XDG_CACHE_HOME="$work/crowded/cache" bash -c "$(declare -f crowded); cak=$cak; crowded sweep $work/crowded --jobs 2 --threads 1 --progress plain"
    fi
fi

# agents; a configuration that has changed since the plan was made is not run
mkdir "$work/agents"
cp "$work/whole/sweep.yaml" "$work/whole/plan.jsonl" "$work/agents"
expect 0 "finished" "$cak" agent "$work/agents" --once --progress plain
same "$(lines agents)" 1 "--once runs one point"
expect 0 "diverged" "$cak" agent "$work/agents" --index 4 --progress plain
ls "$work/agents/attempts" | grep -q "$(sed -n '5s/{"id":"\([0-9a-f]*\)".*/\1/p' "$work/agents/plan.jsonl")" || fail "--index runs another point"
sed -i 's/scale0: 1.0/scale0: 2.0/' "$work/base.yaml"
expect 10 "not started: the configuration has changed since the plan was made [E5002]" "$cak" agent "$work/agents"
echo "nonsense: [" >>"$work/base.yaml"
expect 10 "the configuration has changed since the plan was made: " "$cak" agent "$work/agents" --once
same "$(lines agents)" 2 "a point that has changed is started"
sed -i 's/scale0: 2.0/scale0: 1.0/; /^nonsense/d' "$work/base.yaml"
expect 0 "4 finished, 2 diverged" "$cak" agent "$work/agents" --progress plain
same_end agents

# early termination: the second run, worse after two epochs, does not go on, not later either
sed 's/epochs: 2$/epochs: "${seed}"/' "$work/base.yaml" >"$work/long.yaml"
cat >"$work/early.yaml" <<YAML
base: $work/long.yaml
method: grid
metric: {name: violations, goal: maximize}
parameters: {seed: {values: [2, 20000]}}
early_terminate: {type: hyperband, min_iter: 2, eta: 2}
keep: {checkpoints: none}
launcher: {jobs: 1}
YAML
expect 0 "not among the best 1/2 after epoch 2" "$cak" sweep "$work/early.yaml" --sweep-dir "$work/early" --progress plain
grep -q "times to divergence are censored" "$work/err" || fail "no warning of censoring"
same "$(cut -d, -f2-4 "$work/early/summary.csv" | tail -2)" "$(printf '2,finished,0\n20000,stopped,75')" "early termination"
expect 0 "not among the best 1/2 after epoch 2" "$cak" sweep status "$work/early"
grep -q "compare with: cak compare $work/early" "$work/out" || fail "no next step after a sweep"
grep -q '"stopped_early":true' "$work"/early/attempts/* || fail "an early stop is not recorded"
expect 0 "1 finished, 1 stopped" "$cak" sweep "$work/early" --progress plain
same "$(lines early)" 2 "a stopped point is started again"
same "$(ls -d "$work"/early/runs/*/ckpt | wc -l)" 1 "keep: checkpoints none"
finish
