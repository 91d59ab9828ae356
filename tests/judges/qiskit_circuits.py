"""The circuits of the library built a second time, gate by gate in Qiskit, from their published definitions."""

import numpy as np
from qiskit import QuantumCircuit
from qiskit.quantum_info import Pauli, Statevector


def ansatz_circuit(name, n, layers, theta):
    """Return the ansatz with the numbers `theta` as its weights."""
    circuit, w = QuantumCircuit(n), iter(theta)
    ring = list(range(n))

    def ry_all():
        for q in ring:
            circuit.ry(next(w), q)

    def half(link):
        ry_all()
        for i in ring:
            link(next(w), i, (i + 1) % n)

    def double(link, parametrized=True):
        ry_all()
        for i in ring[::-1]:
            link(*([next(w)] if parametrized else []), i, (i + 1) % n)
        ry_all()
        for i in ring:
            c = (i - 1) % n
            link(*([next(w)] if parametrized else []), c, (c + 3) % n)

    if name == "all_to_all":
        ry_all()
    for layer in range(layers):
        if name in ("ring", "sim14_half"):
            half(circuit.crx)
        elif name == "sim13_half":
            half(circuit.crz)
        elif name == "sim13":
            double(circuit.crz)
        elif name == "sim14":
            double(circuit.crx)
        elif name == "sim15":
            double(circuit.cx, parametrized=False)
        elif name == "all_to_all":
            for i in ring:
                for j in range(i + 1, n):
                    circuit.cx(i, j)
            ry_all()
        elif name == "sim19":
            for gate in (circuit.rx, circuit.rz):
                for q in ring:
                    gate(next(w), q)
            circuit.crx(next(w), n - 1, 0)
            for i in ring[:0:-1]:
                circuit.crx(next(w), i - 1, i)
        elif name == "farhi":
            for gate in (circuit.rxx, circuit.rzx):
                for i in ring[:-1]:
                    gate(next(w), n - 1, i)
        elif name == "tdcnot":
            for a in [*ring[:-1:2], *ring[1::2]]:
                b = (a + 1) % n
                circuit.ry(next(w), a)
                circuit.ry(next(w), b)
                circuit.cx(a, b)
                circuit.rz(next(w), a)
                circuit.rz(next(w), b)
        elif name == "none":
            ry_all()
        elif name == "strongly_entangling":
            for q in ring:
                circuit.rz(next(w), q)
                circuit.ry(next(w), q)
                circuit.rz(next(w), q)
            for i in ring:
                circuit.cx(i, (i + layer % (n - 1) + 1) % n)
    assert next(w, None) is None, "weights left over"
    return circuit


def encoding_circuit(name, n, x):
    circuit = QuantumCircuit(n)
    if name == "amplitude":
        x = np.asarray(x, float)
        amplitudes = x / np.linalg.norm(x)
        circuit.prepare_state(Statevector(amplitudes).reverse_qargs(), range(n))  # our qubit 0 is the first bit
        return circuit
    for q in range(n):
        if name in ("angle", "reuploading"):
            circuit.rx(x[q], q)
        elif name == "angle_y":
            circuit.ry(x[q], q)
        elif name == "zz":
            circuit.h(q)
            circuit.rz(x[q], q)
    if name == "zz":
        for i in range(n):
            for j in range(i + 1, n):
                circuit.rzz((x[i] - np.pi / 2) * (x[j] - np.pi / 2), i, j)
    return circuit


def state(ansatz, encoding, n, layers, x, theta):
    """Return the final state; with data re-uploading the encoding stands before each layer."""
    if encoding != "reuploading":
        return Statevector(encoding_circuit(encoding, n, x).compose(ansatz_circuit(ansatz, n, layers, theta)))
    circuit, place = QuantumCircuit(n), 0
    for layer in range(layers):
        count = len(theta) // layers if ansatz != "all_to_all" else (2 * n if layer == 0 else n)
        part = theta[place : place + count]
        piece = ansatz_layer(ansatz, n, layer, part)
        circuit = circuit.compose(encoding_circuit(encoding, n, x)).compose(piece)
        place += count
    return Statevector(circuit)


def ansatz_layer(name, n, layer, theta):
    """Return one layer alone, as it stands at place `layer` of a deeper circuit."""
    if name == "all_to_all" and layer:
        return ansatz_circuit(name, n, 1, [*np.zeros(n), *theta])  # the front rotations stand once only
    if name == "strongly_entangling" and layer:
        whole = ansatz_circuit(name, n, layer + 1, [*np.zeros(3 * n * layer), *theta])
        undo = ansatz_circuit(name, n, layer, np.zeros(3 * n * layer)).inverse()
        return undo.compose(whole)
    return ansatz_circuit(name, n, 1, theta)


def z_expectations(final, n):
    return np.array([final.expectation_value(Pauli("Z"), [q]).real for q in range(n)])
