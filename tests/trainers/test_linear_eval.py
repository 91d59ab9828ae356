"""Probing as a user meets it, on a short real run; once in a process of its own, else in this one."""

import json

import pytest

from qssl_tf.files.lock import locked
from qssl_tf.training.runs import create_run


@pytest.fixture(scope="module")
def run(here, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    done = here(
        "trainers/pretrain.py", "--runs-dir", folder, "--name", "short", "--head", "identity", "--steps", 25,
        "--checkpoint-every", 12, "--batch-size", 64,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "short"


def linear_eval(start, run, *arguments):
    return start("trainers/linear_eval.py", "--runs-dir", run.parent, "--probe-epochs", "20", *arguments)


def test_the_newest_run_is_probed_beside_its_untrained_network(script, run):
    done = linear_eval(script, run)
    assert done.returncode == 0 and "Warning" not in done.stderr, done.stderr
    assert "untrained network: " in done.stdout and "step 25: " in done.stdout
    result = json.loads((run / "probe.json").read_text())
    assert result["step"] == 25 and result["features"] == 8 and result["n_test"] == 360
    assert [line["step"] for line in result["checkpoints"]] == [0, 25]
    untrained, trained = (line["accuracy_last"] for line in result["checkpoints"])
    assert trained > untrained
    assert (run / "figures" / "confusion.png").stat().st_size > 0


def test_all_checkpoints_make_a_curve(here, run):
    done = linear_eval(here, run, "--run", run, "--checkpoint", "all", "--no-untrained")
    assert done.returncode == 0, done.stderr
    steps = [line["step"] for line in json.loads((run / "probe.json").read_text())["checkpoints"]]
    assert steps == [0, 1, 13, 23, 25]
    assert (run / "figures" / "accuracy.png").stat().st_size > 0


def test_a_second_probe_of_a_run_is_refused(here, run):
    with locked(run / "probe.json"):
        done = linear_eval(here, run)
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.endswith("probe.json is in use by another process; wait for it to end, or stop it first.\n")


def test_the_papers_protocol(here, run):
    done = linear_eval(here, run, "--probe-protocol", "paper", "--probe-epochs", "3", "--no-untrained")
    assert done.returncode == 0, done.stderr
    assert json.loads((run / "probe.json").read_text())["protocol"] == "paper"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--run", "nowhere"], "run folder nowhere does not exist"),
        (["--checkpoint", "13x"], "--checkpoint must be all, last or one of 0, 1, 13, 23, 25; got '13x'."),
        (["--probe-protocol", "papers"], "Did you mean 'paper'?"),
        (["--probe-epochs", "0"], "`probe_epochs` must be at least 1 and at most 1000000; got 0."),
        (["--width", "3"], "unknown argument '--width'"),
        (["--split", "train"], "`split` must be one of test, validation; got 'train'."),
        (["--split", "validation"], "needs held-out images and this run trained on all of them; pretrain with"),
    ],
)
def test_bad_input_is_one_line(here, run, arguments, sentence):
    done = linear_eval(here, run, *arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and sentence in done.stderr, done.stderr


def test_a_damaged_checkpoint_is_named(here, run):
    path = run / "checkpoints" / "step-000013.weights.h5"
    path.write_bytes(path.read_bytes()[:3000])
    done = linear_eval(here, run, "--checkpoint", "13")
    assert done.returncode == 2 and f"error: {path} is damaged" in done.stderr and "Traceback" not in done.stderr


def test_data_of_another_shape_is_refused(here, run):
    """A run of gray 8x8 images whose settings were turned to colour ones does not read its weights."""
    from qssl_tf.config import Config

    other = create_run(Config(head="identity", image_size=16), run.parent, "other", "digits")
    for path in (run / "checkpoints").iterdir():
        (other.folder / "checkpoints" / path.name).write_bytes(path.read_bytes())
    done = linear_eval(here, run, "--run", other.folder)
    assert done.returncode == 2 and "written with other settings (image_size: 16 against None" in done.stderr
