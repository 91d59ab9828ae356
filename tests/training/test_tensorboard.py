"""`make tensorboard` lists each run once, although TensorBoard would also follow the link `latest`."""

import os
import subprocess
from pathlib import Path

from tensorboard.backend.event_processing.data_ingester import _parse_event_files_spec
from tensorboard.backend.event_processing.io_wrapper import GetLogdirSubdirectories

from qssl_tf.files.links import point_latest

ROOT = Path(__file__).resolve().parents[2]


def test_each_run_is_listed_once(tmp_path, monkeypatch):
    folders = [tmp_path / "runs" / name / "tensorboard" for name in ("one", "two")]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "events.out.tfevents.1.host").touch()
        point_latest(folder.parent)
    dry = ["make", "--dry-run", "--no-print-directory", "tensorboard"]
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKEOVERRIDES", "ARGS")
    }
    result = subprocess.run(dry, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60)
    command = result.stdout.splitlines()[-1]
    logdirs = subprocess.run(
        ["sh", "-c", command.replace(".venv/bin/tensorboard --logdir_spec", "echo")], cwd=tmp_path, capture_output=True,
        text=True, check=True, timeout=60,
    ).stdout.strip()  # fmt: skip
    monkeypatch.chdir(tmp_path)
    listing = {name: list(GetLogdirSubdirectories(path)) for path, name in _parse_event_files_spec(logdirs).items()}
    assert listing == {folder.parent.name: [str(folder)] for folder in folders}
    newest = list(GetLogdirSubdirectories(str(tmp_path / "runs" / "latest")))
    assert newest == [str(tmp_path / "runs" / "latest" / "tensorboard")]
    assert len(list(GetLogdirSubdirectories(str(tmp_path / "runs")))) == 3  # why not --logdir runs
