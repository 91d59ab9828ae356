#!/bin/bash
#SBATCH --job-name=qssl
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --time=01:00:00
#SBATCH --signal=TERM@120
# One run on all nodes of a job. Submit it in a folder that all nodes see: sbatch slurm.sh FLAGS OF qssl pretrain
# Two minutes before its time is up, Slurm sends TERM: the run then keeps its state, and sbatch slurm.sh --resume RUN
# goes on.
set -euo pipefail
if [ -z "${SLURM_JOB_NODELIST:-}" ]; then
  echo "slurm.sh runs within a job of Slurm, and this is none; submit it: sbatch slurm.sh FLAGS OF qssl pretrain" >&2
  exit 2
fi
first_port=${FIRST_PORT:-9851}
# Slurm lists nodes in the order of its task numbers. Each worker has a port of its own.
WORKERS=$(scontrol show hostnames "$SLURM_JOB_NODELIST" |
  awk -v port="$first_port" '{ printf "%s%s:%d", (NR > 1 ? "," : ""), $1, port + NR - 1 }')
export WORKERS
srun --kill-on-bad-exit=1 bash -c '
  exec qssl pretrain --strategy multi_worker --workers "$WORKERS" --worker-number "$SLURM_PROCID" "$@"' qssl "$@"
