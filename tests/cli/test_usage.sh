#!/usr/bin/env bash
# Wrong use of the command line: exit code 2, a message, a suggestion.
source "$(dirname "$0")/lib.sh" "$1"

expect 0 "usage: cak COMMAND" "$cak" --help
expect 0 "cak 0." "$cak" --version
expect 2 "usage: cak COMMAND" "$cak"
grep -qxF "cak: error: COMMAND is missing [E5001]" "$work/err" || fail "what is missing is not said"
grep -qxF "Try 'cak --help'." "$work/err" || fail "no hint to --help without a command"
expect 2 "did you mean 'train'?" "$cak" trian
grep -qxF "Try 'cak --help'." "$work/err" || fail "no hint to --help after an unknown command"
expect 2 "unknown command 'bogus' [E5001]" "$cak" bogus
for verb in train resume check config nodes graph preprocess ls show inspect; do
    expect 0 "usage: cak $verb" "$cak" "$verb" --help
    expect 2 "" "$cak" "$verb" --no-such-option
done
expect 2 "did you mean --threads?" "$cak" train --thread 2 configs/tiny/synth.yaml
expect 2 "CONFIG is missing" "$cak" train
expect 2 "CONFIG is missing" "$cak" check
expect 2 "needs a value" "$cak" train configs/tiny/synth.yaml --runs
for bad in 0 -1 1000000 x ""; do expect 2 "E5001" "$cak" train configs/tiny/synth.yaml --threads "$bad"; done
expect 2 "--progress needs" "$cak" train configs/tiny/synth.yaml --progress fancy
expect 2 "did you mean 'conv2d'?" "$cak" nodes conv2
expect 2 "unknown format" "$cak" graph configs/tiny/synth.yaml --format gif
expect 2 "unknown view 'progam'; known: before, after, program, all" "$cak" graph configs/tiny/synth.yaml --show progam
for format in dot svg; do expect 2 "shown as text, not as $format" "$cak" graph configs/tiny/synth.yaml --show program --format $format; done
expect 2 "needs a value" "$cak" graph configs/tiny/synth.yaml --show
for verb in train check graph; do
    expect 0 "--reference " "$cak" "$verb" --help
    expect 2 "takes no value" "$cak" "$verb" configs/tiny/synth.yaml --reference=true
done
expect 2 "unknown option" "$cak" resume --reference "$work"
expect 2 "there is no phase 'crtic'; did you mean 'critic'?" "$cak" graph configs/tiny/synth.yaml --phase crtic
expect 0 '"name": "cak"' "$cak" nodes cak --json
expect 0 "y = x + D(x) * c * sigmoid((c - tau) * temperature) * scale" "$cak" nodes cak
expect 0 "gradient_penalty" "$cak" nodes
expect 2 "E4011" "$cak" show "$work"
expect 2 "E4011" "$cak" resume "$work"

"$cak" nodes >/dev/full 2>"$work/err"
[ $? -eq 6 ] || fail "a full standard output is not exit code 6"

# a reader that has seen enough is no error; what else cannot be written is one
unread() { # COMMAND...: its reader ends after a line
    "$cak" "$@" 2>"$work/err" | head -1 >/dev/null
    local code=${PIPESTATUS[0]}
    [ "$code" -eq 0 ] || fail "exit $code into a closed pipe: $*"
    [ -s "$work/err" ] && { fail "not silent into a closed pipe: $*"; cat "$work/err"; }
}
unread graph configs/cak_paper.yaml # more than a pipe holds
unread nodes --json
"$cak" graph configs/tiny/synth.yaml --format dot >/dev/full 2>"$work/err"
[ $? -eq 6 ] || fail "a full standard output is not exit code 6"
if command -v dot >/dev/null; then
    unread graph configs/tiny/synth.yaml --phase generator --show before --format svg
    "$cak" graph configs/tiny/synth.yaml --phase generator --show before --format svg >/dev/full 2>"$work/err"
    [ $? -eq 6 ] || fail "a full standard output of 'dot' is not exit code 6"
fi
"$cak" nodes >&- 2>/dev/null || fail "a closed standard output must not matter"
finish
