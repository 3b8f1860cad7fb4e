#!/usr/bin/env bash
# The example sweep on real sounds, 3 rates x 2 kernels x 4 seeds, twice: undisturbed, and killed with SIGKILL at three random moments, alone or
# with all its runs. Both end with the same bytes. Then the comparison of its arms, with its numbers computed once more by awk.
# usage: tests/full/sweep.sh PROGRAM [EPOCHS]
cd "$(cd "$(dirname "$0")/../.." && pwd)"
source tests/cli/lib.sh "$1"
epochs=${2:-3}
[ -d /usr/share/sonic-pi/samples ] || bash tests/packages sonic-pi-samples
RANDOM=11

# The sweep of the repository, shorter, and its base by an absolute path.
sed -e "s|^base: ../|base: $PWD/configs/|" -e "s|^parameters:|&\n  train.epochs: {value: $epochs}|" \
    configs/sweeps/quickstart_lr_kernel.yaml >"$work/sweep.yaml"
sweep() { "$cak" sweep "$work/sweep.yaml" --sweep-dir "$work/$1" --jobs 2 --threads 1 --progress plain; }

sweep plain >/dev/null 2>"$work/plain.log" || { fail "undisturbed: exit $?"; tail -5 "$work/plain.log"; }
[ "$(grep -c finished "$work/plain/summary.csv")" -eq 24 ] || fail "24 runs finish"

for kill in 1 2 3; do
    setsid "$cak" sweep "$work/sweep.yaml" --sweep-dir "$work/killed" --jobs 2 --threads 1 --progress plain >/dev/null 2>>"$work/killed.log" &
    launcher=$!
    sleep $((15 + RANDOM % 20)).$((RANDOM % 10))
    if [ $kill -eq 2 ]; then                             # the launcher alone: its runs notice and stop
        kill -9 "$launcher"
    else                                                 # everything at once, as when a machine goes down
        pids=$(pgrep -f -- "--run-dir $work/killed/|resume $work/killed/")
        kill -9 "$launcher" $pids 2>/dev/null
    fi
    wait "$launcher" 2>/dev/null
    finished=$(grep -cs ,finished, "$work/killed/summary.csv")
    echo "killed after ${finished:-0} finished runs"
done
sweep killed >/dev/null 2>>"$work/killed.log" || { fail "continued: exit $?"; tail -5 "$work/killed.log"; }
cmp "$work/plain/summary.csv" "$work/killed/summary.csv" || fail "summaries differ"
for run in "$work/plain/runs/"*; do                      # not the table alone: every record and the last state
    other=$work/killed/runs/$(basename "$run")
    same "$(values "$run")" "$(values "$other" | grep -v '"event"')" "$(basename "$run"): metrics differ"
    cmp -s "$run/ckpt/"*.safetensors "$other/ckpt/"*.safetensors || fail "$(basename "$run"): checkpoints differ"
done

"$cak" compare "$work/killed" --metric violations --csv >"$work/arms.csv" || fail "compare"
"$cak" compare "$work/killed" || fail "compare as text"
awk -F, 'NR == FNR { if (FNR == 1) { for (i = 1; i <= NF; i++) at[$i] = i; next }
                     key = ($at["hp.lr"] + 0) "," $at["modules.detector.kernel"]; v = $at["violations"]; n[key]++; sum[key] += v; square[key] += v * v; next }
         FNR == 1  { for (i = 1; i <= NF; i++) column[$i] = i; next }
                   { key = ($column["hp.lr"] + 0) "," $column["modules.detector.kernel"]; mean = sum[key] / n[key]
                     sd = sqrt((square[key] - n[key] * mean * mean) / (n[key] - 1)); arms++
                     d = $column["violations.mean"] - mean; e = $column["violations.sd"] - sd
                     if (n[key] != 4 || d * d > 1e-16 * mean * mean || e * e > 1e-8 * sd * sd) print "arm " key ": " $0, mean, sd }
         END       { if (arms != 6) print arms " arms instead of 6" }' "$work/killed/summary.csv" "$work/arms.csv" >"$work/wrong"
[ -s "$work/wrong" ] && { fail "awk finds other numbers"; cat "$work/wrong"; }
finish
