"""Gates and channels as Pauli transfer matrices: real, and closed under noise.

A density matrix is written as rho = 2^-k sum_i r_i P_i with the 4^k products of I, X, Y, Z, the first wire being the
most significant digit of i. A channel E is the real matrix R_ij = 2^-k Tr(P_i E(P_j)), so that r becomes R r
(Greenbaum, arXiv:1509.02921, Sec. 2.2). An observable sum_i o_i P_i has the expectation o . r, and goes backwards by
R^T.

A gate's angle enters by five functions: 1, cos a, sin a, cos a/2 and sin a/2, the last two under controls alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import cirq
import numpy as np

from qssl_tf.quantum.gates import shared_gate
from qssl_tf.quantum.gatewise import GatewiseCircuit

PAULIS = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
FUNCTIONS = 5


@dataclass(frozen=True, eq=False)  # told apart by identity: arrays have no single truth
class Transfer:
    """What one gate or channel does to Pauli coefficients.

    Attributes:
        wires: Numbers of the qubits; the first is the most significant digit of the matrices' indices.
        terms: float64, shape (5, 4^k, 4^k): the matrices that belong to 1, cos a, sin a, cos a/2, sin a/2; or (1, 4^k,
            4^k) without an angle.
        angle: The gate's number in the gatewise circuit; None if it has no angle.
    """

    wires: tuple[int, ...]
    terms: np.ndarray
    angle: int | None = None


def pauli_products(count: int) -> np.ndarray:
    """Return all products of I, X, Y, Z on `count` qubits, complex128, shape (4^count, 2^count, 2^count)."""
    return reduce(lambda left, right: np.einsum("aij,bkl->abikjl", left, right).reshape(
        len(left) * 4, left.shape[1] * 2, left.shape[2] * 2), [PAULIS] * count)  # fmt: skip


def transfer_of_channel(kraus: Sequence[np.ndarray]) -> np.ndarray:
    """Return the transfer matrix of a channel from its Kraus operators, float64, shape (4^k, 4^k)."""
    return np.sum([_sandwich(operator, operator) for operator in kraus], axis=0).real


def transfer_of_gate(terms: np.ndarray) -> np.ndarray:
    """Return the five matrices of a gate T_0 + cos(a/2) T_1 + sin(a/2) T_2, float64, shape (5, 4^k, 4^k)."""
    product = {(a, b): _sandwich(terms[a], terms[b]) for a in range(3) for b in range(3)}
    even, odd = product[1, 1] + product[2, 2], product[1, 1] - product[2, 2]  # cos^2 = (1 + cos a) / 2, and so on
    return np.stack(
        [
            product[0, 0] + even / 2,
            odd / 2,
            (product[1, 2] + product[2, 1]) / 2,
            product[0, 1] + product[1, 0],
            product[0, 2] + product[2, 0],
        ]
    ).real


def _sandwich(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return 2^-k Tr(P_i L P_j R^dagger) for all i and j."""
    size = len(left)
    products = pauli_products(size.bit_length() - 1)
    moved = left @ products @ right.conj().T  # L P_j R^dagger
    return np.einsum("iab,jba->ij", products, moved, optimize=True) / size


def transfers(circuit: GatewiseCircuit, qubits: Sequence[cirq.Qid]) -> Iterator[Transfer]:
    """Yield what the operations of a gatewise circuit do, in order, channels included; qubit i is wire i."""
    wire = {qubit: number for number, qubit in enumerate(qubits)}
    number = {name: angle for angle, name in enumerate(circuit.names)}
    for operation in circuit.operations:
        wires = tuple(wire[qubit] for qubit in operation.qubits)
        if cirq.is_parameterized(operation):
            (name,) = cirq.parameter_names(operation)
            gate = shared_gate(operation, wires, number[name])
            yield Transfer(wires, transfer_of_gate(gate.terms), number[name])
        else:
            yield Transfer(wires, transfer_of_channel(cirq.kraus(operation))[np.newaxis])
