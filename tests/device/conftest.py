"""What device runs of the tests record beside what each test is about."""

import pytest


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
