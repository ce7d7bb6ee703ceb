#!/usr/bin/env bash
# Builds the wheel, installs it into an empty environment outside the clone, and uses it from another folder.
set -euo pipefail
cd "$(dirname "$0")/.."
clone=$PWD python=${PYTHON:-$PWD/.venv/bin/python} work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m build --no-isolation --outdir "$work/dist" . >"$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }
wheel=$(echo "$work"/dist/*.whl)
size=$(wc -c <"$wheel")
echo "$(basename "$wheel"): $size bytes"
test "$size" -lt 10000000

"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --disable-pip-version-check --quiet -c "$clone/constraints.txt" "$wheel"

mkdir "$work/elsewhere"
cd "$work/elsewhere"
export PATH="$work/venv/bin:$PATH" XDG_CACHE_HOME="$work/cache"
unset PYTHONPATH
polyinv --version
polyinv simulate --random 5 --method deterministic --out x.csv
# Rows of it, of which the recipe is asked for.
python -c "import pandas as pd; pd.read_csv('x.csv').drop(columns=['cBA_0', 'cAIBN_0', 'temp', 'time']).tail(3).to_csv('rows.csv', index=False)"
polyinv predict rows.csv --out answers.csv
test "$(wc -l <answers.csv)" -eq 4
polyinv train --config mlp.yaml --config table.yaml --output run --split.share 0.1 --model.training.max_epochs 1
python -c "import polyinv; print(polyinv.load().folder)"
echo "the wheel works outside the clone"
