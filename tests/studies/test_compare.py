"""Arms with seeds: from records of finished runs without any training, and once with a small one."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cirq
import pytest
from scipy import stats

import qssl_tf as q
from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.quantum.custom_ansatz import register_ansatz
from qssl_tf.studies import compare_jobs, trained_arms
from qssl_tf.studies.compare_jobs import InProcesses, comparison_workload
from qssl_tf.studies.records import ProbeRecord, record_path, write_record
from qssl_tf.studies.storage import Storage
from qssl_tf.studies.trained_arms import compare_trained, comparison_specs, named_arms

RING, IDENTITY = [46.9, 47.2, 43.9, 44.0], [48.1, 48.2, 44.9, 47.3]
BASE = Config(steps=2, width=3, batch_size=8)


@pytest.fixture
def recorded(make_record, tmp_path):
    """Records of two arms with four seeds each."""
    specs = comparison_specs(named_arms(["ring", "identity"], BASE), range(4))
    for spec in specs:
        value = (RING if spec.condition.name == "ring" else IDENTITY)[spec.seed]
        record = replace(
            make_record("paper", "ring", 0, {}), condition=spec.condition.name, seed=spec.seed, steps=2,
            config=spec.config.to_dict(), losses=[1.0, 0.9], geometry=[],
            probes=[
                ProbeRecord(2, "cached", value, value + 1.0, 1.0), ProbeRecord(1, "cached", 40.0, 40.0, 1.0),
                ProbeRecord(0, "cached", 20.0, 20.0, 1.0),
            ],
        )  # fmt: skip
        write_record(tmp_path / "results", spec, record)
    return tmp_path, specs


def change(folder, spec, **changes):
    path = record_path(folder / "results", spec)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


def test_finished_runs_are_compared_without_training(recorded):
    folder, _ = recorded
    found = q.compare(["ring", "identity"], range(4), config=BASE, folder=folder)
    judge = stats.ttest_rel(IDENTITY, RING)
    assert found.rows[1]["p_t"] == pytest.approx(judge.pvalue) and found.folder == folder / "results"
    assert not list(folder.glob("ring-s*")) and "5,000 test images" in (folder / "results/comparison.md").read_text()


@pytest.mark.parametrize(("batch", "accuracy"), [(1, 40.0), (0, 20.0)])  # after 0 batches: the untrained network
def test_another_probed_batch_can_be_compared(recorded, batch, accuracy):
    folder, _ = recorded
    found = q.compare(["ring", "identity"], range(4), config=BASE, folder=folder, batch=batch)
    assert set(found.accuracies["ring"].values()) == {accuracy} and found.rows[1]["verdict"] is None


def test_records_of_other_settings_or_versions_are_named_and_left_out(recorded, capsys):
    folder, specs = recorded
    values = json.loads(record_path(folder / "results", specs[2]).read_text())
    path = change(folder, specs[2], config=values["config"] | {"width": 6})  # ring, seed 1
    other = change(folder, specs[7], versions=values["versions"] | {"tensorflow": "2.19.0"})  # identity, seed 3
    found = q.compare(["ring", "identity"], range(4), config=BASE, folder=folder)
    assert found.rows[1]["pairs"] == 2 and list(found.accuracies["ring"]) == [0, 2, 3]
    assert found.omissions[:2] == [
        f"ring seed 1 is left out: {path} is not a run of ring with seed 1, or was made by another version (width: 3 "
        "against 6); move it away.",
        f"identity seed 3 ({other}) is left out: it was made by tensorflow 2.19.0 (2.18.1), in brackets what most "
        "have.",
    ]
    assert found.omissions[0] in capsys.readouterr().out  # before anything is trained


def test_pairs_that_cannot_come_about_are_refused_before_anything_is_trained(recorded, monkeypatch):
    folder, specs = recorded
    monkeypatch.setattr(trained_arms, "complete_comparison_run", lambda *_: 1 / 0)
    path = change(folder, specs[2], seed=9, config=BASE.to_dict() | {"width": 6})  # ring, seed 1
    with pytest.raises(UserError) as caught:
        q.compare(["ring", "identity"], [0, 1], config=BASE, folder=folder)
    assert str(caught.value).startswith(
        "an arm must share at least 2 seeds with ring, since one pair has no spread; got 1 of identity: ring seed 1 is "
        f"left out: {path} is not a run of ring with seed 1"
    )


def test_what_is_left_is_what_has_no_record_or_no_probe_of_the_batch(recorded):
    folder, specs = recorded
    storage = Storage(folder, folder / "results")
    assert comparison_workload(specs, storage).tasks == [] and comparison_workload(specs, storage, batch=1).tasks == []
    record_path(folder / "results", specs[5]).unlink()
    work = comparison_workload(specs, storage, processes=2)
    (task,) = work.tasks
    assert (task.name, task.job.steps, task.job.batches, task.job.shown) == ("identity-s2", 2, (2,), (2, "cached"))
    assert work.summary().startswith("left to do: 1 to train and probe; about ") and work.runs == 8
    epochs = [replace(spec, condition=replace(spec.condition, config=replace(BASE, steps=None, epochs=3, seed=0)))
              for spec in specs]  # fmt: skip
    tasks = comparison_workload(epochs, Storage(folder / "new", folder / "new")).tasks
    assert {task.job.total for task in tasks} == {3 * (1437 // 8)}  # 80 % of scikit-learn's 1797 digits


def test_runs_in_processes_are_compared_and_a_failed_one_is_named(recorded, monkeypatch, capsys):
    """Processes that put the record of a run where it belongs, but for one that fails."""
    folder, specs = recorded
    fresh = Storage(folder / "fresh", folder / "fresh" / "results")

    def command(job, storage, batch):
        path = record_path(folder / "results", job.spec)
        code = f"import shutil; shutil.copy({str(path)!r}, {str(record_path(fresh.results, job.spec))!r})"
        return ["-c", "raise ValueError('no luck')" if job.spec == specs[0] else code]

    (fresh.results / "records").mkdir(parents=True)
    monkeypatch.setattr(compare_jobs, "_command", command)
    with pytest.raises(UserError) as caught:
        q.compare(["ring", "identity"], range(4), config=BASE, folder=fresh.folder, processes=3)
    assert str(caught.value) == (
        f"1 of the runs failed; their output is in {fresh.folder}/*.log, and the same command goes on from there."
    )
    said = capsys.readouterr().out
    assert "failed: ring-s0: ValueError: no luck" in said and "identity seed 0: done, 48.1 % after batch 2" in said
    found = json.loads((fresh.results / "comparison.json").read_text())
    assert found["arms"][1]["p_t"] == pytest.approx(stats.ttest_rel(IDENTITY[1:], RING[1:]).pvalue)
    assert found["omissions"][0] == "ring seed 0 is left out: it is not trained and probed yet."


def test_within_a_budget_nothing_is_begun_that_would_end_later(recorded):
    folder, specs = recorded
    storage = Storage(folder / "new", folder / "new" / "results")
    train = InProcesses(processes=1, budget=1e-3)
    with pytest.raises(UserError) as caught:
        compare_trained(specs, storage, None, 1.5, None, train)
    assert str(caught.value) == (
        "too few runs are finished to compare them: 0 of 4 of ring, 0 of 4 of identity, of which two arms must share 2 "
        "seeds; the same command goes on with the rest."
    )
    assert not list(storage.folder.iterdir())


def test_a_process_does_its_run_as_it_is_done_here(here, tmp_path):
    """The command of a job, in this process: the settings pass through it whole."""
    base = replace(BASE, steps=1, probe_epochs=1, probe_passes=1, head="identity", projector=(4, 3), crop_area=0.5)
    specs = comparison_specs({"a": base, "b": replace(base, layers=1)}, [7, 8])
    storage = Storage(tmp_path, tmp_path / "results")
    job = comparison_workload(specs, storage).tasks[0].job
    done = here(*compare_jobs._command(job, storage, None))
    assert done.returncode == 0, done.stderr
    record = json.loads(record_path(storage.results, specs[0]).read_text())
    assert Config.from_dict(record["config"]) == replace(base, seed=7) == specs[0].config
    assert len(comparison_workload(specs, storage).tasks) == 3


def test_own_circuits_and_own_settings_are_arms(own_words, monkeypatch, tmp_path):
    @register_ansatz("brick")
    def brick(qubits, weights, layer):
        return [cirq.ry(next(weights))(qubit) for qubit in qubits]

    seen = []
    monkeypatch.setattr(trained_arms, "complete_comparison_run", lambda spec, *_: seen.append(spec) or 1 / 0)
    for arms, config in ((["brick", "ring"], replace(BASE, ansatz="brick")), ({"wide": {"width": 5}, "b": BASE}, None)):
        with pytest.raises(ZeroDivisionError):
            q.compare(arms, [3, 4], config=BASE, folder=tmp_path)
        assert seen[-1].config == replace(config or replace(BASE, width=5), seed=3)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"arms": ["ring", "rign"], "seeds": [0, 1]}, "got 'rign'. Did you mean 'ring'?"),
        (
            {"arms": ["ring", "identity"], "seeds": [0]},
            "`seeds` must be at least 2 different numbers of at least 0, since one pair has no spread; got [0].",
        ),
        ({"arms": ["ring", "identity"], "seeds": [0, 2**40]}, "at least 0 and at most 2147483647; got 1099511627776."),
        (
            {"arms": ["identity", "ring"], "seeds": [0, 1], "config": q.PRESETS["best"]},
            "the arm ring has `ansatz='ring'`, and `ansatz='strongly_entangling'` would make another of it; leave that "
            "out (a preset may have it), or give arms with names of your own.",
        ),
        (
            {"arms": ["ry_only", "identity"], "seeds": [0, 1], "config": q.PRESETS["paper-classical"]},
            "the arm ry_only has `head='quantum'`, and `head='classical'` would make another of it; leave that out (a "
            "preset may have it), or give arms with names of your own.",
        ),
        ({"arms": "ring", "seeds": [0, 1]}, "or map names of your own to settings; got 'ring'."),
        (
            {"arms": {"a": 3, "b": {}}, "seeds": [0, 1]},
            "`arms` must map names to a Config or to settings; got 3 for a.",
        ),
        ({"arms": [3, 4]}, "`arms` without `seeds` must be run folders, or map names to them; got 3."),
        ({"arms": ["runs/a"], "batch": 3}, "`batch` belongs to arms with `seeds`; runs that are there have their own."),
        ({"arms": ["ring", "identity"], "seeds": [0, 1], "margin": -1.0}, "above 0 percentage points; got -1.0."),
        (
            {"arms": {"a": {}, "b": {"classes": [0, 1]}}, "seeds": [0, 1]},
            "on the same test images by the same probe; b has classes [0, 1] and a []; give both the same.",
        ),
        (
            {"arms": {"a": {}, "b": {"probe_epochs": 5}}, "seeds": [0, 1]},
            "on the same test images by the same probe; b has probe_epochs 5 and a 100; give both the same.",
        ),
        (
            {"arms": {"a/b": {}, "c": {}}, "seeds": [0, 1]},
            "an arm's name must be a plain folder name other than 'latest'; got 'a/b'.",
        ),
        ({"arms": ["ring", "identity"], "seeds": [0, 1], "processes": 0}, "`processes` must be at least 1; got 0."),
        ({"arms": {"a": {"widht": 3}, "c": {}}, "seeds": [0, 1]}, "got 'widht'. Did you mean 'width'?"),
    ],
)
def test_what_cannot_be_compared_is_one_line(given, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        q.compare(**given)
    assert str(caught.value).endswith(sentence) and "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_killed_comparison_goes_on_to_the_same_tables(tmp_path):
    """Two arms with two seeds, killed within the second run; the runs are then compared as folders too."""
    words = ["--arms", "ring,identity", "--seeds", "0,1", "--steps", "6", "--width", "3", "--probe-epochs", "2"]

    def start(folder):
        return subprocess.Popen(
            [sys.executable, "-m", "qssl_tf", "compare", *words, "--folder", folder],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    process, folder = start(tmp_path / "killed"), tmp_path / "killed"
    while not (folder / "identity-s0" / "history.csv").exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (folder / "results/records/ring-s0.json").exists()
    assert not (folder / "results/comparison.json").exists()
    for place in (folder, tmp_path / "whole"):
        process = start(place)
        said, _ = process.communicate()
        assert process.returncode == 0, said
    tables = [json.loads((tmp_path / name / "results/comparison.json").read_text()) for name in ("killed", "whole")]
    assert tables[0]["arms"] == tables[1]["arms"]
    runs: list[Path] = sorted(path.parent for path in folder.glob("*/config.json"))
    again = q.compare(runs, baseline="head=quantum", results=tmp_path / "folders")
    assert again.rows[1]["difference"] == pytest.approx(tables[0]["arms"][1]["difference"])
