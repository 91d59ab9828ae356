"""Records of strangers that are valid JSON, or whole arrays, and mean nonsense: one line, or a value with a meaning.

Each example takes a right record, twists one to three places of it, and does with the folder whatever the package does
with such a record. `WRONG_RECORDS=100000` tries so many; the suite tries a few hundred.
"""

import json
import os
import random
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from nonsense import check_meaning, twisted, wrong_array
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qssl_tf.config import Config
from qssl_tf.device.ledger import Ledger
from qssl_tf.device.manage import chosen, show_status
from qssl_tf.device.results import judged, outcome, read_result
from qssl_tf.device.run import check_fits
from qssl_tf.errors import UserError
from qssl_tf.evaluation.classifier import LinearFit
from qssl_tf.evaluation.evaluation_files import read_evaluation, write_evaluation
from qssl_tf.evaluation.probe_files import read_classifier, read_probe, save_classifier
from qssl_tf.evaluation.scores import score
from qssl_tf.models.sizes import configured_weights
from qssl_tf.reports.report import write_page
from qssl_tf.search.plan import Plan, read_plan, write_plan
from qssl_tf.search.results import best, table, write_results
from qssl_tf.search.space import Choice, Range, combinations
from qssl_tf.search.trials import _recorded
from qssl_tf.search.tuner import Tuner, make_oracle
from qssl_tf.sharing.card import CardContent, card
from qssl_tf.studies import sections, tables
from qssl_tf.studies.comparisons import agreement, summary_rows
from qssl_tf.studies.device import device_path, read_device
from qssl_tf.studies.records import FILE_KEYS, read_record, record_path, refuse_mixed_data, write_record
from qssl_tf.studies.sections import ReportData
from qssl_tf.studies.studies import STUDIES, RunSpec
from qssl_tf.training.metadata import read_image_metadata, read_versions, unfinished
from qssl_tf.training.runs import create_run, open_run

WRONG_RECORDS = int(os.environ.get("WRONG_RECORDS", "480"))
CONFIG = Config(width=2, layers=1, batch_size=16)
SPEC = RunSpec(STUDIES["paper"].conditions[0], 3)
FACTS = {
    "name": "digits", "image_shape": [8, 8, 1], "class_names": ["cat", "dog"], "train_images": 60,
    "validation_images": 0, "test_images": 12, "train_sha256": "ab" * 32,
}  # fmt: skip
PROBE = {
    "split": "test", "protocol": "cached", "step": 5, "features": 2, "n_train": 60, "n_test": 12,
    "accuracy_last": 75.0, "accuracy_best_epoch": 80.0, "per_class_accuracy": {"cat": 70.0, "dog": 80.0},
    "confusion": [[5, 2], [1, 4]], "class_names": ["cat", "dog"], "frozen_sha256": "cd" * 32, "seconds": 1.5,
    "checkpoints": [{"step": 5, "accuracy_last": 75.0, "accuracy_best_epoch": 80.0, "seconds": 1.5}],
}  # fmt: skip
READING = {"name": "accuracy", "value": 75.0, "unit": "%", "low": 47.0, "high": 91.0, "over": "images"}
READING |= {"balanced": 75.0, "majority": 58.0, "note": "12 test images"}
JUDGED = {"step": 5, "split": "test", "protocol": "cached", "seconds": 1.5, "readings": [READING]}
EVALUATION = {"judges": {"linear": JUDGED, "rank": JUDGED | {"readings": []}}}
SETTINGS = {
    "backend": "aer", "shots": 10, "mitigation": "affine", "seed": 3, "step": 5, "two_qubit_gates": 0, "depth": 1,
    "layout": [0, 1], "initial_layout": [0, 1], "estimated_success": 0.5, "contrast": [1.0, 0.9], "calibration": 3,
    "class_names": ["cat", "dog"], "seconds": 0.0, "suppression": [],
}  # fmt: skip
STUDY_RESULT = {
    "run": "ring-s3", "class_names": ["cat", "dog"], "backend": "fake_paris", "images": 12, "shots": 10,
    "mitigation": "affine", "accuracy": 50.0, "accuracy_interval": [20.0, 80.0], "accuracy_exact": 60.0,
    "rms_error": 0.1, "rms_error_raw": 0.2, "two_qubit_gates": 3, "confusion": [[5, 2], [1, 4]],
    "confusion_exact": [[5, 2], [1, 4]], "step": 5, "seconds": 1.0,
}  # fmt: skip
TRIAL = {
    "validation_accuracy": 50.0, "balanced_accuracy": 40.0, "contrastive_accuracy": 30.0, "loss": 2.0,
    "parameters": 900.0, "seconds": 3.0, "majority_share": 20.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory, made_up_record):
    """A folder with one right record of every kind."""
    folder = tmp_path_factory.mktemp("strange")
    run = create_run(CONFIG, folder, "run", "digits", FACTS)
    fit = LinearFit(np.ones((2, 2), np.float32), np.zeros(2, np.float32), [])
    run.probe.write_text(json.dumps(PROBE | {"classifier_sha256": fit.fingerprint()}))
    save_classifier(run.probe.with_suffix(".npz"), fit, 5)
    (run.folder / "evaluation.json").write_text(json.dumps(EVALUATION))
    circuit = QuantumCircuit(2)
    for qubit in (0, 1):
        circuit.rx(Parameter(f"x_00{qubit}"), qubit)
    circuit.measure_all()
    exact = np.linspace(-0.9, 0.9, 14).reshape(7, 2)
    values = {
        "rows": np.arccos(exact), "exact": exact, "labels": np.arange(4) % 2, "positions": np.arange(4),
        "kernel": fit.kernel, "bias": fit.bias,
    }  # fmt: skip
    ledger = Ledger.create(run.folder / "ibmq" / "one", SETTINGS, [circuit], values, [[0, 1, 2, 3], [4, 5, 6]])
    for number, rows in ((0, 4), (1, 3)):
        ledger.keep(number, [np.random.default_rng(number).integers(0, 4, (rows, 10, 1), np.uint8)])
    (ledger.folder / "result.json").write_text(json.dumps(judged(ledger, outcome(CONFIG, ledger))))
    varied = {"width": Choice((2, 4), {"head": ("quantum",)}), "temperature": Range(0.05, 1.0, log=True)}
    plan = Plan(Config(validation_fraction=0.2), varied, "random", 5, "validation_accuracy", 0)
    (folder / "search").mkdir()
    write_plan(folder / "search", plan)
    begin_search(folder / "search", plan)
    (folder / "trial.json").write_text(json.dumps(TRIAL))
    write_record(folder, SPEC, made_up_record)
    device_path(folder).write_text(json.dumps(STUDY_RESULT))
    return folder


def begin_search(folder, plan):
    """Leave keras-tuner's files of a search with two completed trials."""
    oracle = make_oracle(plan)
    tuner = Tuner(plan, oracle, folder)
    for _ in range(2):
        trial = oracle.create_trial("tuner0")
        oracle.update_trial(trial.trial_id, TRIAL)
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    tuner.save()


@pytest.fixture(scope="module")
def made_up_record():
    path = Path(__file__).resolve().parents[1] / "docs" / "results"
    return read_record(path, SPEC)


def page(folder):
    run = open_run(folder / "run")
    write_page(SimpleNamespace(folder=run.folder, config=run.config, step=5), {})
    return run


def carded(folder):
    run = page(folder)
    facts, probe = read_image_metadata(run), read_probe(run.probe)
    card(
        CardContent(
            "run",
            run.config,
            facts,
            read_versions(run.folder),
            5,
            probe,
            {run.config.seed + 1: 60.0},
            "x",
            unfinished(run, 5),
        )
    )
    return run


def used_config(folder):
    run = carded(folder)
    assert sum(configured_weights(run.config).values()) >= 0
    return run.config.to_dict()


def used_facts(folder):
    return read_image_metadata(carded(folder))


def used_versions(folder):
    return read_versions(carded(folder).folder)


def used_probe(folder):
    run = carded(folder)
    read_classifier(run.probe)
    score(read_probe(run.probe)["confusion"])
    return read_probe(run.probe)


def used_evaluation(folder):
    run = page(folder)
    found = read_evaluation(run.folder / "evaluation.json")
    write_evaluation(folder / "again.json", found)
    return {"judges": found}


def used_ledger(folder):
    run = open_run(folder / "run")
    show_status(run.folder / "ibmq")
    ledger = chosen(run.folder / "ibmq", "one")
    check_fits(run, ledger)
    assert ledger.circuits()
    if not ledger.missing():
        json.dumps(judged(ledger, outcome(run.config, ledger)), allow_nan=False)
    return ledger.record


def used_result(folder):
    page(folder)
    return read_result(folder / "run" / "ibmq" / "one" / "result.json")


def used_plan(folder):
    plan = read_plan(folder / "search")
    make_oracle(plan)
    combinations(plan.parameters)
    plan.differences(Plan(plan.base, {"width": Choice((2, 4))}, "random", 5, "loss", 0))
    return json.loads(json.dumps(plan.to_dict()))


def used_search_state(folder):
    """On a copy, as a search that goes on writes its files anew."""
    copied = folder / "copy"
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(folder / "search", copied)
    plan = read_plan(copied)
    oracle = make_oracle(plan)
    Tuner(plan, oracle, copied)
    rows = table(plan, oracle, copied)
    best(plan, rows)
    write_results(copied, plan, rows)
    oracle.create_trial("tuner0")
    return {}


def used_trial(folder):
    return _recorded(folder / "trial.json")


def used_study_record(folder):
    record = read_record(folder, SPEC)
    refuse_mixed_data([record])
    json.dumps(summary_rows([record]), allow_nan=False)
    study = STUDIES["paper"]
    for batch in study.batches:
        tables.arms_table([record], study, batch)
    tables.published_table([record], study, "cached")
    tables.cost_table([record], study)
    tables.versions_table([record])
    agreement([record], study.table_batch)
    values = json.loads(json.dumps(vars(record), default=vars))
    return {FILE_KEYS.get(name, name): value for name, value in values.items()}


def used_study_device(folder):
    found = read_device(folder)
    sections._device(ReportData("paper", [], found, folder))
    return found


# Kind -> the file, and what the package does with it; that returns what it took for the record.
KINDS = {
    "config": ("run/config.json", used_config),
    "data": ("run/data.json", used_facts),
    "versions": ("run/versions.json", used_versions),
    "probe": ("run/probe.json", used_probe),
    "evaluation": ("run/evaluation.json", used_evaluation),
    "device run": ("run/ibmq/one/record.json", used_ledger),
    "device result": ("run/ibmq/one/result.json", used_result),
    "search": ("search/search.json", used_plan),
    "state of a search": ("search/keras_tuner/oracle.json", used_search_state),
    "trial of a search": ("search/keras_tuner/trial_0/trial.json", used_search_state),
    "trial": ("trial.json", used_trial),
    "study record": (str(record_path(Path(), SPEC)), used_study_record),
    "study device": ("device.json", used_study_device),
}
ARRAYS = {"classifier": ("run/probe.npz", used_probe), "values": ("run/ibmq/one/values.npz", used_ledger)}


def attempt(use, folder):
    """Return what the package took for a record; None where it refused it in one line."""
    try:
        return use(folder)
    except UserError as error:
        line = str(error)
        assert "\n" not in line and len(line) < 1500 and line.encode(), line[:3000]
    return None


@pytest.mark.parametrize("kind", KINDS)
def test_records(kind, place, monkeypatch, capsys):
    monkeypatch.setattr(sections.figures_states, "draw_device", lambda path, device: True)  # draws: below
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    name, use = KINDS[kind]
    path = place / name
    whole = path.read_text()
    right = json.loads(whole)
    check_meaning(right, use(place))
    accepted, count = 0, WRONG_RECORDS // len(KINDS)
    try:
        for seed in range(count):
            wrong = twisted(right, random.Random(f"{kind} {seed}"))
            path.write_text(json.dumps(wrong))
            try:
                found = attempt(use, place)
                if found is not None:
                    check_meaning(right, found)
                    accepted += 1
            except Exception as error:
                error.add_note(f"{kind}, seed {seed}: {json.dumps(wrong)[:3000]}")
                raise
            capsys.readouterr()
    finally:
        path.write_text(whole)
    assert accepted < 0.9 * count


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays(kind, place, capsys):
    name, use = ARRAYS[kind]
    path = place / name
    whole = path.read_bytes()
    with np.load(path) as file:
        right = dict(file)
    try:
        for seed in range(max(40, WRONG_RECORDS // 100)):
            rng = random.Random(seed)
            key = rng.choice(list(right))
            try:
                wrong = right | {key: wrong_array(np.atleast_1d(right[key]), rng)}
                np.savez(
                    path, **(wrong if rng.random() < 0.9 else {name: right[name] for name in right if name != key})
                )
                attempt(use, place)
            except Exception as error:
                error.add_note(f"{kind}, seed {seed}, {key}: {wrong[key]}")
                raise
            capsys.readouterr()
    finally:
        path.write_bytes(whole)


def test_a_study_s_device_is_drawn_where_a_class_has_no_image(place, tmp_path):
    device_path(tmp_path).write_text(json.dumps(STUDY_RESULT | {"confusion": [[0, 0], [1, 11]]}))
    sections._device(ReportData("paper", [], read_device(tmp_path), tmp_path))
    assert (tmp_path / "figures" / "device.png").exists()
