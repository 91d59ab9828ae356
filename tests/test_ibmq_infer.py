"""The command as a user meets it: a trained run on simulated devices, killed and resumed.

What is killed, and the silence of a good run, are seen in processes of their own; the rest runs in this one.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import cirq
import numpy as np
import pytest

from qssl_tf.cli import device as ibmq_infer
from qssl_tf.cli.run import run_command
from qssl_tf.compiler.snapshots import snapshot
from qssl_tf.device import door
from qssl_tf.device import manage as device_records
from qssl_tf.device import run as device_run
from qssl_tf.device.backends import Device
from qssl_tf.errors import UserError
from qssl_tf.evaluation.trained_run import load_run
from qssl_tf.files.lock import locked
from qssl_tf.quantum.spec import circuit_spec

ROOT = Path(__file__).resolve().parents[1]
SMALL = ["--width", "4", "--layers", "1", "--steps", "60", "--batch-size", "128", "--probe-epochs", "20"]


@pytest.fixture(scope="module")
def run(here, tmp_path_factory):
    """A trained and probed run on digits."""
    folder = tmp_path_factory.mktemp("runs")
    for command in (
        ["trainers/pretrain.py", "--runs-dir", folder, "--name", "small", *SMALL],
        ["trainers/linear_eval.py", "--run", folder / "small", "--no-untrained"],
    ):
        done = here(*command)
        assert done.returncode == 0, done.stderr
    return folder / "small"


def infer(start, run, *arguments):
    return start("-m", "qssl_tf.ibmq_infer", "--run", run, *arguments)


def newest(run):
    return (run / "ibmq" / "latest").resolve()


def test_an_ideal_device_gives_the_exact_answer(run, script):
    done = infer(script, run, "--backend", "aer", "--images", "360", "--shots", "4000", "--mitigation", "none")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    result = json.loads((newest(run) / "result.json").read_text())
    probed = json.loads((run / "probe.json").read_text())
    assert result["accuracy_exact"] == pytest.approx(probed["accuracy_last"], abs=0.01)  # all test images
    assert result["rms_error"] < 1.1 / np.sqrt(4000)  # shot noise alone, 1 / sqrt(shots) at most
    assert result["agreement"] > 85  # a network of 60 steps leaves many images near a border between classes
    assert np.sum(result["confusion"]) == 360
    assert np.trace(result["confusion"]) / 3.6 == pytest.approx(result["accuracy"])
    for name in ("circuit.png", "confusion.png", "confusion_exact.png", "record.json", "circuit.qpy"):
        assert (newest(run) / name).stat().st_size > 0


def test_a_snapshot_is_noisy_and_mitigation_helps(run, here):
    done = infer(here, run, "--backend", "fake_manila", "--images", "100", "--shots", "4000")
    assert done.returncode == 0, done.stderr
    result = json.loads((newest(run) / "result.json").read_text())
    assert result["images"] == 100 and result["mitigation"] == "affine"
    assert result["rms_error"] < 0.6 * result["rms_error_raw"]
    assert result["rms_error"] < 3 * result["standard_error"]
    assert f"result: {newest(run) / 'result.json'}" in done.stdout
    assert "two-qubit gates" in done.stdout


def test_extrapolation_runs_two_circuits(run, here):
    done = infer(here, run, "--backend", "fake_manila", "--images", "40", "--shots", "2000", "--mitigation", "zne")
    assert done.returncode == 0, done.stderr
    result = json.loads((newest(run) / "result.json").read_text())
    assert result["rms_error"] < result["rms_error_raw"]


def test_a_killed_run_goes_on_without_running_anything_twice(run, here):
    options = ["--backend", "fake_manila", "--shots", "500", "--seed", "2", "--job-rows", "60"]
    whole = infer(here, run, *options)
    assert whole.returncode == 0, whole.stderr
    judge = newest(run)
    command = [sys.executable, "-m", "qssl_tf.ibmq_infer", "--run", run, *options]
    process = subprocess.Popen(list(map(str, command)), cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("job 3/"):
            process.send_signal(signal.SIGKILL)
            break
    process.communicate()
    killed = newest(run)
    assert killed != judge
    kept = {path.name: path.stat().st_mtime_ns for path in killed.glob("job-*.npz")}
    assert 3 <= len(kept) < 7
    listed = infer(here, run, "--status")
    assert f"{killed.name}: {len(kept)}/7 jobs done; --resume {killed.name}" in listed.stdout
    time.sleep(0.01)
    done = infer(here, run, "--resume", killed.name)
    assert done.returncode == 0, done.stderr
    assert {name: (killed / name).stat().st_mtime_ns for name in kept} == kept
    ours, theirs = (json.loads((folder / "result.json").read_text()) for folder in (killed, judge))
    for name in ("accuracy", "rms_error", "rms_error_raw", "confusion", "initial_layout", "final_layout"):
        assert ours[name] == theirs[name], name


@pytest.mark.parametrize("form", ["qasm3", "qpy"])
def test_an_exported_head_gives_the_exact_expectations(run, here, form):
    done = infer(here, run, "--export", form)
    assert done.returncode == 0, done.stderr
    from qiskit import qasm3, qpy
    from qiskit.quantum_info import Statevector

    path = run / f"head.{'qasm' if form == 'qasm3' else 'qpy'}"
    if form == "qasm3":
        circuit = qasm3.loads(path.read_text())
    else:
        with open(path, "rb") as file:
            (circuit,) = qpy.load(file)
    named = json.loads(path.with_suffix(".json").read_text())
    assert {parameter.name for parameter in circuit.parameters} == set(named["parameters"])
    stored = np.load(newest(run) / "values.npz")
    names = sorted(named["parameters"])
    by_name = {parameter.name: parameter for parameter in circuit.parameters}
    for row, exact in zip(stored["rows"][:5], stored["exact"][:5], strict=True):
        state = Statevector(circuit.assign_parameters({by_name[n]: v for n, v in zip(names, row, strict=True)}))
        found = [1 - 2 * state.probabilities([qubit])[1] for qubit in range(4)]
        np.testing.assert_allclose(found, exact, atol=1e-5)


PARTIAL = [
    "--layers",
    "2",
    "--shots",
    "50",
    "--gradient",
    "spsa",
    "--partial-measurement",
    "true",
    "--observables",
    "X0,Y1",
]


def test_a_measurement_between_layers_is_in_the_exact_values_on_the_device_and_in_the_file(here, tmp_path):
    run = tmp_path / "partial"
    made = here("trainers/pretrain.py", "--runs-dir", tmp_path, "--name", "partial", *SMALL, "--steps", "3", *PARTIAL)
    assert made.returncode == 0, made.stderr
    assert here("trainers/linear_eval.py", "--run", run, "--no-untrained").returncode == 0
    done = infer(here, run, "--backend", "aer", "--images", "10", "--shots", "4000", "--mitigation", "none")
    assert done.returncode == 0, done.stderr
    # Cirq says what is exact, from the circuit without the measurement and one put in here.
    stored = np.load(newest(run) / "values.npz")
    spec = circuit_spec(4, "ring", 2, measure="X0,Y1")
    blocks, forgotten = list(spec.blocks), cirq.KrausChannel([np.diag([1.0, 0.0]), np.diag([0.0, 1.0])])
    blocks.insert(2, cirq.Circuit(forgotten.on_each(spec.qubits[0], spec.qubits[2])))
    weights = load_run(run).model.head.parameters.numpy().tolist()
    order = {qubit: place for place, qubit in enumerate(spec.qubits)}
    for row, exact in zip(stored["rows"][:5].tolist(), stored["exact"][:5], strict=True):
        values = dict(zip((*spec.inputs, *spec.weights), (*row, *weights), strict=True))
        density = cirq.DensityMatrixSimulator(dtype=np.complex128).simulate(
            sum(blocks, cirq.Circuit()), values, qubit_order=spec.qubits
        )
        judge = [o.expectation_from_density_matrix(density.final_density_matrix, order).real for o in spec.observables]
        np.testing.assert_allclose(exact, judge, atol=1e-5)
    result = json.loads((newest(run) / "result.json").read_text())
    assert result["rms_error"] < 1.1 / np.sqrt(4000)
    # The file says that the basis is turned already and which bits are not read.
    assert infer(here, run, "--export", "qasm3").returncode == 0
    told = json.loads((run / "head.json").read_text())
    assert told["observables"] == [{"product": "X0", "bits": [0]}, {"product": "Y1", "bits": [1]}]
    assert "turn X0, Y1 into Z already" in told["reading"] and "`between` is not read" in told["reading"]
    assert "between[1] = measure q[2];" in (run / "head.qasm").read_text()


def test_a_dry_run_submits_nothing_and_can_be_resumed(run, here):
    done = infer(here, run, "--backend", "aer", "--images", "20", "--shots", "100", "--dry-run")
    assert done.returncode == 0, done.stderr
    folder = newest(run)
    assert not list(folder.glob("job-*.npz"))
    assert f"dry run: nothing was submitted; go on with --resume {folder.name}" in done.stdout
    with locked(folder):
        refused = infer(here, run, "--resume")
    assert refused.returncode == 2 and f"{folder.name} is in use by another process; wait" in refused.stderr
    assert infer(here, run, "--resume").returncode == 0
    assert (folder / "result.json").exists()


@pytest.mark.parametrize("arguments", [["--backend", "ibm_x"], ["--resume"]])
def test_a_real_device_is_not_used_without_being_asked_for(run, arguments, monkeypatch):
    for module in (door, device_records):
        monkeypatch.setattr(module, "device", lambda *names: Device("ibm_x", snapshot("fake_manila"), is_local=False))
    monkeypatch.setattr("qssl_tf.device.service.service", lambda: SimpleNamespace(usage=dict))
    monkeypatch.setattr(device_run, "finish", lambda *arguments: pytest.fail("submitted"))
    monkeypatch.setattr(sys, "argv", ["ibmq_infer", "--run", str(run), "--images", "20", *arguments])
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(UserError, match="a real device costs time; add --yes to submit without being asked."):
        ibmq_infer.main()
    ledger = device_records.chosen(run / "ibmq", "")
    assert ledger.record["backend"] == "ibm_x" and ledger.missing() == [0]


@pytest.mark.parametrize(("answer", "agreed"), [("y", True), (" YES ", True), ("", False), ("n", False), (None, False)])
def test_only_yes_submits(answer, agreed, monkeypatch, capsys):
    def answered(question):
        if answer is None:  # Ctrl-D
            raise EOFError
        return answer

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", answered)
    assert ibmq_infer._agreed("add --yes") == agreed
    assert capsys.readouterr().out == ("\n" if answer is None else "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--backend", "fake_pari"], "Did you mean 'fake_paris'?"),
        (["--images", "361"], "`images` must be from 1 to 360, the test images of digits; got 361."),
        (["--shots", "0"], "`shots` must be at least 1; got 0."),
        (["--mitigation", "afine"], "`mitigation` must be one of none, readout, affine, zne; got 'afine'."),
        (["--checkpoint", "7"], "`checkpoint` must be 60, the step that"),
        (["--resume", "nothing"], "device --status` lists those of a run."),
        (["--images", "0"], "`images` must be at least 1; got 0."),
        (
            ["--suppression", "twirling"],
            "--suppression needs a real device, which does it while it runs;",
        ),
        (
            ["--suppression", "twirl"],
            "`suppression` must be one of decoupling, gate_twirling, readout_twirling; got 'twirl'.",
        ),
        (["--seed", "-1"], "`seed` must be at least 0 and at most 2147483647; got -1."),
    ],
)
def test_mistakes_are_one_line(run, arguments, sentence, monkeypatch, capsys):
    """In this process, which has loaded TensorFlow already; the test below sees the whole of stderr."""
    monkeypatch.setattr(sys, "argv", ["ibmq_infer", "--run", str(run), *arguments])
    assert run_command(ibmq_infer.main) == 2
    errors = capsys.readouterr().err
    assert sentence in errors
    assert errors.startswith("error: ") and errors.count("\n") == 1


@pytest.mark.parametrize("rows", ["0", "20", "50"])
def test_too_small_jobs_are_refused_at_the_door(rows, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["ibmq_infer", "--run", "nowhere", "--job-rows", rows])  # before the run is read
    assert run_command(ibmq_infer.main) == 2
    assert capsys.readouterr().err == (
        f"error: `job_rows` must be above 50, the calibration rows that a job begins with; got {rows}.\n"
    )


def test_a_run_without_probe_or_quantum_head(here, tmp_path):
    made = here("trainers/pretrain.py", "--runs-dir", tmp_path, "--name", "bare", *SMALL[:4], "--steps", "2")
    assert made.returncode == 0, made.stderr
    done = infer(here, tmp_path / "bare")
    remedy = f"probe the run with `python trainers/linear_eval.py {tmp_path / 'bare'}`."
    assert done.stderr.endswith(f"probe.json does not exist; {remedy}\n")
    settings = json.loads((tmp_path / "bare" / "config.json").read_text())
    (tmp_path / "bare" / "config.json").write_text(json.dumps(settings | {"head": "identity"}))
    done = infer(here, tmp_path / "bare")
    assert "`head` must be quantum for a device;" in done.stderr
