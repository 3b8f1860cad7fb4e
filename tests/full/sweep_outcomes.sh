#!/usr/bin/env bash
# Twelve points on real sounds, of which one has no corpus, one diverges and one is killed from outside: each is called what it is, the others
# are as if they had been trained alone. A mistake in one configuration stops the sweep before the first run.
cd "$(cd "$(dirname "$0")/../.." && pwd)"
source tests/cli/lib.sh "$1"
[ -d /usr/share/sonic-pi/samples ] || bash tests/packages sonic-pi-samples
cp -r configs "$work/configs"
mkdir "$work/configs/arm"
arm() { cat >"$work/configs/arm/$1.yaml"; }
good="0 1 2 3 4 5 6 7 8"
for seed in $good; do arm "good$seed" <<<"seed: $seed"; done
arm silent <<<"data: {clips: {path: /nowhere/sounds}}"
arm wild <<<"hp: {lr: 10}"
arm victim <<<"train: {epochs: 10}"
sed -e 's|^  - _self_|  - _self_\n  - arm: good0|' -e 's|epochs: 20|epochs: 1|' configs/quickstart.yaml >"$work/configs/base.yaml"
cat >"$work/twelve.yaml" <<YAML
base: configs/base.yaml
method: grid
parameters: {arm: {values: [silent, wild, victim, $(sed 's/ /, good/g; s/^/good/' <<<"$good")]}}
YAML

# a mistake in one of the twelve: nothing is started, nothing is left
arm good8 <<<"train: {epochz: 8}"
expect 3 "unknown key 'epochz'" "$cak" sweep "$work/twelve.yaml" --sweep-dir "$work/twelve"
[ -e "$work/twelve" ] && fail "a sweep with a mistake leaves a directory"
arm good8 <<<"seed: 8"

"$cak" sweep "$work/twelve.yaml" --sweep-dir "$work/twelve" --jobs 2 --threads 1 --progress plain 2>"$work/log" &
launcher=$!
for i in $(seq 600); do
    victim=$(pgrep -f -- "train .*arm=victim")
    [ -n "$victim" ] && grep -qs '"t":"epoch"' "$work"/twelve/runs/*/metrics.jsonl && break
    sleep 0.1
done
kill -9 $victim || fail "no victim"
wait $launcher
code=$?
tail -12 "$work/log"
[ $code -eq 10 ] || fail "exit code $code instead of 10"
state() { awk -F, -v arm="$1" '$2 == arm { print $3 }' "$work/twelve/summary.csv"; }
same "$(state silent)" failed "a run without corpus"
same "$(state wild)" diverged "a run with a rate of 10"
same "$(state victim)" killed "a run that was killed"
for seed in $good; do
    same "$(state good$seed)" finished "good$seed"
    alone=$("$cak" train "$work/configs/base.yaml" "arm=good$seed" --progress none --runs "$work/alone" 2>/dev/null)
    id=$(awk -F, -v arm="good$seed" '$2 == arm { print $1 }' "$work/twelve/summary.csv")
    same "$(values "$alone")" "$(values "$work/twelve/runs/$id")" "good$seed: a run of a sweep differs from one alone"
done
grep -q "no corpus\|/nowhere/sounds" "$work/log" || fail "the summary does not say what was missing"

# the killed one goes on where it was, the failed one only when asked for
expect 10 "" "$cak" sweep "$work/twelve" --progress none
same "$(state victim)" finished "a killed run goes on"
same "$(state silent)" failed "a failed run stays failed"
finish
