"""Calibrations of another day: the errors of some qubits, larger or smaller, or with the qubits' numbers exchanged."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from qiskit.circuit import Measure
from qiskit.transpiler import InstructionProperties, QubitProperties, Target

from qssl_tf.compiler.noise_model import Errors, Neighbourhood, calibrated_errors, gate_errors


def drifted_errors(backend: Any, qubits: Sequence[int], scale: float = 1.0, seed: int | None = None) -> Errors:
    """Return the errors of some qubits of a backend after a drift.

    Args:
        backend: A Qiskit backend.
        qubits: Physical qubits.
        scale: By which gate errors and readout errors are multiplied, and relaxation times divided.
        seed: Of a permutation that hands each qubit all numbers of another one (relaxation times, errors of its own
            gates, readout errors), and each coupled pair those of another; None leaves them in place.
    """
    rng = None if seed is None else np.random.default_rng(seed)
    today, target = calibrated_errors(backend, qubits), Neighbourhood(backend, qubits).target
    exchanged = _exchanged([(qubit,) for qubit in qubits], rng)
    of_qubit = {qubit: exchanged[(qubit,)][0] for qubit in qubits}
    times = [
        QubitProperties(*(None if time is None else time / scale for time in (entry.t1, entry.t2)), entry.frequency)
        for entry in (target.qubit_properties[of_qubit.get(qubit, qubit)] for qubit in range(target.num_qubits))
    ]
    later = Target(num_qubits=target.num_qubits, dt=target.dt, qubit_properties=times)
    for name in target.operation_names:
        table, operation = target[name], target.operation_from_name(name)
        if isinstance(operation, Measure):
            continue
        pairs = operation.num_qubits == 2
        source = _exchanged(sorted(table), rng) if pairs else {place: exchanged[place] for place in table}
        entries = {place: _scaled(table[source[place]], table[place], scale) for place in table}
        later.add_instruction(operation, entries, name=name)
    flips = {}
    for qubit, other in of_qubit.items():
        gained, lost = today.readout[other]
        flips[qubit] = (min(scale * gained, 0.5), min(scale * lost, 0.5))
    return Errors(gate_errors(later), flips)


def _exchanged(places: Sequence[tuple[int, ...]], rng: np.random.Generator | None) -> dict:
    """Return the place from which each place gets its numbers."""
    order = range(len(places)) if rng is None else rng.permutation(len(places))
    return {place: places[number] for place, number in zip(places, order, strict=True)}


def _scaled(source: Any, own: Any, scale: float) -> InstructionProperties | None:
    """Return the entry of `source` with its error scaled, lasting as long as the place's own gate."""
    if source is None or own is None:
        return own
    error = None if source.error is None else min(scale * source.error, 1.0)
    return InstructionProperties(duration=own.duration, error=error)
