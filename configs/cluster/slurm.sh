#!/usr/bin/env bash
# A Ray cluster inside one Slurm job, requeued until the archive is done.
#
#   sbatch --export=ALL,SRC=/archive/in,OUT=/archive/out configs/cluster/slurm.sh
#
# Submit it from the folder of the installed project (make install); that folder, SRC and OUT must
# be on a file system which all nodes see. PYTHON names another interpreter than .venv's, ARGS more
# options of the job.
#
# Checked: with shellcheck, and with stand-ins for srun and scontrol that run a Ray head, a worker and
# the job on one machine. Not run under Slurm itself: no cluster was at hand.
#SBATCH --job-name=colorize
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=1
#SBATCH --mem=32G
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@120
set -euo pipefail

: "${SRC:?the archive: sbatch --export=ALL,SRC=...,OUT=...}" "${OUT:?the output folder}"
PYTHON=${PYTHON:-$PWD/.venv/bin/python}
RAY=$(dirname "$PYTHON")/ray
CPUS=${SLURM_CPUS_PER_TASK:-1}
GPUS=${SLURM_GPUS_ON_NODE:-0}
PORT=$((20000 + SLURM_JOB_ID % 20000))

# Other users reach these nodes: only holders of this job's token may submit work.
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN
RAY_AUTH_TOKEN=$("$PYTHON" -c 'import secrets; print(secrets.token_hex(32))')
export RAY_USAGE_STATS_ENABLED=0

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head_ip=$(srun --nodes=1 --ntasks=1 -w "${nodes[0]}" hostname --ip-address | awk '{print $1}')
common=(--num-cpus="$CPUS" --num-gpus="$GPUS" --object-store-memory=200000000 --block)

srun --nodes=1 --ntasks=1 --overlap -w "${nodes[0]}" \
    "$RAY" start --head --node-ip-address="$head_ip" --port="$PORT" \
    --include-dashboard=false "${common[@]}" &
export RAY_ADDRESS=$head_ip:$PORT
for _ in $(seq 60); do
    if "$RAY" health-check --address "$RAY_ADDRESS" >/dev/null 2>&1; then break; fi
    sleep 1
done
"$RAY" health-check --address "$RAY_ADDRESS" || { echo "the Ray head did not start" >&2; exit 1; }
for node in "${nodes[@]:1}"; do
    srun --nodes=1 --ntasks=1 --overlap -w "$node" \
        "$RAY" start --address="$RAY_ADDRESS" "${common[@]}" &
done

device=cpu workers=$((CPUS * ${#nodes[@]}))
if [ "$GPUS" -gt 0 ]; then
    device=cuda workers=$((GPUS * ${#nodes[@]}))
fi
read -ra extra <<<"${ARGS:-}"
"$PYTHON" -m jobs.colorize_archive "$SRC" --out "$OUT" --device "$device" --workers "$workers" \
    "${extra[@]}" &
job=$!
# Slurm's warning before the time limit: the job drains, then exits with 75.
warned=0
trap 'warned=1; kill -TERM "$job" 2>/dev/null' TERM
code=0
wait "$job" || code=$?
if [ "$warned" -eq 1 ]; then
    # The signal ended the first wait, not the job. 127: it was over already.
    again=0
    wait "$job" || again=$?
    if [ "$again" -ne 127 ]; then code=$again; fi
fi
jobs -p | xargs --no-run-if-empty kill 2>/dev/null || true

if [ "$code" -eq 75 ]; then
    echo "not finished: requeued"
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
