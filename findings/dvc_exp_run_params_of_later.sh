#!/usr/bin/env bash
# `dvc exp run` records params.yaml as it is when the run ends, not as it was when the stages ran.
#
# Versions: Python 3.11, dvc 3.67.1 with pathspec 0.12.1 and fsspec 2025.10.0.
#
# Behaviour: two stages, each with a parameter of its own. While the second one runs, somebody edits
# the parameter of the first one, which is done, for the next try. The experiment that DVC then
# saves has the edited value in params.yaml and in `dvc exp show`, beside the result that the first
# value made. Its dvc.lock still has the first value. DVC says nothing, and exits with 0.
#
# Why it hurts: a table of experiments is read by its parameters. A long training is when people
# prepare the next one.
#
# Seen:
#   result: rate 0.1
#   params.yaml of the experiment: {'train': {'rate': 0.5}, 'report': {'title': 'a'}}
#   dvc.lock of the experiment: 0.1
#   params.rate in dvc exp show: 0.5
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    dvc==3.67.1 pathspec==0.12.1 fsspec==2025.10.0
export PATH="$folder/venv/bin:$PATH" DVC_NO_ANALYTICS=1 HOME="$folder"

mkdir "$folder/project"
cd "$folder/project"
git init --quiet
git config user.name somebody
git config user.email somebody@localhost
dvc init --quiet
cat > params.yaml <<'YAML'
train: {rate: 0.1}
report: {title: a}
YAML
cat > train.py <<'PYTHON'
from ruamel.yaml import YAML

rate = YAML(typ="safe").load(open("params.yaml"))["train"]["rate"]
open("model.txt", "w").write(f"rate {rate}\n")
PYTHON
cat > report.py <<'PYTHON'
import pathlib
import time

pathlib.Path("started").touch()
while not pathlib.Path("go_on").exists():
    time.sleep(0.1)
pathlib.Path("report.txt").write_text("a\n")
PYTHON
cat > dvc.yaml <<'YAML'
stages:
  train:
    cmd: python train.py
    params: [train]
    outs: [model.txt: {cache: false}]
  report:
    cmd: python report.py
    deps: [model.txt]
    params: [report]
    outs: [report.txt: {cache: false}]
YAML
printf 'started\ngo_on\n' > .gitignore
git add --all
git commit --quiet --message Start

dvc exp run --quiet --name tried &
run=$!
while [ ! -e started ]; do sleep 0.1; done
sed -i 's/rate: 0.1/rate: 0.5/' params.yaml  # for the next try
touch go_on
wait "$run"

python - <<'PYTHON'
import json
import subprocess
import sys

from ruamel.yaml import YAML

yaml = YAML(typ="safe")


def said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


name = said("git", "for-each-ref", "--format=%(refname)", "refs/exps/").split()
(experiment,) = [ref for ref in name if ref.endswith("/tried")]
result = said("git", "show", f"{experiment}:model.txt").strip()
params = yaml.load(said("git", "show", f"{experiment}:params.yaml"))
lock = yaml.load(said("git", "show", f"{experiment}:dvc.lock"))
locked = lock["stages"]["train"]["params"]["params.yaml"]["train"]["rate"]
rows = said("dvc", "exp", "show", "--csv").splitlines()
columns = rows[0].split(",")
(row,) = [line.split(",") for line in rows if ",tried," in line or line.startswith("tried,")]
shown = row[columns.index("train.rate")]
print("result:", result)
print("params.yaml of the experiment:", params)
print("dvc.lock of the experiment:", locked)
print("params.rate in dvc exp show:", shown)
found = (result, params["train"]["rate"], locked, float(shown))
sys.exit(0 if found == ("rate 0.1", 0.5, 0.1, 0.5) else "The behaviour is not as described.")
PYTHON
