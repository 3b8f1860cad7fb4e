#!/usr/bin/env bash
# Every allocation may fail: exit code 7, one message, no crash, nothing half-written. Needs a build with -DCAK_TESTING (else it does nothing).
source "$(dirname "$0")/lib.sh" "$1"

CAK_FAIL_ALLOC=1 "$cak" check configs/tiny/synth.yaml >/dev/null 2>&1
[ $? -eq 7 ] || { echo "no fault injection in this build"; exit 0; }

# fail number 1, 2, 3, ... until the command succeeds; in steps that grow, so that the test stays short
try() {
    local n=1 code
    while :; do
        rm -rf "$work/run"
        CAK_FAIL_ALLOC=$n "$@" >/dev/null 2>"$work/err"
        code=$?
        [ $code -eq 0 ] && break
        [ $code -eq 7 ] && grep -q E4003 "$work/err" || { fail "allocation $n: exit $code: $*"; tail -3 "$work/err"; break; }
        n=$((n + 1 + n / 8))
        [ $n -lt 100000 ] || { fail "never succeeds: $*"; break; }
    done
    echo "$n allocations reached: $*"
}
try "$cak" check --quiet configs/tiny/synth.yaml
try "$cak" train configs/tiny/synth.yaml --progress none --max-steps 1 --run-dir "$work/run"
finish
