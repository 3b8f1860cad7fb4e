#!/usr/bin/env bash
# Sweeps as job arrays, on a Slurm that is played by a script: submission, interrupted tasks, refusals, odd names.
source "$(dirname "$0")/lib.sh" "$1"
export FAKE=$work/fake
mkdir -p "$FAKE/state" "$work/bin" "$work/empty"
cat >"$work/bin/sbatch" <<'SH'
#!/bin/bash
# sbatch, squeue and scontrol. A task is the file $FAKE/state/JOB_TASK with its state.
option() { sed -n "s/^#SBATCH --$1=//p" "$2"; }
numbers() { for range in $(tr , ' ' <<<"${1%\%*}"); do seq "${range%-*}" "${range#*-}"; done; }
run_task() { # JOB TASK
    local state=$FAKE/state/$1_$2 script=$FAKE/$1.sh
    export SLURM_ARRAY_JOB_ID=$1 SLURM_ARRAY_TASK_ID=$2 SLURM_JOB_ID=$((1000 * $1 + $2)) SLURM_CPUS_PER_TASK
    SLURM_CPUS_PER_TASK=$(option cpus-per-task "$script")
    until [ -e "$state" ] && [ "$(<"$state")" != PENDING ] && [ "$(<"$state")" != REQUEUED ]; do
        echo RUNNING >"$state"
        bash "$script" >>"$FAKE/$1_$2.log" 2>&1 &
        echo $! >"$FAKE/$1_$2.pid"
        wait $!
        echo "$1_$2 $?" >>"$FAKE/ends"
    done
    rm "$state"
}
run_job() {
    local limit
    limit=$(option array "$FAKE/$1.sh" | sed -n 's/.*%//p')
    while [ -e "$FAKE/hold" ]; do sleep 0.02; done
    for task in $(numbers "$(option array "$FAKE/$1.sh")"); do
        while [ "$(jobs -rp | wc -l)" -ge "${limit:-100}" ]; do wait -n; done
        run_task "$1" "$task" &
    done
    wait
    touch "$FAKE/done.$1"
}
case ${0##*/} in
sbatch)
    echo "$*" >>"$FAKE/calls"
    [ ! -e "$FAKE/refuse" ] || { echo "sbatch: error: invalid partition specified: nope" >&2; exit 1; }
    job=$(($(cat "$FAKE/last" 2>/dev/null) + 1))
    echo "$job" >"$FAKE/last"
    cp "$2" "$FAKE/$job.sh"
    for task in $(numbers "$(option array "$2")"); do echo PENDING >"$FAKE/state/${job}_$task"; done
    run_job "$job" >/dev/null 2>&1 &
    echo "sbatch: no limit of time was given" >&2
    echo "$job;here"
    ;;
squeue)
    while [ "$1" != --jobs ]; do shift; done
    found=
    for job in $(tr , ' ' <<<"$2"); do cat "$FAKE"/state/"$job"_* 2>/dev/null && found=yes; done
    [ "$found" ] || { echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1; }
    ;;
scontrol)
    [ "$1" != show ] || echo "JobId=1 JobState=$(cat "$FAKE/state/$3") Reason=None"
    [ "$1" != requeue ] || { echo "$2" >>"$FAKE/requeued"; echo REQUEUED >"$FAKE/state/$2"; }
    ;;
esac
SH
chmod +x "$work/bin/sbatch"
ln -s sbatch "$work/bin/squeue"
ln -s sbatch "$work/bin/scontrol"
real=$PATH
export PATH=$work/bin:$PATH

"$cak" config configs/tiny/synth.yaml train.epochs=6 >"$work/base.yaml" || fail "config"
cat >"$work/four.yaml" <<YAML
base: $work/base.yaml
method: grid
metric: {name: violations, goal: minimize}
parameters: {seed: {range: [0, 4]}}
launcher: {type: slurm, array_limit: 2, threads_per_job: 1, sbatch: {partition: cpu, mem: 8G, time: "04:00:00", comment: 'it''s "new" #1'}}
YAML
dir="$work/it's a \"sweep\" 50%"
submit() { "$cak" sweep "$work/four.yaml" --sweep-dir "$dir" --progress plain "$@"; }
calls() { cat "$FAKE/calls" 2>/dev/null | wc -l; }
wait_for() { # COMMAND...: until it succeeds; when it never does, nothing that follows makes sense
    for _ in $(seq 3000); do "$@" && return; sleep 0.02; done
    fail "waited in vain: $*"
    finish
}
ended() { wait_for test -e "$FAKE/done.$1"; }
cancel() { # JOB_TASK: Slurm ends it
    echo COMPLETING >"$FAKE/state/$1"
    kill -TERM "$(cat "$FAKE/$1.pid")"
}
begun() { run=$(grep -l '"array_task_id": "0"' "$dir"/runs/*/run.json 2>/dev/null | head -1) && grep -qs '"t":"step"' "${run%/*}/metrics.jsonl"; }
both() { [ "$(grep -ls "$1" "$work"/long/runs/*/metrics.jsonl | wc -l)" -eq 2 ]; } # runs of the long sweep with this in their metrics

# nothing is written by --dry-run; the script
expect 0 "#SBATCH --array=0-3%2" submit --dry-run
cp "$work/out" "$work/dry"
[ ! -e "$dir" ] || fail "--dry-run makes the directory"
for line in "#SBATCH --job-name=four" "#SBATCH --cpus-per-task=1" "#SBATCH --signal=B:USR1@120" "#SBATCH --requeue" \
    "#SBATCH --open-mode=append" "#SBATCH --partition=cpu" "#SBATCH --mem=8G" "#SBATCH --time=04:00:00" \
    '#SBATCH "--comment=it'"'"'s \"new\" #1"' \
    "#SBATCH --output=\"$work/it's a \\\"sweep\\\" 50%%/slurm/%A_%a.log\"" \
    "'$cak' agent '$work/it'\\''s a \"sweep\" 50%' --once --threads"; do
    grep -qF -- "$line" "$work/dry" || fail "the script lacks: $line"
done
sed -n '/^#!/,$p' "$work/dry" | bash -n || fail "the script is none"
same "$(sed -n '/^#!/,/^[^#]/p' "$work/dry" | grep -c '^#SBATCH')" 11 "lines for sbatch before the first command"

# no Slurm, and one that refuses: nothing is lost
expect 6 "sbatch cannot be started" env PATH="$work/empty" "$cak" sweep "$work/four.yaml" --sweep-dir "$dir"
grep -q 'E4012' "$work/err" && grep -q 'submits again' "$work/err" || fail "what to do without sbatch"
touch "$FAKE/refuse"
expect 6 "invalid partition specified: nope" "$cak" sweep "$dir" --progress plain
rm "$FAKE/refuse"
same "$(cat "$dir/slurm/jobs.txt")" "" "a refused job is recorded"
same "$(sed -n '/^#!/,$p' "$work/dry")" "$(cat "$dir/slurm/job.sh")" "the script is not that of --dry-run"
printf 'base: %s\nmethod: grid\nparameters: {seed: {values: [0]}}\n' "$work/base.yaml" >"$work/back.yaml"
expect 6 "no path with a backslash" "$cak" sweep "$work/back.yaml" --sweep-dir "$work/back\\slash" --launcher slurm
expect 2 "--launcher takes 'local' or 'slurm', got 'pbs'" submit --launcher pbs

# submitted once; once more only with --force
touch "$FAKE/hold"
expect 0 "job array 1 for 4 points, at most 2 at a time" submit
grep -q 'warning: sbatch: no limit of time was given' "$work/err" || fail "what sbatch says is lost"
same "$(tail -1 "$FAKE/calls")" "--parsable $dir/slurm/job.sh" "arguments of sbatch"
same "$(sed 's/ .*Z / /' "$dir/slurm/jobs.txt")" "1 4 points" "the job is not recorded"
expect 0 "slurm: 0 tasks running, 4 pending" "$cak" sweep status "$dir"
expect 0 '"pending": 4' "$cak" sweep status "$dir" --json
expect 0 "4 waiting" env PATH="$work/empty" "$cak" sweep status "$dir"
grep -q 'slurm:' "$work/out" && fail "tasks are known without squeue"
expect 0 '"slurm": null' env PATH="$work/empty" "$cak" sweep status "$dir" --json
expect 0 "nothing submitted: 0 tasks of the sweep are running and 4 pending" "$cak" sweep "$dir" --progress plain
same "$(calls)" 2 "submitted although tasks are pending"
expect 0 "job array 2 for 4 points, at most 1 at a time" "$cak" sweep "$dir" --progress plain --force --jobs 1
same "$(cut -d' ' -f1 "$dir/slurm/jobs.txt" | xargs)" "1 2" "jobs that are recorded"

# a task gets USR1, is requeued, and the sweep ends as one that runs here
rm "$FAKE/hold"
wait_for begun
kill -USR1 "$(cat "$FAKE/$(sed -n 's/.*"array_job_id": "\([0-9]*\)".*/\1/p' "$run")_0.pid")"
ended 1
ended 2
same "$(wc -l <"$FAKE/requeued")" 1 "tasks that were requeued"
grep -q '^[12]_0 75$' "$FAKE/ends" || fail "the interrupted task does not end with 75"
same "$(grep -vc ' 0$' "$FAKE/ends")" 1 "tasks that do not end with 0"
grep -q '"event":"resume"' "${run%/*}/metrics.jsonl" || fail "the interrupted run was not resumed"
grep -q 'nothing is left to start' "$FAKE"/*.log || fail "tasks without a point"
same "$(cat "$dir"/attempts/*.jsonl | wc -l)" 5 "attempts of four points, one interrupted"
expect 0 "4 points: 4 finished" "$cak" sweep "$dir" --progress plain
same "$(calls)" 3 "an array for points that have ended"
expect 0 "4 finished" submit --launcher local --sweep-dir "$work/here"
cmp -s "$dir/summary.csv" "$work/here/summary.csv" || fail "the summary is not that of a local sweep"
same "$(calls)" 3 "--launcher local submits"

# what Slurm ends itself is not requeued; the next call submits what is left
printf 'base: %s\nmethod: grid\nparameters: {seed: {values: [7, 8]}, train.epochs: {value: 4000}}\n' "$work/base.yaml" >"$work/long.yaml"
expect 0 "job array 3 for 2 points" "$cak" sweep "$work/long.yaml" --sweep-dir "$work/long" --launcher slurm --progress plain --threads 2
grep -q -- '--array=0-1$' "$work/long/slurm/job.sh" || fail "an array without limit"
grep -q -- '--cpus-per-task=2' "$work/long/slurm/job.sh" || fail "--threads"
wait_for both '"t":"step"'
expect 0 "nothing to submit: no point is open, 2 are running" "$cak" sweep "$work/long" --launcher slurm --progress plain
cancel 3_0
cancel 3_1
ended 3
same "$(grep -c '^3_. 75$' "$FAKE/ends")" 2 "tasks that were cancelled"
same "$(wc -l <"$FAKE/requeued")" 1 "a cancelled task is requeued"
expect 0 "2 interrupted" "$cak" sweep status "$work/long"
touch "$FAKE/hold"
expect 0 "job array 4 for 2 points" "$cak" sweep "$work/long" --launcher slurm --progress plain
grep -q 'is not known' "$work/err" && fail "a job that squeue has forgotten is not over"
rm "$FAKE/hold"
wait_for both '"event":"resume"'
cancel 4_0
cancel 4_1
ended 4

# an interrupted task says so even when another takes its point at once: else nobody would requeue it
rival() { until [ -e "$work/stop" ]; do timeout -s USR1 1 "$cak" agent "$work/long" --index 0 --progress none 2>/dev/null; done; }
"$cak" agent "$work/long" --index 0 --progress plain 2>"$work/err" &
agent=$!
wait_for grep -q resumed "$work/err"
rival &
rival &
sleep 0.2
kill -USR1 $agent
wait $agent
same $? 75 "exit code of an agent whose point was taken by another"
touch "$work/stop"
wait

# failed points: each is a task of its own
{ cat "$work/base.yaml"; echo "init_from: /nowhere"; } >"$work/init.yaml"
cat >"$work/bad.yaml" <<YAML
base: $work/init.yaml
method: grid
parameters: {init_from: {values: [/nowhere, "$(ls "$work"/here/runs/*/ckpt/* | head -1)"]}, seed: {range: [0, 2]}}
on_failure: {fail_fast: 1}
launcher: {type: slurm, sbatch: {array: 0-2, no_requeue: true, job_name: mine}}
YAML
expect 0 "job array 5" "$cak" sweep "$work/bad.yaml" --sweep-dir "$work/bad" --progress plain
grep -q 'fail_fast does not stop a job array' "$work/err" || fail "fail_fast without a warning"
grep -q -- '--requeue' "$work/bad/slurm/job.sh" && fail "no_requeue has no effect"
same "$(grep -c -e '--array=0-2$' -e '--job-name=mine$' -e '--array' -e '--job-name' "$work/bad/slurm/job.sh")" 2 "options of the user"
ended 5
same "$(sort "$FAKE/ends" | grep '^5_' | cut -d' ' -f2 | sort -n | xargs)" "0 10 10" "exit codes of tasks"
expect 0 "job array 6 for 3 points" env -C "$work" "$cak" sweep "$work/bad" --launcher slurm --retry failed --progress plain --cache caches
same "$(grep -e --array "$work/bad/slurm/job.sh")" "#SBATCH --array=0-1,3" "tasks are not numbered like their points"
grep -qF -- "--index \"\$SLURM_ARRAY_TASK_ID\" --retry failed --threads \"\$SLURM_CPUS_PER_TASK\" --progress plain --cache '$work/caches'" \
    "$work/bad/slurm/job.sh" || fail "arguments of agents that try again"
ended 6
same "$(cat "$work"/bad/attempts/*.jsonl | wc -l)" 6 "attempts of points that fail"
expect 10 "4 points: 2 finished, 2 failed" "$cak" sweep "$work/bad" --progress plain

# a Slurm that does not answer
printf '#!/bin/bash\necho "slurm_load_jobs error: Unable to contact slurm controller" >&2\nexit 1\n' >"$work/squeue"
chmod +x "$work/squeue"
mv "$work/squeue" "$work/bin/squeue"
rm "$work/bad"/runs/*/run.json
touch "$FAKE/refuse"
expect 6 "Unable to contact slurm controller" "$cak" sweep "$work/bad" --launcher slurm --retry failed --progress plain
export PATH=$real
finish
