#!/bin/bash
#SBATCH --job-name=qssl-search
#SBATCH --ntasks=5
#SBATCH --time=08:00:00
# A search for settings: task 0 hands out trials and trains nothing, the others train, each trial on one of them. Submit
# it in a folder that all nodes see: sbatch slurm_search.sh NAME FLAGS OF qssl search
set -euo pipefail
if [ -z "${SLURM_JOB_NODELIST:-}" ] || [ $# -eq 0 ]; then
  echo "slurm_search.sh runs within a job of Slurm; submit it: sbatch slurm_search.sh NAME FLAGS OF qssl search" >&2
  exit 2
fi
export NAME=$1 CHIEF
shift
CHIEF=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1):${FIRST_PORT:-9900}
srun bash -c '
  if [ "$SLURM_PROCID" = 0 ]; then
    exec qssl search --name "$NAME" --role chief --chief "$CHIEF" "$@"
  fi
  until [ -f "searches/$NAME/identity.txt" ]; do sleep 1; done  # the chief has begun
  exec qssl search --resume "searches/$NAME" --role worker --chief "$CHIEF"' qssl "$@"
