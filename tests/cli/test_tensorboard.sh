#!/usr/bin/env bash
# The section `log`: event files beside the metrics, which change nothing else about a run.
source "$(dirname "$0")/lib.sh" "$1"
config=configs/tiny/synth.yaml
train() { "$cak" train $config --progress none "$@" >/dev/null 2>"$work/err"; }
hash_of() { grep '"config_hash"' "$work/$1/run.json"; }
last() { echo "$work/$1/ckpt/$(ls "$work/$1/ckpt" | tail -1)"; }
files() { ls "$work/$1/tb" 2>/dev/null | grep -cE '^events\.out\.tfevents\.[0-9]{10}\.[A-Za-z0-9.-]+\.[0-9]+\.[0-9]+$'; }
holds() { grep -qaF -- "$2" "$work/$1"/tb/*; }

train --run-dir "$work/a" || fail "train"
[ ! -e "$work/a/tb" ] || fail "event files that nobody asked for"
train --run-dir "$work/b" +log.tensorboard=true || fail "train with event files"
[ "$(files b)" -eq 1 ] || fail "no event file"
for text in brain.Event:2 c_loss/gp _hparams_/session_start_info; do holds b "$text" || fail "'$text' is not in the event file"; done
holds b steps/ && fail "steps that nobody asked for"
same "$(values "$work/a")" "$(values "$work/b")" "event files change the metrics"
cmp -s "$(last a)" "$(last b)" || fail "event files change the checkpoint"
same "$(hash_of a)" "$(hash_of b)" "event files change the digest of the configuration"

# begun without, gone on with, and the other way round
train --run-dir "$work/c" --stop-after 4
printf 'log: {tensorboard: true, tensorboard_steps: 1}\n' >>"$work/c/config.yaml"
expect 75 "" "$cak" resume "$work/c" --progress none --stop-after 4
holds c steps/c_loss/gp || fail "no steps in the event file"
sed -i '/^log:/,$d' "$work/c/config.yaml"
expect 0 "" "$cak" resume "$work/c" --progress none
[ "$(files c)" -eq 1 ] || fail "an event file after it was switched off"
same "$(values "$work/a")" "$(values "$work/c" | grep -v '"event"')" "metrics differ after the change of log"
cmp -s "$(last a)" "$(last c)" || fail "checkpoints differ after the change of log"

# what cannot be written is a warning
train --run-dir "$work/d" --stop-after 4 +log.tensorboard=true
rm -r "$work/d/tb" && : >"$work/d/tb"
expect 0 "warning: nothing more is written for TensorBoard" "$cak" resume "$work/d" --progress none
grep -q '"state": "finished"' "$work/d/run.json" || fail "a run without event files does not finish"
cmp -s "$(last a)" "$(last d)" || fail "checkpoints differ after the warning"

expect 3 "did you mean 'tensorboard'?" "$cak" check $config '+log={tensorbord: true}'
expect 0 "tensorboard: true" "$cak" config $config +log.tensorboard=true
finish
