# Shared by the command-line tests: source it with the path of the program as first argument.
set -uo pipefail
cak=$1
here=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME=$work/cache
failures=0

fail() { echo "FAIL: $*"; failures=$((failures + 1)); }

# expect CODE TEXT COMMAND...: the exit code, and a fixed text in stdout or stderr ("" for any)
expect() {
    local code=$1 text=$2 got
    shift 2
    "$@" >"$work/out" 2>"$work/err"
    got=$?
    [ "$got" -eq "$code" ] || { fail "exit $got instead of $code: $*"; tail -5 "$work/err"; }
    [ -z "$text" ] || grep -qF -- "$text" "$work/out" "$work/err" || { fail "'$text' missing: $*"; tail -5 "$work/err"; }
}

# the values of metrics.jsonl without the wall clock
values() { sed -E 's/"wall":[^,}]*,?//' "$1/metrics.jsonl"; }
same() { [ "$1" = "$2" ] || fail "$3"; }
finish() { [ "$failures" -eq 0 ] && echo "ok"; exit $((failures > 0)); }
