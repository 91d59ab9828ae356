"""One run of the digits study, by the worker that the study starts in a process of its own."""

import json
import shutil

import pytest

TASK = ("-m", "qssl_tf.cli.task")


@pytest.fixture(scope="module")
def study_folder(here, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    process = here(*TASK, "run", "digits", "digits-identity", 0, "--folder", folder, "--results", folder / "results")
    assert process.returncode == 0, process.stderr
    return folder


def record(study_folder):
    return json.loads((study_folder / "results" / "records" / "digits-identity-s0.json").read_text())


def rerun(here, study_folder, kind="run", *flags):
    words = ("digits", "digits-identity", 0, "--folder", study_folder, "--results", study_folder / "results")
    return here(*TASK, kind, *words, *flags)


def test_a_run_is_an_ordinary_run_folder_with_a_record(study_folder, here):
    run, values = study_folder / "digits-identity-s0", record(study_folder)
    assert sorted(path.name[5:11] for path in (run / "checkpoints").iterdir()) == ["000000", "000120"]
    assert (run / "model.keras").exists() and (run / "figures" / "accuracy.png").exists()
    assert [probe["batch"] for probe in values["probes"]] == [1, 41, 81, 120]
    probe = json.loads((run / "probe.json").read_text())
    assert values["probes"][-1]["accuracy_last"] == probe["accuracy_last"] and values["confusion"] == probe["confusion"]
    assert len(values["losses"]) == values["steps"] == 120 and values["train_images"] == 1437
    judge = here("trainers/linear_eval.py", "--run", run, "--probe-passes", 1, "--no-untrained")
    assert f"step 120: {probe['accuracy_last']:.2f} % on 360" in judge.stdout


def test_finished_work_is_not_repeated(study_folder, here):
    before = record(study_folder)
    assert rerun(here, study_folder).stdout == "" and record(study_folder) == before


def test_the_papers_protocol_is_added(study_folder, here):
    assert rerun(here, study_folder, "paper_probe").returncode == 0
    protocols = [(probe["batch"], probe["protocol"]) for probe in record(study_folder)["probes"]]
    assert protocols == [(1, "cached"), (41, "cached"), (81, "cached"), (120, "cached"), (120, "paper")]


def test_missing_weights_are_reported(study_folder, here, tmp_path):
    shutil.copytree(study_folder / "digits-identity-s0", tmp_path / "digits-identity-s0")
    process = rerun(here, tmp_path)
    assert process.returncode == 2 and process.stderr.strip() == (
        f"error: {tmp_path / 'digits-identity-s0'} keeps no weights after batch 1, 41, 81; probe fewer batches with "
        "--batches table, or move the run folder away to train it again."
    )
    assert rerun(here, tmp_path, "run", "--batches", "table").returncode == 0


def test_a_device_run_needs_a_finished_run(study_folder, here, tmp_path):
    process = rerun(here, tmp_path, "device")
    assert process.returncode == 2
    assert process.stderr.strip().endswith("digits-identity-s0 is not finished; finish the study's runs first.")
    shutil.copytree(study_folder / "results", tmp_path / "results")
    process = rerun(here, tmp_path, "device")
    assert process.stderr.strip().endswith("move its record (digits-identity-s0.json) away to train it again.")
