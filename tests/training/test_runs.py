import dataclasses
import json
import os
from importlib import metadata
from pathlib import Path

import pytest

from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.files.links import point_latest
from qssl_tf.training.runs import choose_step, create_run, newest_run, open_run


def make(folder, name="one", **settings):
    return create_run(Config(**settings), folder, name, "digits")


def test_a_run_reopens_with_its_settings(tmp_path):
    run = make(tmp_path, width=5, seed=3)
    assert open_run(run.folder).config == Config(width=5, seed=3)
    versions = json.loads((run.folder / "versions.json").read_text())
    assert versions["dataset"] == "digits" and versions["tensorflow"] == metadata.version("tensorflow")


def test_latest_points_to_the_newest(tmp_path):
    make(tmp_path, "one")
    for run in (open_run(tmp_path / "one"), make(tmp_path, "two", seed=2)):
        point_latest(run.folder)
    assert newest_run(tmp_path).folder == tmp_path / "two"
    assert os.readlink(tmp_path / "latest") == "two"


def test_generated_names_are_descriptive_and_unique(tmp_path):
    names = [create_run(Config(seed=4), tmp_path, None, "digits").folder.name for _ in range(3)]
    assert len(set(names)) == 3 and all(name.startswith("digits-ring-s4-20") for name in names)


def test_an_existing_folder_is_never_overwritten(tmp_path):
    run = make(tmp_path)
    with pytest.raises(UserError) as error:
        make(tmp_path)
    assert str(error.value) == (
        f"{run.folder} exists already; choose another `name`, or continue it with `qssl_tf.resume('{run.folder}')`."
    )


def test_missing_and_foreign_folders(tmp_path):
    with pytest.raises(UserError, match=r"does not exist; .* holds no runs: make one with `qssl pretrain`\.$"):
        open_run(tmp_path / "none")
    with pytest.raises(UserError, match="no newest run in"):
        newest_run(tmp_path)
    (tmp_path / "foreign").mkdir()
    make(tmp_path, "known")
    with pytest.raises(
        UserError, match="is not a run folder: it holds no config.json; runs in .*, the newest first: known;"
    ):
        open_run(tmp_path / "foreign")


def test_similar_names_are_suggested(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("base", "other", *"abcdef"):
        make(Path("runs"), name)
    for wrong, sentence in {
        "runs/bsae": "run folder runs/bsae does not exist; did you mean runs/base?",
        "base": "run folder base does not exist; did you mean runs/base?",
        "runs": "runs is not a run folder: it holds no config.json; runs in runs, the newest first: f, e, d, c, b and "
        "3 more; name one with its folder.",
    }.items():
        with pytest.raises(UserError) as error:
            open_run(Path(wrong))
        assert str(error.value) == sentence


@pytest.mark.parametrize("name", ["../out", "a/b", "..", "", "latest", "-x", "a\nb", "\x00"])
def test_names_must_be_plain(tmp_path, name):
    with pytest.raises(UserError, match="must be a plain folder name other than 'latest'; got "):
        make(tmp_path, name)
    assert not list(tmp_path.iterdir())


def test_a_damaged_config_is_named(tmp_path):
    run = make(tmp_path)
    (run.folder / "config.json").write_text('{"width": 8')
    with pytest.raises(UserError, match=r"config.json cannot be read as JSON"):
        open_run(run.folder)


def test_steps_are_chosen_from_the_checkpoints(tmp_path):
    run = make(tmp_path)
    with pytest.raises(UserError, match="holds no checkpoints"):
        choose_step(run, "last")
    for step in (0, 14, 7):
        run.checkpoint(step).touch()
    (run.folder / "checkpoints" / ".half-step-000099.weights.h5").touch()
    assert choose_step(run, "all") == [0, 7, 14]
    assert choose_step(run, "last") == [14]
    assert choose_step(run, "7") == [7]
    for wrong in ("8", "first", "-1"):
        with pytest.raises(UserError) as error:
            choose_step(run, wrong)
        assert str(error.value) == f"`checkpoint` must be all, last or one of 0, 7, 14; got '{wrong}'."


def test_runs_are_equal_by_folder_and_settings(tmp_path):
    run = make(tmp_path)
    assert dataclasses.replace(run) == open_run(run.folder)
