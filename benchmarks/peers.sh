#!/bin/sh
# Build one environment for each peer of the benchmarks: sh benchmarks/peers.sh FOLDER (about 5 GB, some minutes).
set -eu
folder=${1:?usage: sh benchmarks/peers.sh FOLDER}
python=${PYTHON:-python3.11}
build() {
  name=$1
  shift
  [ -e "$folder/$name/.complete" ] && return
  "$python" -m venv --clear "$folder/$name"
  "$folder/$name/bin/pip" install --quiet --disable-pip-version-check "$@"
  touch "$folder/$name/.complete"
}
mkdir -p "$folder"
build tensorcircuit tensorcircuit-ng jax
build pennylane pennylane pennylane-lightning torch
build qiskit qiskit qiskit-machine-learning
build torch torch
