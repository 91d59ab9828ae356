#!/bin/sh
# Build one environment for each peer of the benchmarks, from benchmarks/pins/NAME.txt into FOLDER/NAME; one whose pins
# have changed is built anew: sh benchmarks/peers.sh FOLDER (about 5 GB, some minutes).
set -eu
folder=${1:?usage: sh benchmarks/peers.sh FOLDER}
python=${PYTHON:-python3.11}
mkdir -p "$folder"
for pins in "$(dirname "$0")"/pins/*.txt; do
  name=$(basename "$pins" .txt)
  cmp -s "$pins" "$folder/$name/.complete" && continue
  echo "building $folder/$name"
  "$python" -m venv --clear "$folder/$name"
  "$folder/$name/bin/pip" install --quiet --disable-pip-version-check --requirement "$pins"
  cp "$pins" "$folder/$name/.complete"
done
