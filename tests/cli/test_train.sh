#!/usr/bin/env bash
# Training on synthetic sounds: same bits for any thread count, after kills and stops; outcomes and exit codes.
source "$(dirname "$0")/lib.sh" "$1"
config=configs/tiny/synth.yaml
train() { "$cak" train $config --progress none "$@"; }

a=$(train --run-dir "$work/a" --threads 2 2>"$work/err") || { fail "train"; cat "$work/err"; }
for file in run.json config.yaml overrides.txt graph.txt plan.txt data.json metrics.jsonl metrics.csv log.txt; do
    [ -s "$work/a/$file" ] || [ "$file" = overrides.txt ] || fail "$file is missing or empty"
done
grep -q '"state": "finished"' "$work/a/run.json" || fail "state is not finished"
grep -q '"nonfinite"' "$work/a/metrics.jsonl" && fail "a metric is not finite"

# every checkpoint is written once, also when the end is a periodic one; the graph has its digest
checkpoints() { grep -o 'checkpoint at step [0-9]*' "$work/$1/log.txt"; }
[ "$(checkpoints a | wc -l)" -eq 4 ] || { fail "not four checkpoints: at the beginning and after each of three epochs"; checkpoints a; }
same "$(checkpoints a)" "$(checkpoints a | sort -u -t' ' -k4n)" "a checkpoint is written twice"
grep -qE '"graph_hash": "[0-9a-f]{32}"' "$work/a/run.json" || fail "no graph_hash"
head -1 "$work/a/plan.txt" | grep -q '^# ' || fail "plan.txt does not explain itself"

# the resolved configuration reproduces the run; so do other thread counts
for n in 1 3; do
    "$cak" train "$work/a/config.yaml" --progress none --threads $n --run-dir "$work/t$n" >/dev/null 2>"$work/err" || { fail "train with $n threads"; cat "$work/err"; }
    same "$(grep graph_hash "$work/a/run.json")" "$(grep graph_hash "$work/t$n/run.json")" "graph_hash differs with $n threads"
    same "$(values "$work/a")" "$(values "$work/t$n")" "metrics differ with $n threads"
    cmp -s "$work/a"/ckpt/*"$(ls "$work/a/ckpt" | tail -1)" "$work/t$n/ckpt/$(ls "$work/t$n/ckpt" | tail -1)" || fail "checkpoints differ with $n threads"
done

# stopped on purpose twice (once in the middle of an epoch), then resumed to the end
train --run-dir "$work/s" --stop-after 2 >/dev/null 2>&1
[ $? -eq 75 ] || fail "a stop is not exit code 75"
grep -q '"state": "interrupted"' "$work/s/run.json" || fail "state is not interrupted"
"$cak" resume "$work/s" --stop-after 3 --threads 1 >/dev/null 2>&1
[ $? -eq 75 ] || fail "a second stop is not exit code 75"
"$cak" resume "$work/s" --threads 3 >/dev/null 2>"$work/err" || { fail "resume"; cat "$work/err"; }
same "$(values "$work/a")" "$(values "$work/s" | grep -v '"event"')" "metrics differ after stop and resume"
cmp -s "$work/a/ckpt/$(ls "$work/a/ckpt" | tail -1)" "$work/s/ckpt/$(ls "$work/s/ckpt" | tail -1)" || fail "checkpoints differ after stop and resume"
expect 0 "is finished" "$cak" resume "$work/s"

# killed at several moments
for wait in 0.02 0.05 0.1 0.2; do
    rm -rf "$work/k"
    "$cak" train $config --progress none --run-dir "$work/k" train.checkpoint.every_steps=1 >/dev/null 2>&1 &
    pid=$!
    sleep $wait
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    [ -e "$work/k/config.yaml" ] && [ -e "$work/k/run.json" ] || continue
    "$cak" resume "$work/k" --progress none >/dev/null 2>"$work/err" || { fail "resume after kill at $wait s"; cat "$work/err"; }
    same "$(values "$work/a")" "$(values "$work/k" | grep -v '"event"')" "metrics differ after a kill at $wait s"
done

# SIGTERM: checkpoint, exit 75
"$cak" train $config --progress none --run-dir "$work/term" train.epochs=100000 >/dev/null 2>&1 &
pid=$!
sleep 1
expect 8 "E4004" "$cak" resume "$work/term"
expect 8 "E4004" "$cak" train $config --progress none --run-dir "$work/term"
kill -TERM $pid
wait $pid
[ $? -eq 75 ] || fail "SIGTERM is not exit code 75"
ls "$work/term/ckpt" | grep -q step- || fail "no checkpoint after SIGTERM"

# divergence is an outcome with its own exit code; term, place and state are recorded
expect 5 "E4008" "$cak" train $config --progress none --run-dir "$work/d" train.guard.abs_loss=0.01
grep -q '"state": "diverged"' "$work/d/run.json" || fail "state is not diverged"
grep -q '"term": "gp"' "$work/d/run.json" || fail "the term of the divergence is not recorded"
[ -s "$work/d/snapshot/state.safetensors" ] && [ -s "$work/d/snapshot/ring.jsonl" ] || fail "no snapshot of the diverged state"
expect 5 "first value that is not finite" "$cak" train $config --progress none --run-dir "$work/n" hp.lr=1e6 train.guard.abs_loss=inf

# a resume that cannot begin says why and leaves the run as it was
train --run-dir "$work/i" --stop-after 2 >/dev/null 2>&1
cannot() { # exit code, text: of a resume of a damaged copy; the copy stays interrupted
    expect "$1" "$2" "$cak" resume "$work/c" --progress none
    grep -q '"state": "interrupted"' "$work/c/run.json" || fail "$2: the state changed"
    rm -rf "$work/c"
}
copy() { rm -rf "$work/c"; cp -r "$work/i" "$work/c"; }
copy; for file in "$work/c"/ckpt/*; do : >"$file"; done; cannot 9 "E4005"
copy; rm "$work/c"/ckpt/*; cannot 9 "holds no checkpoint"
copy; sed -i 's/scale0: 1.0/scale0: 2.0/' "$work/c/config.yaml"; cannot 9 "E4006"
copy; rm "$work/c/metrics.jsonl"; cannot 9 "E4006"
copy; "$cak" resume "$work/c" --progress none >/dev/null 2>&1 || fail "the intact copy does not resume"

# names that meet in the log; phases that share a loss
expect 3 "'violations' is recorded twice" "$cak" check $config '+train.phases.critic.metrics.violations=w'
expect 3 "'temperature' is recorded twice" "$cak" check $config '+metrics.temperature=generator.scale'
expect 3 "a node cannot be called 'batch'" "$cak" check $config '+graph.batch={type: exp, inputs: [w]}'
expect 3 "'step' is a field of the log itself" "$cak" check $config '+metrics.step=generator.scale'
expect 75 "" "$cak" train $config --progress none --run-dir "$work/share" train.phases.generator.loss=c_loss 'train.phases.generator.update=[critic]' --stop-after 2
same "$(grep graph_hash "$work/d/run.json")" "$(grep graph_hash "$work/a/run.json")" "graph_hash depends on more than the graph"
grep -q "$(grep graph_hash "$work/a/run.json")" "$work/share/run.json" && fail "another graph has the same graph_hash"
grep -q '"generator.c_loss"' "$work/share/metrics.jsonl" || fail "a shared loss does not carry the phase"
expect 0 "" "$cak" resume "$work/share" --progress none
expect 0 "no phase updates the parameter 'generator.scale'" "$cak" check $config train.phases.generator.loss=c_loss 'train.phases.generator.update=[critic]'

# initial values: a missing file leaves no directory; once taken it is not needed again
expect 6 "named here" "$cak" train $config --progress none --run-dir "$work/init" +init_from=nope.safetensors
[ ! -e "$work/init" ] || fail "a missing init_from leaves a directory"
cp "$work/a/ckpt/$(ls "$work/a/ckpt" | tail -1)" "$work/init.safetensors"
expect 75 "" "$cak" train $config --progress none --run-dir "$work/init" "+init_from=$work/init.safetensors" --stop-after 1
rm "$work/init.safetensors"
expect 0 "" "$cak" resume "$work/init" --progress none

# directories
expect 2 "got an empty one" "$cak" train $config --run-dir=
expect 2 "got an empty one" "$cak" train $config --runs ""
env -u HOME -u XDG_CACHE_HOME "$cak" train $config --progress none --run-dir "$work/home" --max-steps 1 >/dev/null 2>&1 || fail "HOME unset"
mkdir "$work/only-lock" && : >"$work/only-lock/run.lock"
expect 0 "" "$cak" train $config --progress none --max-steps 1 --run-dir "$work/only-lock"
expect 2 "E5001" "$cak" train $config --run-dir "$work/a"
expect 0 "finished" "$cak" show "$work/a"
expect 0 "diverged" "$cak" ls "$work"
expect 0 "param/detector.weight" "$cak" inspect "$work/a/ckpt/$(ls "$work/a/ckpt" | tail -1)"
expect 0 "" "$cak" train $config --dry-run --run-dir "$work/dry"
[ ! -e "$work/dry" ] || fail "--dry-run made a run directory"
finish
