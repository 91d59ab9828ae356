"""Aer's noise model of a calibrated device: of all its qubits, or of those that a circuit uses."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from qiskit.transpiler import Target

from qssl_tf.compiler.snapshots import readout_flips
from qssl_tf.compiler.working_parts import error_of


class Neighbourhood:
    """Some qubits of a backend under their own numbers, with the gates among them: what Aer reads of a calibration."""

    version = 2  # of Qiskit's interface, by which Aer knows that there is a target

    def __init__(self, backend: Any, qubits: Sequence[int]):
        """Take from `backend` the gates whose qubits are all among `qubits`."""
        whole = backend.target
        # Aer reads no relaxation times where a single qubit lacks its entry, so the others keep theirs.
        self.target = Target(num_qubits=whole.num_qubits, dt=whole.dt, qubit_properties=whole.qubit_properties)
        for name in whole.operation_names:
            table = whole[name] or {}
            places = {place: entry for place, entry in table.items() if place and set(place) <= set(qubits)}
            if places:
                self.target.add_instruction(whole.operation_from_name(name), places, name=name)
        self.operation_names, self.dt = list(self.target.operation_names), whole.dt


def noise_model(backend: Any, qubits: Sequence[int] | None = None) -> Any:
    """Return Aer's noise model of a backend's calibration, with the readout errors of 0 and 1 apart where it has both.

    Aer takes one number for both, although they differ several times on some qubits.

    Args:
        backend: A Qiskit backend.
        qubits: Those that matter; None is all, which takes seconds on large devices.
    """
    from qiskit_aer.noise import NoiseModel, ReadoutError

    if backend.num_qubits is None:  # a simulator of any number of qubits
        return NoiseModel()
    with warnings.catch_warnings():  # it warns where there are no relaxation times, which are then no noise
        warnings.simplefilter("ignore", UserWarning)
        model = NoiseModel.from_backend(backend if qubits is None else Neighbourhood(backend, qubits))
    with _no_log():  # it warns that the symmetric error is replaced, which is the purpose
        for qubit, (gained, lost) in readout_flips(backend).items():
            if qubits is None or qubit in qubits:
                model.add_readout_error(ReadoutError([[1 - gained, gained], [lost, 1 - lost]]), [qubit])
    return model


@dataclass(frozen=True)
class Errors:
    """The calibrated errors of some qubits.

    Attributes:
        gates: Aer's error of each gate, by its name and place: what `noise_model` holds.
        readout: For each qubit, how likely a 0 is read as 1, and a 1 as 0.
    """

    gates: dict[tuple[str, tuple[int, ...]], Any]
    readout: dict[int, tuple[float, float]]


def calibrated_errors(backend: Any, qubits: Sequence[int]) -> Errors:
    """Return the errors of some qubits of a backend, and of the gates among them."""
    flips = readout_flips(backend)
    both = {qubit: error_of(backend.target, "measure", (qubit,)) for qubit in qubits}
    readout = {qubit: flips.get(qubit, (both[qubit], both[qubit])) for qubit in qubits}
    return Errors(gate_errors(Neighbourhood(backend, qubits).target), readout)


def gate_errors(target: Target) -> dict[tuple[str, tuple[int, ...]], Any]:
    """Return Aer's error of each gate of a target, by name and place."""
    from qiskit_aer.noise.device import basic_device_gate_errors

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="qiskit_aer.noise")
        return {(name, tuple(place)): error for name, place, error in basic_device_gate_errors(target=target)}


@contextmanager
def _no_log() -> Iterator[None]:
    log = logging.getLogger("qiskit_aer.noise.noise_model")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before
