"""Pauli transfer matrices against their definition, written as loops, and against what every channel keeps."""

from itertools import product

import cirq
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qssl_tf.quantum.gates import embed
from qssl_tf.quantum.gatewise import gatewise
from qssl_tf.quantum.transfer import pauli_products, transfer_of_channel, transfers

MATRICES = [cirq.unitary(gate) for gate in (cirq.I, cirq.X, cirq.Y, cirq.Z)]
FIRST, SECOND = cirq.LineQubit.range(2)
CHANNELS = [
    cirq.depolarize(0.3),
    cirq.amplitude_damp(0.2),
    cirq.phase_damp(0.4),
    cirq.bit_flip(0.1),
    cirq.phase_flip(0.5),
    cirq.generalized_amplitude_damp(0.3, 0.6),
]


def by_loops(kraus):
    """R_ij = 2^-k Tr(P_i E(P_j)), entry by entry."""
    count = len(kraus[0]).bit_length() - 1
    words = list(product(MATRICES, repeat=count))
    paulis = [np.kron(*word) if count == 2 else word[0] for word in words]
    found = np.zeros((4**count, 4**count))
    for i, left in enumerate(paulis):
        for j, right in enumerate(paulis):
            image = sum(k @ right @ k.conj().T for k in kraus)
            found[i, j] = np.trace(left @ image).real / 2**count
    return found


@pytest.mark.parametrize("channel", CHANNELS, ids=str)
def test_channels_are_their_definition(channel):
    np.testing.assert_allclose(transfer_of_channel(cirq.kraus(channel)), by_loops(cirq.kraus(channel)), atol=1e-12)


@pytest.mark.parametrize(
    "gate",
    [
        lambda a: cirq.rx(a)(FIRST),
        lambda a: cirq.ry(2 * a + 0.3)(FIRST),
        lambda a: cirq.rz(a)(FIRST).controlled_by(SECOND),
        lambda a: cirq.rx(a)(SECOND).controlled_by(FIRST, control_values=[0]),
        lambda a: cirq.ZZPowGate(exponent=a / np.pi, global_shift=-0.5)(SECOND, FIRST),
    ],
)
@pytest.mark.parametrize("angle", [-2.1, 0.0, 0.7, 5.0])
def test_a_gate_is_the_sum_of_its_five_terms_at_any_angle(gate, angle):
    import sympy

    symbol = sympy.Symbol("a")
    circuit = gatewise(cirq.Circuit(gate(symbol)), (symbol,))
    (step,) = transfers(circuit, (FIRST, SECOND))
    turn = float(angle * circuit.matrix[0, 0] + circuit.offset[0])
    functions = [1, np.cos(turn), np.sin(turn), np.cos(turn / 2), np.sin(turn / 2)]
    found = embed(np.tensordot(functions, step.terms, 1), step.wires, (0, 1), base=4)
    unitary = cirq.Circuit(gate(angle), cirq.I(FIRST), cirq.I(SECOND)).unitary(qubit_order=(FIRST, SECOND))
    np.testing.assert_allclose(found, by_loops([unitary]), atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 2), st.integers(1, 4), st.integers(0, 2**31))
def test_every_channel_keeps_traces_and_positive_states(count, operators, seed):
    """Kraus operators drawn at random and normalised: trace preserving, and completely positive by its Choi matrix."""
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(operators, 2**count, 2**count)) + 1j * rng.normal(size=(operators, 2**count, 2**count))
    total = np.einsum("kij,kil->jl", drawn.conj(), drawn)
    values, vectors = np.linalg.eigh(total)
    kraus = drawn @ (vectors / np.sqrt(values)) @ vectors.conj().T
    matrix = transfer_of_channel(kraus)
    np.testing.assert_allclose(matrix[0], np.eye(4**count)[0], atol=1e-9)
    paulis = pauli_products(count)
    choi = sum(
        matrix[i, j] * np.kron(paulis[j].T, paulis[i]) for i in range(4**count) for j in range(4**count)
    ) / 4**count  # fmt: skip
    assert np.linalg.eigvalsh(choi).min() > -1e-9 and np.trace(choi) == pytest.approx(1)


def test_wires_keep_their_order():
    left, right = by_loops([cirq.unitary(cirq.rx(0.3))]), by_loops([cirq.unitary(cirq.ry(1.1))])
    product = embed(left, (5,), (2, 5), base=4) @ embed(right, (2,), (2, 5), base=4)
    np.testing.assert_allclose(product, np.kron(right, left))
