"""What device runs of the tests record beside what each test is about."""

import pytest
from judges.fake_ibm import TOKEN, FakeIBM


@pytest.fixture
def settings():
    """A function (qubits, changes) -> settings of a ledger."""

    def of(qubits, **changes):
        return {
            "backend": "fake_manila", "shots": 10, "mitigation": "none", "seed": 3, "step": 1, "two_qubit_gates": 0,
            "depth": 1, "layout": list(range(qubits)), "estimated_success": 0.5, "contrast": [1.0] * qubits,
            "class_names": ["0", "1"], "seconds": 0.0,
        } | changes  # fmt: skip

    return of


@pytest.fixture
def ibm(monkeypatch, tmp_path):
    """IBM Quantum on this machine, for Qiskit's own client; whatever asks another host fails."""
    service = FakeIBM()
    monkeypatch.setattr("urllib3.util.connection.create_connection", service.connect)
    monkeypatch.setattr("urllib3.util.retry.Retry.sleep", lambda *given: None)
    place = str(tmp_path / "accounts.json")
    monkeypatch.setattr("qiskit_ibm_runtime.accounts.management._DEFAULT_ACCOUNT_CONFIG_JSON_FILE", place)
    monkeypatch.setattr("qssl_tf.device.service.ACCOUNT_FILE", tmp_path / "accounts.json")
    for name in ("QISKIT_IBM_CHANNEL", "QISKIT_IBM_INSTANCE"):
        monkeypatch.delenv(name, raising=False)
    addresses = {"IAM_URL": "http://iam.cloud.test", "QISKIT_IBM_URL": "http://cloud.test", "NO_PROXY": "*"}
    for name, value in (addresses | {"QISKIT_IBM_TOKEN": TOKEN}).items():
        monkeypatch.setenv(name, value)
    yield service
    service.close()
