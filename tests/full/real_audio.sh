#!/usr/bin/env bash
# The quickstart on its real corpus: same metrics for 1, 2 and 3 threads and after kills; the scale falls nearly linearly; one batch of the
# paper's experiment (16 x 1 x 1025 x 1292) with planned and real memory.
here=$(cd "$(dirname "$0")/../.." && pwd)
cd "$here"
source tests/cli/lib.sh "$1"
bash tests/packages sonic-pi-samples warzone2100-music time

quick() { "$cak" train configs/quickstart.yaml --progress none --max-steps 25 train.checkpoint.every_steps=4 "$@" >/dev/null 2>"$work/err" || { fail "$*"; cat "$work/err"; }; }
for n in 1 2 3; do quick --run-dir "$work/t$n" --threads $n; done
same "$(values "$work/t1")" "$(values "$work/t2")" "1 and 2 threads differ"
same "$(values "$work/t1")" "$(values "$work/t3")" "1 and 3 threads differ"
grep -q nonfinite "$work/t1/metrics.jsonl" && fail "a metric is not finite"

"$cak" train configs/quickstart.yaml --progress none --max-steps 25 train.checkpoint.every_steps=4 --run-dir "$work/k" >/dev/null 2>&1 &
for pause in 6 4; do
    sleep $pause
    kill -9 $! 2>/dev/null
    wait $! 2>/dev/null
    "$cak" resume "$work/k" --progress none >/dev/null 2>&1 &
done
wait $!
same "$(values "$work/t1")" "$(values "$work/k" | grep -v '"event"')" "metrics differ after kills"

echo "-- one batch of the paper's experiment"
/usr/bin/time -f '%M' -o "$work/rss" "$cak" train configs/cak_paper.yaml --progress none --max-steps 1 --run-dir "$work/paper" >/dev/null 2>"$work/err" || { fail "paper"; cat "$work/err"; }
grep planned "$work/err"
echo "real peak: $(($(tail -1 "$work/rss") / 1024)) MiB"
finish
