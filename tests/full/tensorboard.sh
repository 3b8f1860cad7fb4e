#!/usr/bin/env bash
# Event files as TensorBoard itself reads them: every scalar of metrics.jsonl, once, after stops, kills and resumes; hyperparameters.
here=$(cd "$(dirname "$0")/../.." && pwd)
cd "$here"
source tests/cli/lib.sh "$1"
python3 -m venv "$work/venv" >/dev/null 2>&1 && "$work/venv/bin/pip" install -q tensorboard >"$work/pip" 2>&1 || {
    echo "skipped: TensorBoard cannot be installed here"
    exit 0
}

cat >"$work/read.py" <<'PY'
import json, struct, sys
from tensorboard.backend.event_processing import directory_watcher, event_accumulator, plugin_event_accumulator
from tensorboard.plugins.hparams import metadata
from tensorboard.util import tensor_util

run, every = sys.argv[1], int(sys.argv[2])
single = lambda v: struct.unpack("f", struct.pack("f", v))[0]
kinds = {"+inf": float("inf"), "-inf": float("-inf"), "nan": float("nan")}
same = lambda a, b: a == b or (a != a and b != b) or abs(a - b) <= 2 ** -23 * abs(b)  # the log rounds to nine digits first
want = {}
for line in open(run + "/metrics.jsonl"):
    r = json.loads(line)
    step = {"event": None, "epoch": r["step"], "step": r["step"] + 1}[r["t"]]
    if step is None or (r["t"] == "step" and (not every or step % every)):
        continue
    for name, value in r.items():
        if name in ("t", "step", "epoch", "batch", "wall", "nonfinite"):
            continue
        value = single(value) if value is not None else kinds[r["nonfinite"][name]]
        tag = ("steps/" if r["t"] == "step" else "") + name.replace(".", "/")
        want.setdefault(tag, []).append((step, value))

def compare(got, what):
    assert sorted(got) == sorted(want), (what, sorted(set(got) ^ set(want)))
    for tag in want:
        assert [s for s, _ in got[tag]] == [s for s, _ in want[tag]], (what, tag, got[tag], want[tag])
        assert all(same(x, y) for (_, x), (_, y) in zip(got[tag], want[tag])), (what, tag, got[tag], want[tag])

acc = event_accumulator.EventAccumulator(run + "/tb", size_guidance={"scalars": 0})
acc.Reload()
compare({tag: [(e.step, e.value) for e in acc.Scalars(tag)] for tag in acc.Tags()["scalars"]}, "EventAccumulator")
acc = plugin_event_accumulator.EventAccumulator(run + "/tb", tensor_size_guidance={"scalars": 0})
acc.Reload()
tags = acc.PluginTagToContent("scalars")
compare({tag: [(e.step, float(tensor_util.make_ndarray(e.tensor_proto))) for e in acc.Tensors(tag)] for tag in tags}, "plugins")
start = metadata.parse_session_start_info_plugin_data(acc.PluginTagToContent("hparams")[metadata.SESSION_START_INFO_TAG])
print(json.dumps({k: getattr(v, v.WhichOneof("kind")) for k, v in sorted(start.hparams.items())}))
PY
# as_metrics RUN EVERY: the event files of a run hold its metrics
as_metrics() { "$work/venv/bin/python" "$work/read.py" "$work/$1" "$2" >"$work/hparams" 2>"$work/err" || { fail "$1: event files and metrics differ"; tail -1 "$work/err" | cut -c1-300; }; }

config=(configs/tiny/synth.yaml train.epochs=6 +log.tensorboard=true)
"$cak" train "${config[@]}" --progress none --run-dir "$work/plain" hp.lr=3e-4 +engine.fusion=false >/dev/null 2>&1 || fail "train"
as_metrics plain 0
same "$(cat "$work/hparams")" '{"engine.fusion": false, "hp.lr": 0.0003, "name": "synth", "seed": 0.0, "train.epochs": 6.0}' "hyperparameters"

"$cak" train "${config[@]}" --progress none --run-dir "$work/n" hp.lr=1e6 train.guard.abs_loss=inf train.guard.nonfinite=ignore +log.tensorboard_steps=1 >/dev/null 2>&1
grep -q '"nonfinite"' "$work/n/metrics.jsonl" || fail "no value that is not finite"
as_metrics n 1

steps=("${config[@]}" +log.tensorboard_steps=2 train.checkpoint.every_steps=3)
"$cak" train "${steps[@]}" --progress none --run-dir "$work/s" --stop-after 7 >/dev/null 2>&1
"$cak" resume "$work/s" --progress none --stop-after 8 >/dev/null 2>&1
"$cak" resume "$work/s" --progress none >/dev/null 2>&1
as_metrics s 2

RANDOM=7
for trial in $(seq 10); do
    rm -rf "$work/k"
    "$cak" train "${steps[@]}" --progress none --run-dir "$work/k" >/dev/null 2>&1 &
    for kill in 1 2 3; do
        sleep 0.$((RANDOM % 5))$((RANDOM % 10))
        kill -9 $! 2>/dev/null
        wait $! 2>/dev/null
        [ -e "$work/k/plan.txt" ] || continue 2          # killed before the run began: there is nothing to resume
        "$cak" resume "$work/k" --progress none >/dev/null 2>&1 &
    done
    wait $! || fail "trial $trial: resume"
    as_metrics k 2
done
finish
