"""The twin of a device: a head's circuit as that device runs it, every gate with the calibrated error of its qubits.

The head is compiled with its symbols kept, by the code that compiles device runs. What Aer's noise model holds of the
calibration follows each gate: relaxation while the gate lasts, the depolarizing remainder of its error, and both
readout errors. The result is simulated exactly (`quantum.pauli_simulator`).
"""

import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cirq
import numpy as np
import sympy
from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, ParameterExpression
from qiskit.quantum_info import Kraus, Operator

from qssl_tf.compiler.compile import compile_head
from qssl_tf.compiler.compiled import READ, Compiled
from qssl_tf.compiler.noise_model import Errors, calibrated_errors
from qssl_tf.compiler.regions import acting, used_qubits
from qssl_tf.compiler.snapshots import (
    calibration_checksum,
    calibration_date,
    snapshot,
    snapshot_names,
)
from qssl_tf.compiler.translate import to_qiskit
from qssl_tf.compiler.working_parts import check_width
from qssl_tf.errors import UserError, shown
from qssl_tf.quantum.gates import shared_gate
from qssl_tf.quantum.gatewise import GatewiseCircuit
from qssl_tf.quantum.noise import DEPHASING, readout_errors
from qssl_tf.quantum.observables import support_mask
from qssl_tf.quantum.pauli_simulation import PauliSimulation
from qssl_tf.quantum.pauli_simulator import prepared
from qssl_tf.quantum.simulators import PAULI_WIDTH
from qssl_tf.quantum.spec import CircuitSpec
from qssl_tf.quantum.transfer import Transfer, transfer_of_channel, transfer_of_gate

HALF_PI = np.pi / 2
# A device's gates with angles as rotations, the first to act first: (gate of Cirq, number of its angle, or an angle).
ROTATIONS: dict[str, tuple[tuple[Any, int | float], ...]] = {
    "rx": ((cirq.XPowGate, 0),),
    "ry": ((cirq.YPowGate, 0),),
    "rz": ((cirq.ZPowGate, 0),),
    "rzz": ((cirq.ZZPowGate, 0),),
    "p": ((cirq.ZPowGate, 0),),
    "u1": ((cirq.ZPowGate, 0),),
    "u2": ((cirq.ZPowGate, 1), (cirq.YPowGate, HALF_PI), (cirq.ZPowGate, 0)),
    "u3": ((cirq.ZPowGate, 2), (cirq.YPowGate, 0), (cirq.ZPowGate, 1)),
    "u": ((cirq.ZPowGate, 2), (cirq.YPowGate, 0), (cirq.ZPowGate, 1)),
}


@dataclass(frozen=True, eq=False)
class Twin:
    """A head's circuit as a device runs it.

    Attributes:
        device: Name of the device.
        compiled: The circuit in the device's gates, inputs and weights still symbols.
        calibrated: When the device was calibrated (ISO 8601); None where it does not say.
        checksum: SHA-256 of the calibration.
        simulation: The same circuit with its noise, exact.
    """

    device: str
    compiled: Compiled
    calibrated: str | None
    checksum: str
    simulation: PauliSimulation

    def bound(self, weights: Mapping[str, float]) -> Compiled:
        """Return the circuit with its weights, in radians by their symbols' names; the inputs stay symbols."""
        circuit = self.compiled.circuit
        values = {symbol: weights[symbol.name] for symbol in circuit.parameters if symbol.name in weights}
        return dataclasses.replace(self.compiled, circuit=circuit.assign_parameters(values))

    def record(self) -> dict[str, Any]:
        """Return what a run keeps of it: enough to notice later that the device is no longer the same."""
        return {
            "device": self.device,
            "calibrated": self.calibrated,
            "checksum": self.checksum,
            "initial_layout": self.compiled.initial_layout,
            "layout": self.compiled.layout,
            "two_qubit_gates": self.compiled.two_qubit_gates,
            "estimated_success": self.compiled.success,
        }


_twins: dict[tuple, Twin] = {}
_simulations: dict[tuple, PauliSimulation] = {}


def twin(spec: CircuitSpec, name: str) -> Twin:
    """Return the twin of a head on a device; compiled once for equal circuits.

    Args:
        spec: The head's circuit.
        name: Of a calibration snapshot.

    Raises:
        UserError: No such snapshot, or one that cannot run the circuit.
    """
    key = (spec.key, name)
    if key not in _twins:
        try:
            backend = snapshot(name)
        except UserError:
            near = difflib.get_close_matches(name, snapshot_names(), n=1)
            raise UserError(
                "`noise` must be none, channels such as depolarizing=0.01, or the name of a calibration snapshot such "
                f"as fake_paris; got {shown(name)}.{f' Did you mean {near[0]!r}?' if near else ''}"
            ) from None
        _twins[key] = twin_on(spec, backend)
    return _twins[key]


def twin_simulation(spec: CircuitSpec, name: str, shots: int | None) -> PauliSimulation:
    """Return the simulation of a head's twin; one object for equal circuits, devices and shots."""
    key = (spec.key, name, shots)
    if key not in _simulations:
        _simulations[key] = dataclasses.replace(twin(spec, name).simulation, shots=shots)
    return _simulations[key]


def twin_on(spec: CircuitSpec, backend: Any) -> Twin:
    """Return the twin of a head on a backend, compiled for the layout of the highest estimated success.

    Layouts on more qubits than needed are left out, since each takes four times the memory.

    Raises:
        UserError: The backend has too few qubits, or its gates cannot make the circuit.
    """
    check_width(backend, len(spec.qubits), "`noise` must name a device with")
    candidates = compile_head(to_qiskit(spec.measurement_circuit, spec.qubits)[0], backend)
    fewest = min(candidate.active for candidate in candidates)
    if fewest > PAULI_WIDTH:
        raise UserError(
            f"`noise` must be a device on which {len(spec.qubits)} qubits reach each other over at most {PAULI_WIDTH}; "
            f"on {backend.name} they take {fewest}."
        )
    for candidate in candidates:
        if candidate.active != fewest:
            continue
        run = simulated(spec, candidate, calibrated_errors(backend, used_qubits(candidate.circuit)))
        if run is not None:
            date, checksum = calibration_date(backend), calibration_checksum(backend)
            return Twin(backend.name, candidate, date, checksum, run)
    raise UserError(
        f"`noise` must be channels for the ansatz '{spec.ansatz_name}': compiled for {backend.name}, its data enter "
        f"behind gates on two qubits; `qssl noise {backend.name}` prints the device's noise as channels."
    )


def simulated(spec: CircuitSpec, compiled: Compiled, errors: Errors) -> PauliSimulation | None:
    """Return a compiled head with a device's noise, exact; None where data enter behind gates on two qubits.

    Args:
        spec: The head's circuit.
        compiled: The same in the device's gates, from `compile_head`.
        errors: Of its qubits; those of another day than it was compiled for do as well.
    """
    wire = {place: number for number, place in enumerate(used_qubits(compiled.circuit))}
    gates = _angles(compiled.circuit, spec)
    steps = [*_gates(compiled.circuit, errors, wire), *_readout(errors, compiled.layout, wire)]
    support = np.zeros((len(wire), len(spec.observables)))
    support[[wire[place] for place in compiled.layout]] = support_mask(spec.observables, spec.qubits)
    return prepared(gates, steps, support, len(spec.inputs), None)


def _is_symbolic(angle: Any) -> bool:
    return isinstance(angle, ParameterExpression) and bool(angle.parameters)


def _rotations(item: CircuitInstruction) -> list[tuple[Any, Any]]:
    """Return the rotations of a gate, each with its angle, the first to act first; [] of a gate without symbols."""
    angles = item.operation.params
    if not any(map(_is_symbolic, angles)):
        return []
    parts = ROTATIONS[item.operation.name]
    return [(kind, angles[angle] if isinstance(angle, int) else angle) for kind, angle in parts]


def _angles(circuit: QuantumCircuit, spec: CircuitSpec) -> GatewiseCircuit:
    """Return how each gate's angle depends on the head's symbols."""
    column = {str(symbol): number for number, symbol in enumerate(spec.inputs + spec.weights)}
    angles = [angle for item in acting(circuit) for _, angle in _rotations(item) if _is_symbolic(angle)]
    slopes, offsets = np.zeros((len(angles), len(column))), np.zeros(len(angles))
    for number, angle in enumerate(angles):
        for symbol in angle.parameters:
            slopes[number, column[symbol.name]] = float(angle.gradient(symbol))  # a number: the angles are linear
        offsets[number] = float(angle.bind(dict.fromkeys(angle.parameters, 0.0)))
    names = tuple(f"g_{number:05d}" for number in range(len(angles)))
    return GatewiseCircuit(
        (), names, slopes.T.astype(np.float32), offsets.astype(np.float32), np.zeros(len(angles), bool)
    )


def _gates(circuit: QuantumCircuit, errors: Errors, wire: dict[int, int]) -> Iterator[Transfer]:
    """Yield what each gate does and the error behind it."""
    channels: dict[Any, np.ndarray] = {}
    last, angle = next(register for register in circuit.cregs if register.name == READ), 0
    for item in acting(circuit):
        name, place = item.operation.name, tuple(circuit.find_bit(qubit).index for qubit in item.qubits)
        wires = tuple(wire[number] for number in place)
        if name == "measure":
            if item.clbits[0] not in last:  # between layers, its outcome is not kept
                yield Transfer(wires, transfer_of_channel(cirq.kraus(DEPHASING))[np.newaxis])
            continue
        for rotation, value in _rotations(item):
            terms = _terms(rotation, len(wires))
            if _is_symbolic(value):
                yield Transfer(wires, terms, angle)
                angle += 1
            else:
                yield Transfer(wires, np.tensordot(_functions(float(value)), terms, 1)[np.newaxis])
        if not _rotations(item):
            kind = (name, tuple(map(float, item.operation.params)))
            if kind not in channels:
                channels[kind] = transfer_of_channel([Operator(item.operation).data])
            yield Transfer(wires[::-1], channels[kind][np.newaxis])  # Qiskit's first qubit is the least significant
        if (name, place) in errors.gates:
            if (name, place) not in channels:
                channels[name, place] = transfer_of_channel(Kraus(errors.gates[name, place]).data)
            yield Transfer(wires[::-1], channels[name, place][np.newaxis])


def _terms(rotation: Any, wires: int) -> np.ndarray:
    """Return the terms of a rotation, which is the same whichever of its qubits comes first."""
    operation = rotation(exponent=sympy.Symbol("angle") / sympy.pi)(*cirq.LineQubit.range(wires))
    return transfer_of_gate(shared_gate(operation, tuple(range(wires)), 0).terms)


def _functions(angle: float) -> np.ndarray:
    """Return what the terms of a gate belong to."""
    return np.array([1.0, np.cos(angle), np.sin(angle), np.cos(angle / 2), np.sin(angle / 2)])


def _readout(errors: Errors, layout: list[int], wire: dict[int, int]) -> Iterator[Transfer]:
    """Yield the errors of reading the qubits of a layout."""
    qubit = cirq.LineQubit(0)
    for place in layout:
        gained, lost = errors.readout[place]
        for operation in readout_errors([qubit], {"readout_0": gained, "readout_1": lost}).all_operations():
            yield Transfer((wire[place],), transfer_of_channel(cirq.kraus(operation))[np.newaxis])
