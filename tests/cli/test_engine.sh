#!/usr/bin/env bash
# The section `engine`: read as other sections are, shown, recorded, kept by a resume; its short form --reference.
source "$(dirname "$0")/lib.sh" "$1"
config=configs/tiny/synth.yaml
wide='modules.critic.channels=[16, 32, 32]' # blocks of channels pay

# a file of one's own: the switches are keys like any other
cp -r configs/model configs/critic configs/game "$work/"
mkdir "$work/tiny"
{ cat $config; printf 'engine: {slices: true, fusion: false}\n'; } >"$work/tiny/own.yaml"
expect 0 "engine: without fusion" "$cak" check "$work/tiny/own.yaml"
expect 0 "engine: without slices, fusion" "$cak" check "$work/tiny/own.yaml" engine.slices=false
expect 0 "  fusion: true" "$cak" config "$work/tiny/own.yaml" engine.fusion=true
"$cak" check "$work/tiny/own.yaml" engine.fusion=true | grep -q "^engine" && fail "the usual engine is mentioned"
expect 0 "engine: reference" "$cak" check "$work/tiny/own.yaml" --reference
sed -i 's/fusion:/fuson:/' "$work/tiny/own.yaml"
expect 3 "unknown key 'fuson' in engine; did you mean 'fusion'? [E1203]" "$cak" check "$work/tiny/own.yaml"
grep -qF "known keys: slices, fusion, layout, algebra, reference" "$work/err" || fail "the known keys are not listed"
sed -i 's/^engine:.*/engine: 3/' "$work/tiny/own.yaml"
for verb in check graph train; do expect 3 "\`engine\` must be a mapping [E1201]" "$cak" $verb "$work/tiny/own.yaml"; done
expect 3 "is a single value and has no keys" "$cak" check "$work/tiny/own.yaml" --reference
expect 3 "expected true or false, got 'maybe' [E1201]" "$cak" check $config +engine.fusion=maybe
expect 3 "a new key is added with '+engine.fusion=false'" "$cak" check $config engine.fusion=false

# every view of every mode
graph() { "$cak" graph $config "$wide" "$@" || fail "graph $*"; }
for off in slices fusion layout algebra; do
    expect 0 "engine: without $off" "$cak" check $config "+engine.$off=false"
    graph --show after >"$work/with"
    graph --show after "+engine.$off=false" >"$work/without"
    case $off in
    fusion) cmp -s "$work/with" "$work/without" || fail "$off: the graph changes" ;;
    *) cmp -s "$work/with" "$work/without" && fail "$off: the graph does not change" ;;
    esac
    graph --show program >"$work/with"
    graph --show program "+engine.$off=false" >"$work/without"
    cmp -s "$work/with" "$work/without" && fail "$off: the program does not change"
    graph --show before >"$work/with"
    graph --show before "+engine.$off=false" >"$work/without"
    cmp -s "$work/with" "$work/without" || fail "$off: the graph before the passes changes"
done
graph --show program >"$work/program"
sed '/^[^#]/,$d' "$work/program" >"$work/legend"
for text in step offset first-last "'-'" slab folds round "Special samples" Mixed; do
    grep -qF -- "$text" "$work/legend" || fail "the legend of a program does not explain $text"
done
graph --show after | grep -q '^#' && fail "a legend of a program where none is shown"
expect 0 "for each slice of special samples" "$cak" graph $config --show program
expect 0 "wino_forward" "$cak" graph $config "$wide" --show after
graph --show before >"$work/before"
grep -q "wino_forward" "$work/before" && fail "Winograd before the passes"
grep -q " = draw" "$work/before" || fail "the mixture of the gradient penalty is missing"
graph --show before --phase generator >"$work/before"
grep -q "^out g_loss = " "$work/before" || fail "the results have no names before the passes"
grep -q "generator.scale" "$work/before" || fail "a phase lacks its parameters before the passes"
grep -q " = draw" "$work/before" && fail "a phase shows what another one needs"
graph --reference | grep -v '^#' >"$work/reference"
grep -qE "wino|for each slice" "$work/reference" && fail "the reference is rewritten or sliced"
{ graph --show after; echo; graph --show program; } >"$work/parts"
graph >"$work/whole"
cmp -s "$work/parts" "$work/whole" || fail "not shown by default: graph after the passes and program"
expect 0 "digraph" "$cak" graph $config --show before --format dot

# a run: same bits for any thread count (of the other modes: tests/experiments/test_engine_both.c), recorded, kept by a resume
run() { "$cak" train $config "$wide" data.batch.batch=3 --progress none --run-dir "$work/$1" "${@:2}" >/dev/null 2>"$work/err"; }
for mode in slices=false fusion=false layout=false algebra=false reference=true; do
    run $mode "+engine.$mode" --max-steps 2 --threads 1 || { fail "train with $mode"; tail -3 "$work/err"; }
    grep -qF "  ${mode/=/: }" "$work/$mode/config.yaml" || fail "$mode is not in config.yaml"
done
short() { run "$1" --reference --max-steps 2 --threads 2 "${@:2}"; }
short short || fail "train --reference"
same "$(values "$work/short")" "$(values "$work/reference=true")" "--reference is not engine.reference=true, or threads change it"
grep -qxF "++engine.reference=true" "$work/short/overrides.txt" || fail "--reference is not among the overrides"
short stopped --stop-after 1
[ $? -eq 75 ] || fail "a stop is not exit code 75"
expect 0 "" "$cak" resume "$work/stopped" --progress none
same "$(values "$work/short")" "$(values "$work/stopped" | grep -v '"event"')" "a resume leaves the reference mode"
finish
