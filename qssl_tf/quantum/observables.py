"""What is measured: products of Pauli matrices that all agree on the basis of each qubit, so that shots are shared."""

import math
import re
from collections.abc import Sequence

import cirq
import numpy as np

from qssl_tf.errors import UserError

PAULIS = {"X": cirq.X, "Y": cirq.Y, "Z": cirq.Z}
# Rotations that turn the eigenvectors of X and Y into those of Z, eigenvalue +1 to |0>.
BASIS_CHANGE = {cirq.X: cirq.ry(-math.pi / 2), cirq.Y: cirq.rx(math.pi / 2)}
NAMED = ("z", "z_zz")


def observables(words: str, qubits: Sequence[cirq.Qid]) -> tuple[cirq.PauliString, ...]:
    """Return the observables that `words` means.

    Args:
        words: `z` (Z of each qubit, the paper's), `z_zz` (those and Z_i Z_j for i < j), or products such as
            `Z0,X1X2`, separated by commas.
        qubits: In order.

    Raises:
        UserError: The words cannot be read, name a qubit that is not there, or measure one qubit in two bases.
    """
    single: list[cirq.PauliString] = [cirq.PauliString({qubit: cirq.Z}) for qubit in qubits]
    if words == "z":
        return tuple(single)
    if words == "z_zz":
        pairs = [single[i] * single[j] for i in range(len(qubits)) for j in range(i + 1, len(qubits))]
        return (*single, *pairs)
    products = tuple(_product(word.strip(), words, qubits) for word in words.split(","))
    if len(set(products)) < len(products):
        raise UserError(f"`observables` must be different; got one of them twice in {words!r}.")
    return _in_one_basis(products)


def _product(word: str, words: str, qubits: Sequence[cirq.Qid]) -> cirq.PauliString:
    if not re.fullmatch(r"([XYZ]\d+)+", word):
        raise UserError(
            f"`observables` must be one of {', '.join(NAMED)}, or products such as 'Z0,X1X2'; got {words!r}."
        )
    factors = [(letter, int(number)) for letter, number in re.findall(r"([XYZ])(\d+)", word)]
    numbers = [number for _, number in factors]
    if max(numbers) >= len(qubits):
        raise UserError(
            f"`observables` must be on qubits 0 to {len(qubits) - 1} at `width` {len(qubits)}; got {word!r}."
        )
    if len(set(numbers)) != len(numbers):
        raise UserError(f"`observables` must name each qubit once in a product; got {word!r}.")
    return cirq.PauliString({qubits[number]: PAULIS[letter] for letter, number in factors})


def _in_one_basis(products: tuple[cirq.PauliString, ...]) -> tuple[cirq.PauliString, ...]:
    basis: dict[cirq.Qid, cirq.Pauli] = {}
    for product in products:
        for qubit, pauli in product.items():
            if basis.setdefault(qubit, pauli) != pauli:
                raise UserError(
                    f"`observables` must measure each qubit in one basis, since all share the same shots; "
                    f"qubit {qubit.col} has {basis[qubit]} and {pauli}."
                )
    return products


def members(products: Sequence[cirq.PauliString], qubits: Sequence[cirq.Qid]) -> np.ndarray:
    """Return 1 where a qubit belongs to an observable, else 0, shape (qubits, observables)."""
    return np.array([[float(qubit in product.qubits) for product in products] for qubit in qubits])


def basis_change(products: Sequence[cirq.PauliString]) -> cirq.Circuit:
    """Return the gates after which every observable is a product of Z."""
    pauli_of = {qubit: pauli for product in products for qubit, pauli in product.items()}
    return cirq.Circuit(
        BASIS_CHANGE[pauli](qubit) for qubit, pauli in sorted(pauli_of.items()) if pauli in BASIS_CHANGE
    )
