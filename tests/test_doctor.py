"""The doctor: what it finds on this machine, and that it finds what was broken on purpose."""

import json
import os
import stat
import time

import pytest

from qssl_tf.cli import doctor
from qssl_tf.compiler import self_test as bridge
from qssl_tf.device import service
from qssl_tf.models import self_test as gradient


def found(check, state=None):
    return [finding for finding in check() if state in (None, finding.state)]


def test_the_command_finds_no_problem_here_in_time(script, tmp_path, monkeypatch):
    began = time.monotonic()
    done = script("-m", "qssl_tf", "doctor", TFDS_DATA_DIR="")
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - began < 60 and done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0 problems"
    assert all(f" {topic}:" in done.stdout for topic in doctor.CHECKS)


def test_an_environment_that_cannot_work_is_told_and_not_raised(script):
    done = script("-m", "qssl_tf", "doctor", TF_USE_LEGACY_KERAS="1")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "PROBLEM versions: TF_USE_LEGACY_KERAS is set" in done.stdout and "unset TF_USE_LEGACY_KERAS" in done.stdout


def test_wrong_gradients_and_a_wrong_bridge_would_be_seen(monkeypatch):
    monkeypatch.setattr(gradient, "gradient_errors", lambda: {"xla": 0.4, "tfq": 1e-5})
    monkeypatch.setattr(bridge, "bridge_error", lambda: 0.3)
    problems = found(doctor.self_test, "problem")
    assert [finding.text for finding in problems] == [
        "gradients of the simulator xla differ from finite differences by 4e-01.",
        "a circuit translated to Qiskit differs from Cirq's by 3e-01.",
    ]
    assert all("report it" in finding.remedy for finding in problems)


def test_the_self_test_tells_a_wrong_gradient_from_a_right_one(monkeypatch):
    """Halving what the tape finds makes it wrong."""
    assert max(gradient.gradient_errors().values()) < gradient.TOLERANCE
    difference = gradient._central_difference
    monkeypatch.setattr(gradient, "_central_difference", lambda *arguments: 2 * difference(*arguments))
    assert min(gradient.gradient_errors().values()) > 10 * gradient.TOLERANCE


def test_accounts_are_named_without_their_tokens(tmp_path, monkeypatch):
    path = tmp_path / "qiskit-ibm.json"
    path.write_text(json.dumps({"work": {"channel": "ibm_quantum_platform", "token": "s3cret"}}))
    path.chmod(0o644)
    monkeypatch.setattr(service, "ACCOUNT_FILE", path)
    monkeypatch.setattr(service.saved_accounts, "__defaults__", (path,))
    monkeypatch.delenv("QISKIT_IBM_TOKEN", raising=False)
    ok, problem = found(doctor.account)
    assert ok.text == "saved accounts: work (ibm_quantum_platform)"
    assert problem.remedy == f"chmod 600 {path}" and "s3cret" not in f"{ok}{problem}"
    path.chmod(stat.S_IRUSR)
    assert len(found(doctor.account)) == 1
    path.chmod(0o600)
    path.write_text("no JSON")
    assert found(doctor.account, "problem")[0].text.startswith(f"{path} cannot be read (")


def test_threads_that_leave_cores_idle_are_noted(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notes = found(doctor.processors, "note")
    assert notes[0].text == "OMP_NUM_THREADS=1 leaves cores idle." and notes[0].remedy == "unset OMP_NUM_THREADS"


def test_folders_that_are_missing_are_problems(monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "nowhere"))
    problem = found(doctor.folders, "problem")[0]
    assert problem.text == f"TFDS_DATA_DIR names {tmp_path / 'nowhere'}, which does not exist."


def test_a_damaged_run_is_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert "no runs here yet" in found(doctor.newest_run)[0].text
    run = tmp_path / "runs" / "one"
    run.mkdir(parents=True)
    (run.parent / "latest").symlink_to("one")
    (run / "config.json").write_text("{}")
    (run / "probe.json").write_text("{")
    problem = found(doctor.newest_run, "problem")[0]
    assert "probe.json" in problem.text and "--resume" in problem.remedy


def test_a_check_that_fails_is_a_finding(monkeypatch):
    def broken():
        raise ImportError("libsomething.so: no such file")
        yield

    monkeypatch.setattr(doctor, "CHECKS", {"GPU": broken})
    ((topic, finding),) = doctor.examine()
    assert (topic, finding.state) == ("GPU", "problem")
    assert finding.text == "ImportError: libsomething.so: no such file." and finding.remedy


@pytest.mark.parametrize("name", doctor.CHECKS)
def test_problems_and_notes_have_remedies(name):
    assert all(finding.state == "ok" or finding.remedy or "run `" in finding.text for finding in doctor.CHECKS[name]())
