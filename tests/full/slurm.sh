#!/usr/bin/env bash
# Sweeps on a real Slurm: one node, without systemd, with all its files in a temporary directory. Tasks are interrupted, requeued, cancelled.
here=$(cd "$(dirname "$0")/../.." && pwd)
cd "$here"
source tests/cli/lib.sh "$1"
[ "$(id -u)" -eq 0 ] || { echo "skipped: only root can run the daemons of Slurm"; exit 0; }
bash tests/packages slurm-wlm munge >"$work/packages" 2>&1 || { echo "skipped: Slurm cannot be installed here: $(tail -1 "$work/packages")"; exit 0; }

# ---- the cluster ----

cluster=$work/cluster
host=$(hostname -s)
export SLURM_CONF=$cluster/slurm.conf
wait_for() { # SECONDS COMMAND...
    for _ in $(seq $((10 * $1))); do "${@:2}" && return; sleep 0.1; done
    fail "waited in vain for: ${*:2}"
    tail -5 "$cluster"/*.log 2>/dev/null
    finish
}
stop() { # the daemon of this pid file
    local pid
    pid=$(cat "$cluster/$1.pid" 2>/dev/null) || return
    kill "$pid" 2>/dev/null
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || return; sleep 0.1; done
    kill -KILL "$pid"
}
no_job() { [ -z "$(squeue --noheader 2>/dev/null)" ]; }
down() {
    touch "$work/over"
    scancel --user=root 2>/dev/null
    for _ in $(seq 100); do no_job && break; sleep 0.1; done
    stop slurmd
    stop slurmctld
    stop munged
    rm -rf "$work"
}
trap down EXIT
trap 'exit 130' INT TERM

free_port() {
    local port
    while port=$((20000 + RANDOM % 20000)); (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo $port
}
mkdir -p "$cluster/state" "$cluster/spool"
chmod 711 "$work" # munged wants its socket to be within everybody's reach
(umask 077 && head -c 1024 /dev/urandom >"$cluster/munge.key")
# More processors than there may be, so that only the limit of the array holds tasks back; a requeued job waits for cred_expire seconds.
cat >"$SLURM_CONF" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$cluster/munge.socket,cred_expire=5
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
KillWait=20
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd.pid
SlurmctldLogFile=$cluster/slurmctld.log
SlurmdLogFile=$cluster/slurmd.log
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=6 RealMemory=1000 State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
# slurmd looks for a control group even where no plugin uses one; without systemd it needs a place of its own below version 2.
printf 'CgroupPlugin=autodetect\nIgnoreSystemd=yes\n' >"$cluster/cgroup.conf"
[ ! -e /sys/fs/cgroup/cgroup.controllers ] || mkdir -p /sys/fs/cgroup/system.slice
munged --socket="$cluster/munge.socket" --key-file="$cluster/munge.key" --pid-file="$cluster/munged.pid" \
    --log-file="$cluster/munged.log" --seed-file="$cluster/munged.seed" || { fail "munged"; finish; }
slurmctld || { fail "slurmctld"; finish; }
slurmd || {
    why=$(grep -m1 'fatal:.*cgroup' "$cluster/slurmd.log") && { echo "skipped: $why"; exit 0; }
    fail "slurmd"
    finish
}
idle() { [ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ]; }
wait_for 60 idle

# ---- six points, two at a time, one task interrupted ----

"$cak" config configs/tiny/synth.yaml train.epochs=40 >"$work/base.yaml" || fail "config"
cat >"$work/six.yaml" <<YAML
base: $work/base.yaml
method: grid
metric: {name: violations, goal: minimize}
parameters:
  train.phases.critic.optimizer.lr: {values: [1e-4, 1e-3, 1e6]}
  seed: {range: [0, 2]}
launcher: {type: slurm, array_limit: 2, threads_per_job: 1, sbatch: {time: "00:10:00", comment: "it's \"new\" #1"}}
YAML
dir="$work/it's a \"sweep\" 50%"
expect 0 "job array 1 for 6 points, at most 2 at a time" "$cak" sweep "$work/six.yaml" --sweep-dir "$dir" --progress plain
until [ -e "$work/over" ]; do squeue --noheader --states=RUNNING --format=%i | wc -l; sleep 0.1; done >"$work/running" 2>/dev/null &
job_of() { sed -n "s/.*\"$2\": \"\([0-9]*\)\".*/\1/p" "$1/run.json"; } # RUN KEY
begun() { # a run that has taken some steps and takes more
    run=$(grep -l '"state": "running"' "$dir"/runs/*/run.json 2>/dev/null | head -1)
    run=${run%/*}
    [ "$run" ] && grep -qs '"step":5' "$run/metrics.jsonl" && task=$(job_of "$run" array_task_id) && [ "$task" ]
}
wait_for 60 begun
# While other tasks of the array are pending, scancel sends the signal, gets an error nevertheless, and would soon try again.
timeout 2 scancel --signal=USR1 --batch "$(job_of "$run" job_id)"
expect 0 "slurm: " "$cak" sweep status "$dir"
expect 0 "nothing submitted" "$cak" sweep "$dir" --progress plain
wait_for 200 no_job
touch "$work/over"
wait

same "$(sort -n "$work/running" | tail -1)" 2 "tasks at a time, at most"
grep -q '"event":"resume"' "$run/metrics.jsonl" || fail "the interrupted run was not resumed"
same "$(cat "$dir"/runs/*/metrics.jsonl | grep -c '"event":"resume"')" 1 "runs that were resumed"
same "$(grep -l '"exit":75' "$dir"/attempts/* | wc -l)" 1 "points that were interrupted"
same "$(cat "$dir"/attempts/* | wc -l)" 7 "attempts of six points, one of them interrupted"
same "$(grep -c ' started \| resumed ' "$dir/slurm/1_$task.log")" 2 "points of the requeued task, in one log"
same "$(ls "$dir/slurm" | xargs)" "1_0.log 1_1.log 1_2.log 1_3.log 1_4.log 1_5.log job.sh jobs.txt" "files of the job"
same "$(grep -l '"array_job_id": "1"' "$dir"/runs/*/run.json | wc -l)" 6 "runs that name their job"

expect 0 "6 points: 4 finished, 2 diverged" "$cak" sweep "$dir" --progress plain
expect 0 "6 points: 4 finished, 2 diverged" "$cak" sweep "$work/six.yaml" --sweep-dir "$work/here" --launcher local --progress plain
cmp "$dir/summary.csv" "$work/here/summary.csv" || fail "the summary is not that of a local sweep"
for one in "$work"/here/runs/*; do
    same "$(values "$one")" "$(values "$dir/runs/${one##*/}" | grep -v '"event":"resume"')" "metrics of ${one##*/} differ from those of a local sweep"
done

# ---- time runs out, again and again; what is cancelled stays so ----

cat >"$work/long.yaml" <<YAML
base: $work/base.yaml
method: grid
parameters: {seed: {values: [0]}, train.epochs: {value: 100000}}
launcher: {type: slurm, sbatch: {time: "00:01:00", signal: B:USR1@55}}
YAML
expect 0 "job array " "$cak" sweep "$work/long.yaml" --sweep-dir "$work/long" --progress plain
again() { grep -qs '"event":"resume"' "$work"/long/runs/*/metrics.jsonl; }
wait_for 150 again
grep -q '"exit":75' "$work"/long/attempts/* || fail "a task whose time was nearly over does not end with 75"
scancel --user=root
wait_for 60 no_job
sleep 7 # as long as a requeued job would wait
no_job || fail "a cancelled task has come back"
expect 0 "1 interrupted" "$cak" sweep status "$work/long"

# ---- a refusal ----

sed -i 's/signal: .*}}/partition: nope}}/' "$work/long.yaml"
expect 6 "invalid partition specified: nope" "$cak" sweep "$work/long.yaml" --sweep-dir "$work/refused" --progress plain
finish
