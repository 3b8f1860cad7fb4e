#!/usr/bin/env bash
# Digests of what went into a run: equal for paired runs, the same after stops and kills.
source "$(dirname "$0")/lib.sh" "$1"
config=configs/tiny/synth.yaml

# run NAME OVERRIDE...: one step of training; then the digests
run() { local name=$1; shift; "$cak" train $config --progress none --run-dir "$work/$name" --stop-after 1 "$@" >/dev/null 2>&1; }
streams() { sed -n '/"streams"/,/^  }/p' "$work/$1/run.json"; }
digest() { sed -nE "s/^ *\"$2\": \"([0-9a-f]{32})\",?$/\1/p" "$work/$1/run.json"; }
paired() { same "$(digest a batches)" "$(digest "$1" batches)" "$1 has other batches"; }
unpaired() { [ "$(digest a batches)" != "$(digest "$1" batches)" ] || fail "$1 has the batches of another run"; }

run a
[ "$(digest a batches | wc -c)" -eq 33 ] || fail "no digest of the batches"
run model 'modules.critic.channels=[4, 8, 12]' hp.lr=1e-3; paired model
same "$(digest a critic.conv1.weight)" "$(digest model critic.conv1.weight)" "a shared parameter starts from other values"
[ "$(digest a critic.conv3.weight)" != "$(digest model critic.conv3.weight)" ] || fail "tensors of different shapes are equal"
run seed seed=1; unpaired seed
run window data.batch.crop_t=31; unpaired window
run sounds data.clips.seed=2; unpaired sounds
run control +data.batch.control_hi=0.9; unpaired control
run epochs train.epochs=4; unpaired epochs

# stopped, resumed, finished: the digests stay
before=$(streams a)
"$cak" resume "$work/a" --progress none >/dev/null 2>&1 || fail "resume"
same "$before" "$(streams a)" "a resume changes the digests"

# ended before they were written: the run begins again, with digests
mkdir -p "$work/early/ckpt"
cp "$work/a/config.yaml" "$work/early/"
sed -e '/"streams"/,/^  },/d' -e '/"data_hash"/d' -e 's/"state": "finished"/"state": "created"/' "$work/a/run.json" >"$work/early/run.json"
"$cak" resume "$work/early" --progress none >/dev/null 2>"$work/err" || { fail "resume of a run that had not begun"; cat "$work/err"; }
same "$before" "$(streams early)" "a run that begins late has other digests"
grep -q '"data_hash"' "$work/early/run.json" || fail "a run that begins late has no digest of its data"
expect 0 "streams.batches $(digest a batches)" "$cak" show "$work/a"
finish
