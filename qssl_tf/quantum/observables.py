"""Observables: Pauli products that commute qubit by qubit, so that all share the same shots."""

import math
import re
from collections.abc import Sequence

import cirq
import numpy as np

from qssl_tf.errors import UserError

PAULIS = {"X": cirq.X, "Y": cirq.Y, "Z": cirq.Z}
# Rotations that map the eigenvectors of X and Y to those of Z, the +1 eigenvector to |0>.
BASIS_CHANGE = {cirq.X: cirq.ry(-math.pi / 2), cirq.Y: cirq.rx(math.pi / 2)}
NAMED = ("z", "z_zz")


def observables(text: str, qubits: Sequence[cirq.Qid]) -> tuple[cirq.PauliString, ...]:
    """Return the observables that `text` names.

    Args:
        text: `z` (Z of each qubit, the paper's), `z_zz` (those and Z_i Z_j for i < j), or products such as
            `Z0,X1X2`, separated by commas.
        qubits: In order.

    Raises:
        UserError: Invalid text, a qubit out of range, or one qubit measured in two bases.
    """
    single: list[cirq.PauliString] = [cirq.PauliString({qubit: cirq.Z}) for qubit in qubits]
    if text == "z":
        return tuple(single)
    if text == "z_zz":
        pairs = [single[i] * single[j] for i in range(len(qubits)) for j in range(i + 1, len(qubits))]
        return (*single, *pairs)
    products = tuple(_product(term.strip(), text, qubits) for term in text.split(","))
    if len(set(products)) < len(products):
        raise UserError(f"`observables` must be different; got one of them twice in {text!r}.")
    return _in_one_basis(products)


def _product(term: str, text: str, qubits: Sequence[cirq.Qid]) -> cirq.PauliString:
    if not re.fullmatch(r"([XYZ]\d+)+", term):
        raise UserError(
            f"`observables` must be one of {', '.join(NAMED)}, or products such as 'Z0,X1X2'; got {text!r}."
        )
    factors = [(letter, int(number)) for letter, number in re.findall(r"([XYZ])(\d+)", term)]
    numbers = [number for _, number in factors]
    if max(numbers) >= len(qubits):
        raise UserError(
            f"`observables` must be on qubits 0 to {len(qubits) - 1} at `width` {len(qubits)}; got {term!r}."
        )
    if len(set(numbers)) != len(numbers):
        raise UserError(f"`observables` must name each qubit once in a product; got {term!r}.")
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


def support_mask(products: Sequence[cirq.PauliString], qubits: Sequence[cirq.Qid]) -> np.ndarray:
    """Return 1 where a qubit is in the support of an observable, else 0, shape (qubits, observables)."""
    return np.array([[float(qubit in product.qubits) for product in products] for qubit in qubits])


def basis_change(products: Sequence[cirq.PauliString]) -> cirq.Circuit:
    """Return the gates after which every observable is a product of Z."""
    pauli_of = {qubit: pauli for product in products for qubit, pauli in product.items()}
    return cirq.Circuit(
        BASIS_CHANGE[pauli](qubit) for qubit, pauli in sorted(pauli_of.items()) if pauli in BASIS_CHANGE
    )
