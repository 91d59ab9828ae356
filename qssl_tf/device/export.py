"""Exports a trained circuit for other programs, with a description of its parameters and of how to read its bits."""

from collections.abc import Callable
from typing import Any, BinaryIO

from qiskit import ClassicalRegister, QuantumCircuit, qasm2, qasm3, qpy, transpile

from qssl_tf.compiler.compiled import READ
from qssl_tf.quantum.observables import BASIS_CHANGE
from qssl_tf.quantum.spec import CircuitSpec

# The gates of qelib1.inc as it was published with OpenQASM 2 (arXiv:1707.03429). Qiskit's own file has more, which
# other programs may not know.
QELIB1 = (
    "u3", "u2", "u1", "cx", "id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "rx", "ry", "rz",
    "cz", "cy", "ch", "ccx", "crz", "cu1", "cu3",
)  # fmt: skip


def _as_qasm2(circuit: QuantumCircuit) -> str:
    """Return a circuit without free parameters in OpenQASM 2; all gates are those of QELIB1, or are made of them."""
    return qasm2.dumps(transpile(circuit, basis_gates=[*QELIB1], optimization_level=0))


# Form -> what writes a circuit as it.
FORMS: dict[str, Callable[[QuantumCircuit, BinaryIO], Any]] = {
    "qasm2": lambda circuit, file: file.write(_as_qasm2(circuit).encode()),
    "qasm3": lambda circuit, file: file.write(qasm3.dumps(circuit).encode()),
    "qpy": qpy.dump,
}
BOUND = ("qasm2",)  # forms without free parameters
READING = (
    "Measure every qubit after the last gate, as the circuit of the file with `measured` in its name does into its "
    f"bits `{READ}`; bit i is the outcome of qubit i. An observable is +1 in a shot where an even number of its "
    "bits are 1, else -1; its expectation is the mean over the shots."
)
BASIS = (
    " The last gates of the circuit turn {words} into Z already: read the bits as they come, and measure in no other "
    "basis."
)
BETWEEN = " What the measurement in the middle writes into the bits `between` is not read."


def measured(circuit: QuantumCircuit) -> QuantumCircuit:
    """Return a circuit with each qubit measured after its last gate, qubit i into bit i of the register READ."""
    read = circuit.copy()
    bits = ClassicalRegister(circuit.num_qubits, READ)
    read.add_register(bits)
    read.measure(range(circuit.num_qubits), bits)
    return read


def manual(spec: CircuitSpec) -> dict[str, Any]:
    """Return how the circuit from `translate.translated` is fed and read, as a JSON object.

    `parameters` names each parameter's place in the encoding's angles x, `features` and `angles` say how x is made of
    the encoder's numbers f, `reading` and `observables` what the bits mean.
    """
    place = {qubit: number for number, qubit in enumerate(spec.qubits)}
    paulis = sorted({(place[q], str(p)) for o in spec.observables for q, p in o.items() if p in BASIS_CHANGE})
    reading = READING + (BASIS.format(words=", ".join(f"{p}{q}" for q, p in paulis)) if paulis else "")
    return {
        "parameters": {str(symbol): f"x[{number}], an angle in radians" for number, symbol in enumerate(spec.inputs)},
        "encoding": spec.encoding_name,
        "features": f"f[0] to f[{spec.input_size - 1}], the encoder's numbers, each from 0 to pi",
        "angles": spec.encoding.recipe,
        "reading": reading + (BETWEEN if spec.has_mid_circuit_measurement else ""),
        "observables": [
            {"product": name, "bits": sorted(map(place.get, o))}
            for name, o in zip(product_names(spec), spec.observables, strict=True)
        ],
    }


def product_names(spec: CircuitSpec) -> list[str]:
    """Return each observable as its Pauli matrices and the numbers of their qubits, such as `Z0Z1`."""
    place = {qubit: number for number, qubit in enumerate(spec.qubits)}
    return ["".join(f"{pauli}{place[qubit]}" for qubit, pauli in sorted(o.items())) for o in spec.observables]
