"""A device run from Python: what the command finds, on own images, and never on a real device unasked."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from qiskit.circuit import Parameter
from sklearn.datasets import load_digits

import qssl_tf as q
from qssl_tf.cli import device as ibmq_infer
from qssl_tf.compiler.snapshots import snapshot
from qssl_tf.device import door
from qssl_tf.device import plan as planning
from qssl_tf.device import run as device_run
from qssl_tf.device.backends import Device
from qssl_tf.device.door import device_for
from qssl_tf.device.ledger import Ledger
from qssl_tf.device.options import DeviceOptions
from qssl_tf.evaluation.trained_run import WEIGHTS
from qssl_tf.training.runs import open_run

READY = WEIGHTS / "digits-ring"
PIXELS, LABELS = load_digits(return_X_y=True)
SETTINGS = q.Config(width=2, layers=1, steps=3, batch_size=32, probe_epochs=3)


def own_images():
    return q.ImageData.from_arrays(PIXELS[:300].reshape(-1, 8, 8) / 16, LABELS[:300])


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    run = q.pretrain(own_images(), SETTINGS, runs_dir=tmp_path_factory.mktemp("runs"), name="own")
    q.linear_probe(run)
    return run


def test_it_is_the_run_of_the_command(tmp_path, monkeypatch):
    run = q.pretrain(config=SETTINGS, runs_dir=tmp_path)
    q.linear_probe(run)
    newest = run.folder / "ibmq" / "latest" / "result.json"
    found = q.run_on_device(run.folder, "fake_manila", images=30, shots=200, seed=4)
    assert json.loads(newest.read_text()) == found
    asked = ["--run", str(run.folder), "--backend", "fake_manila", "--images", "30", "--shots", "200", "--seed", "4"]
    monkeypatch.setattr(sys, "argv", ["ibmq_infer", *asked])
    ibmq_infer.main()
    again = json.loads(newest.read_text())
    assert again["jobs"] != found["jobs"]
    own_to_each = {"seconds", "jobs"}
    assert {name: again[name] for name in found if name not in own_to_each} == {
        name: found[name] for name in found if name not in own_to_each
    }


def table_of(run):
    """Return the columns of the newest device run's `images.csv` by their heads."""
    with open(run.folder / "ibmq" / "latest" / "images.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {head: np.array([row[head] for row in rows]) for head in rows[0]}


def test_the_table_of_images_alone_gives_the_figures_of_the_result(own):
    result, table = q.run_on_device(own, "fake_manila", images=40, shots=300, seed=1), table_of(own)
    true = table["class"]
    assert result["accuracy"] == pytest.approx(100 * np.mean(table["predicted mitigated"] == true))
    assert result["accuracy_exact"] == pytest.approx(100 * np.mean(table["predicted exact"] == true))
    exact, raw, mitigated = (
        np.stack([table[f"{kind} Z{qubit}"].astype(float) for qubit in (0, 1)], axis=1)
        for kind in ("exact", "raw", "mitigated")
    )
    assert result["rms_error"] == pytest.approx(np.sqrt(np.mean((mitigated - exact) ** 2)), rel=1e-6)
    assert result["rms_error_raw"] == pytest.approx(np.sqrt(np.mean((raw - exact) ** 2)), rel=1e-6)
    names = own.class_names
    for place, matrix in (("predicted mitigated", "confusion"), ("predicted exact", "confusion_exact")):
        counts = [[np.sum((true == row) & (table[place] == column)) for column in names] for row in names]
        np.testing.assert_array_equal(result[matrix], counts)


def test_the_table_of_images_says_which_images_they_are_and_how_sure_the_classifier_is(own):
    q.run_on_device(own, "fake_manila", images=40, shots=300, seed=1)
    table, test = table_of(own), own_images().test
    positions = table["position"].astype(int)
    assert len(set(positions)) == 40
    np.testing.assert_array_equal(table["class"], [own.class_names[label] for label in test.labels[positions]])
    exact = np.stack([table["exact Z0"], table["exact Z1"]], axis=1).astype(float)
    np.testing.assert_allclose(exact, own.features(test.images[positions]), atol=1e-5)
    fit = np.load(own.folder / "probe.npz")
    for kind in ("raw", "mitigated"):
        logits = np.stack([table[f"{kind} Z{qubit}"].astype(float) for qubit in (0, 1)], axis=1) @ fit["kernel"]
        shares = np.exp(logits + fit["bias"]) / np.sum(np.exp(logits + fit["bias"]), axis=1, keepdims=True)
        largest = [own.class_names[label] for label in shares.argmax(axis=1)]
        np.testing.assert_array_equal(table[f"predicted {kind}"], largest)
    written = np.stack([table[f"probability of {name}"].astype(float) for name in own.class_names], axis=1)
    np.testing.assert_allclose(written, shares, atol=1e-6)


def test_the_table_of_images_says_how_far_off_each_expectation_may_be(own):
    """Without mitigation by the formula of Agresti and Coull: the variance of a mean with two more of either kind."""
    result, table = q.run_on_device(own, "fake_manila", images=40, shots=300, seed=1, mitigation="none"), table_of(own)
    errors, means = (
        np.stack([table[f"{kind} Z{qubit}"].astype(float) for qubit in (0, 1)], axis=1)
        for kind in ("standard error of", "raw")
    )
    ones = (1 - means) / 2 * 300
    share = (ones + 2) / (300 + 4)
    np.testing.assert_allclose(errors, np.sqrt(4 * share * (1 - share) / 300), atol=1e-7)
    assert result["standard_error"] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-6)


def test_a_class_whose_name_is_a_formula_is_text_in_the_table_of_images(tmp_path):
    names = np.array(["=1+1", "@SUM(A1)"])
    labels = names[LABELS[:300] % 2]
    run = q.pretrain(q.ImageData.from_arrays(PIXELS[:300].reshape(-1, 8, 8) / 16, labels), SETTINGS, runs_dir=tmp_path)
    q.linear_probe(run)
    result, table = q.run_on_device(run, "aer", images=10, shots=50), table_of(run)
    for column in ("class", "predicted raw", "predicted mitigated", "predicted exact"):
        assert set(table[column]) <= {"'=1+1", "'@SUM(A1)"}
    assert set(table["class"]) == {"'=1+1", "'@SUM(A1)"}
    assert (
        [head for head in table if head.startswith("probability of")]
        == [f"probability of {name}" for name in result["class_names"]]
        == ["probability of =1+1", "probability of @SUM(A1)"]
    )  # unchanged, and no formula


def test_a_device_run_of_an_earlier_version_goes_on_without_positions(own):
    q.run_on_device(own, "aer", images=10, shots=50)
    ledger = Ledger.open((own.folder / "ibmq" / "latest").resolve())
    stored = {name: array for name, array in ledger.values().items() if name != "positions"}
    np.savez(ledger.folder / "values.npz", **stored)
    device_run.execute(open_run(own.folder), ledger.again(), door.device("aer"))
    assert set(table_of(own)["position"]) == {""}


def test_without_noise_only_that_of_the_shots_is_left(own):
    found = q.run_on_device(own, "aer", images=20, shots=10_000, mitigation="none")
    assert found["images"] == 20 and found["step"] == 3
    assert found["rms_error"] < 4 / np.sqrt(10_000)  # the variance of an expectation is at most 1 / shots


def test_images_that_were_given_are_asked_for_again(own):
    again = q.load_run(own.folder)
    with pytest.raises(q.UserError) as error:
        q.run_on_device(again, "aer")
    assert str(error.value) == (
        f"{own.folder} was trained on images of your own ('arrays'); pass them as `data`, or register the data set "
        "first (on a command line with --plugin FILE)."
    )
    assert q.run_on_device(again, "aer", own_images(), images=10, shots=100)["images"] == 10
    with pytest.raises(q.UserError, match="pass them as `data`"):
        q.draw_run(again)


def test_a_real_device_needs_a_word(own, monkeypatch):
    monkeypatch.setattr(door, "device", lambda *names: Device("ibm_x", snapshot("fake_manila"), is_local=False))
    monkeypatch.setattr(device_run, "finish", lambda *given: "submitted")
    with pytest.raises(q.UserError) as error:
        q.run_on_device(own, "ibm_x", images=10)
    begun = (own.folder / "ibmq" / "latest").resolve().name
    assert str(error.value) == (
        "ibm_x is a real device and costs time, so nothing was submitted; pass submit=True, or go on with "
        f"`qssl device {own.folder} --resume {begun}`."
    )
    left: dict[str, float] = {"usage_remaining_seconds": 60.0}
    monkeypatch.setattr("qssl_tf.device.service.service", lambda: SimpleNamespace(usage=lambda: left))
    assert q.run_on_device(own, "ibm_x", images=10, submit=True) == "submitted"  # about 21 s
    left["usage_remaining_seconds"] = 30.0
    with pytest.raises(q.UserError) as error:
        q.run_on_device(own, "ibm_x", images=10, submit=True)
    begun = (own.folder / "ibmq" / "latest").resolve().name
    assert str(error.value) == (
        "this takes about 21 of the 30 s that the account has left; take fewer images or shots, plan within a "
        f"`budget`, or agree to it with `qssl device {own.folder} --resume {begun}`."
    )
    assert q.run_on_device(own, "ibm_x", images=10, submit=True, budget="25s") == "submitted"
    assert q.run_on_device(own, "ibm_x", submit=True, budget="left") == "submitted"
    recorded = json.loads((own.folder / "ibmq" / "latest" / "record.json").read_text())
    assert recorded["device_seconds"] <= 30
    del left["usage_remaining_seconds"]
    assert q.run_on_device(own, "ibm_x", images=10, submit=True) == "submitted"
    with pytest.raises(q.UserError) as error:
        q.run_on_device(own, "ibm_x", images=10, submit=True, budget="left")
    assert str(error.value) == (
        "`budget` must be a time here, since the account has no limit of its own; take `budget='4m'`."
    )


class LocalMode:
    """The service of a device that Qiskit's runtime package plays locally: its jobs by their ids."""

    def __init__(self):
        self.kept = {}

    def job(self, job_id):
        return self.kept[job_id]


def test_twirled_shots_that_do_not_divide_are_used_as_they_come(own, monkeypatch):
    """Qiskit's own Sampler returns 128 shots where 100 are asked for; figures are of those."""
    client, manila = LocalMode(), snapshot("fake_manila")

    class Real(Device):
        def sampler(self, seed, suppression=()):
            sampler = super().sampler(seed, suppression)
            run = sampler.run

            def kept(pubs):
                job = run(pubs)
                client.kept[job.job_id()] = job
                return job

            sampler.run = kept
            return sampler

    monkeypatch.setattr(door, "device", lambda *names: Real("manila", manila, is_local=False))
    monkeypatch.setattr("qssl_tf.device.service.service", lambda: client)
    opened = open_run(own.folder)
    options = DeviceOptions("manila", images=10, shots=100, mitigation="none", suppression=("twirling",))
    chosen = device_for(opened, options)
    ledger = planning.plan(opened, chosen, options, data=own_images())
    found = device_run.finish(opened, ledger, chosen)
    assert (found["shots"], found["shots_asked"]) == (128, 100)
    packed = Ledger.open(ledger.folder).packed(0)[0]
    assert packed.shape == (60, 128, 1)
    means = 1 - 2 * np.mean((packed[50:] >> np.arange(2, dtype=np.uint8)) & 1, axis=1)
    right = np.sqrt(np.mean((1 - means**2) / 128))  # of the mean of 128 draws of +1 and -1
    assert found["standard_error"] == pytest.approx(right, rel=0.1)  # from 200 resamples of 20 values: 2 % alone
    again = ledger.again()
    assert device_run.finish(opened, again, chosen)["accuracy"] == found["accuracy"] and len(client.kept) == 1


def test_a_suppression_that_a_circuit_forbids_leaves_no_device_run(own, monkeypatch):
    manila = snapshot("fake_manila")
    monkeypatch.setattr(door, "device", lambda *names: Device("manila", manila, is_local=False))
    compiled = planning._compiled

    def with_a_free_angle(*given):
        best = compiled(*given)
        best.circuit.rzz(Parameter("free"), *best.layout[:2])
        return best

    monkeypatch.setattr(planning, "_compiled", with_a_free_angle)
    before = sorted(own.folder.glob("ibmq/*"))
    options = DeviceOptions("manila", images=10, shots=100, suppression=("gate_twirling",))
    with pytest.raises(
        q.UserError, match="^`suppression` gate_twirling cannot be done for this circuit: its rzz gates"
    ):
        opened = open_run(own.folder)
        planning.plan(opened, device_for(opened, options), options, data=own_images())
    assert sorted(own.folder.glob("ibmq/*")) == before


def test_layouts_are_named(own):
    found = q.run_on_device(own, "fake_manila", own_images(), images=10, shots=50)
    record = Ledger.open((own.folder / "ibmq" / "latest").resolve()).record
    assert "layout" not in found
    assert (found["initial_layout"], found["final_layout"]) == (record["initial_layout"], record["layout"])
    assert sorted(found["initial_layout"]) == sorted(set(found["initial_layout"])) and len(found["final_layout"]) == 2


def test_few_training_images_calibrate_as_many_as_there_are(tmp_path, capsys):
    data = q.ImageData.from_arrays(PIXELS[:50].reshape(-1, 8, 8) / 16, LABELS[:50])
    run = q.pretrain(data, SETTINGS, runs_dir=tmp_path)
    q.linear_probe(run)
    train = len(data.train)
    assert 32 <= train < 50
    found = q.run_on_device(run, "aer", images=5, shots=5000)
    assert found["calibration"] == train and found["images"] == 5
    assert found["rms_error"] < 4 / np.sqrt(5000)
    assert f"calibration: all {train} training images, where 50 are taken of larger sets\n" in capsys.readouterr().out
    given = SimpleNamespace(calibration=2)
    planning._check_calibration(given, "readout")
    with pytest.raises(q.UserError) as error:
        planning._check_calibration(given, "affine")
    assert str(error.value) == (
        "`mitigation` affine needs at least 3 training images to calibrate its lines; got 2; "
        "take `mitigation='readout'`."
    )


@pytest.mark.parametrize(
    ("chosen", "words", "sentence"),
    [
        ("fake_armonk", {}, "`backend` must have at least 2 qubits for this run; fake_armonk has 1."),
        ("ibm_x", {"shots": 200_000}, "`shots` must be fewer on ibm_x, whose jobs run at most 10,000,000 shots and"),
    ],
)
def test_what_a_device_cannot_do_is_said_before_any_work(own, chosen, words, sentence, monkeypatch):
    made = Device("ibm_x", snapshot("fake_manila"), is_local=False)
    if chosen == "ibm_x":
        monkeypatch.setattr(door, "device", lambda *names: made)
    monkeypatch.setattr(planning, "problem", lambda *given: pytest.fail("images were read"))
    with pytest.raises(q.UserError) as error:
        q.run_on_device(own, chosen, **words)
    assert sentence in str(error.value)


def test_ready_weights_reach_a_device_and_are_drawn_in_a_copy(tmp_path, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in READY.rglob("*")}
    monkeypatch.chdir(tmp_path)
    run = q.load_pretrained("digits-ring")
    found = q.run_on_device(run, "aer", images=60, shots=4000, mitigation="none")
    assert found["accuracy_exact"] == pytest.approx(88.06, abs=12.6)  # of 60 images: three standard deviations
    assert (
        q.write_report(run) == Path("runs/digits-ring/report.html") and Path("runs/digits-ring/report.html").is_file()
    )
    assert json.loads(Path("runs/digits-ring/ibmq/latest/result.json").read_text()) == found
    done = subprocess.run(
        [sys.executable, "-m", "qssl_tf.ibmq_infer", "--run", "digits-ring", "--status"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "1/1 jobs done; result written" in done.stdout, done.stderr
    assert {path: path.stat().st_mtime_ns for path in READY.rglob("*")} == before


def test_another_run_of_that_name_is_not_written_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("runs/digits-ring").mkdir(parents=True)
    with pytest.raises(q.UserError) as error:
        q.draw_run(q.load_pretrained("digits-ring"))
    assert str(error.value) == (
        "runs/digits-ring is another run than digits-ring that comes with the package, whose results would go there; "
        "rename it."
    )
    assert not list(Path("runs/digits-ring").iterdir())


def test_ready_weights_are_not_trained_on():
    with pytest.raises(q.UserError, match="comes with the package and stays as it is; train a run of your own"):
        q.resume(READY)
    assert not list(READY.parent.glob(".*"))


def test_what_is_no_run_or_no_settings_is_one_line():
    for call in (q.run_on_device, q.draw_run, q.write_report):
        with pytest.raises(
            q.UserError, match=r"`run` must be what `pretrain` and `load_run` return or a string or a path; got a C"
        ):
            call(q.Config())
    with pytest.raises(q.UserError, match=r"`config` must be a Config .such as .*; got 'paper'\."):
        q.pretrain(config="paper")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"shots": 0}, "`shots` must be at least 1; got 0."),
        ({"images": 0}, "`images` must be at least 1; got 0."),
        ({"seed": -1}, "`seed` must be at least 0 and at most 2147483647; got -1."),
        ({"mitigation": "afine"}, "`mitigation` must be one of none, readout, affine, zne; got 'afine'."),
        ({"images": 61}, "`images` must be from 1 to 60, the test images of arrays; got 61."),
        ({"backend": "fake_pari"}, "Did you mean 'fake_paris'?"),
    ],
)
def test_mistakes_are_one_line(own, words, sentence):
    with pytest.raises(q.UserError) as error:
        q.run_on_device(own, **words)
    assert sentence in str(error.value) and "\n" not in str(error.value)
