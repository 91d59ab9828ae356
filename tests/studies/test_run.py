"""One run of the digits study, by the worker that the study starts in a process of its own."""

import json
import shutil

import pytest

TASK = ("-m", "qssl_tf.cli.task")


@pytest.fixture(scope="module")
def place(here, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    done = here(*TASK, "run", "digits", "digits-identity", 0, "--folder", folder, "--results", folder / "results")
    assert done.returncode == 0, done.stderr
    return folder


def record(place):
    return json.loads((place / "results" / "records" / "digits-identity-s0.json").read_text())


def again(here, place, kind="run", *flags):
    words = ("digits", "digits-identity", 0, "--folder", place, "--results", place / "results")
    return here(*TASK, kind, *words, *flags)


def test_a_run_is_an_ordinary_run_folder_with_a_record(place, here):
    run, kept = place / "digits-identity-s0", record(place)
    assert sorted(path.name[5:11] for path in (run / "checkpoints").iterdir()) == ["000000", "000120"]
    assert (run / "model.keras").exists() and (run / "figures" / "accuracy.png").exists()
    assert [probe["batch"] for probe in kept["probes"]] == [1, 41, 81, 120]
    probe = json.loads((run / "probe.json").read_text())
    assert kept["probes"][-1]["accuracy_last"] == probe["accuracy_last"] and kept["confusion"] == probe["confusion"]
    assert len(kept["losses"]) == kept["steps"] == 120 and kept["train_images"] == 1437
    judge = here("trainers/linear_eval.py", "--run", run, "--probe-passes", 1, "--no-untrained")
    assert f"step 120: {probe['accuracy_last']:.2f} % on 360" in judge.stdout


def test_nothing_is_done_twice(place, here):
    before = record(place)
    assert again(here, place).stdout == "" and record(place) == before


def test_the_papers_protocol_is_added(place, here):
    assert again(here, place, "paper_probe").returncode == 0
    protocols = [(probe["batch"], probe["protocol"]) for probe in record(place)["probes"]]
    assert protocols == [(1, "cached"), (41, "cached"), (81, "cached"), (120, "cached"), (120, "paper")]


def test_weights_that_are_gone_are_said(place, here, tmp_path):
    shutil.copytree(place / "digits-identity-s0", tmp_path / "digits-identity-s0")
    done = again(here, tmp_path)
    assert done.returncode == 2 and done.stderr.strip() == (
        f"error: {tmp_path / 'digits-identity-s0'} keeps no weights after batch 1, 41, 81; probe fewer batches with "
        "--batches table, or move the run folder away to train it again."
    )
    assert again(here, tmp_path, "run", "--batches", "table").returncode == 0


def test_what_needs_a_finished_run_says_so(place, here, tmp_path):
    done = again(here, tmp_path, "device")
    assert done.returncode == 2
    assert done.stderr.strip().endswith("digits-identity-s0 is not finished; finish the study's runs first.")
    shutil.copytree(place / "results", tmp_path / "results")
    done = again(here, tmp_path, "device")
    assert done.stderr.strip().endswith("move its record (digits-identity-s0.json) away to train it again.")
