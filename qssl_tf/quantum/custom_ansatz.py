"""User-defined ansätze, checked gate by gate and then registered in ANSATZE."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cirq
import numpy as np
import sympy

from qssl_tf.arguments import checks_arguments
from qssl_tf.errors import UserError, shown
from qssl_tf.quantum.ansatze import ANSATZE, Ansatz, Operations, Qubits, Weights
from qssl_tf.quantum.controls import normalized, split_controls
from qssl_tf.quantum.gatewise import ROTATIONS
from qssl_tf.registry import claim, own_code

Layer = Callable[[Qubits, Weights, int], Iterable[cirq.Operation]]

# Gates without a weight that TensorFlow Quantum, the state-vector simulator and the Qiskit bridge all support.
FIXED_GATES = (
    cirq.HPowGate, cirq.XPowGate, cirq.YPowGate, cirq.ZPowGate, cirq.XXPowGate, cirq.YYPowGate, cirq.ZZPowGate,
    cirq.CXPowGate, cirq.CZPowGate, cirq.SwapPowGate, cirq.ISwapPowGate, cirq.PhasedXPowGate, cirq.FSimGate,
    cirq.IdentityGate,
)  # fmt: skip
ALLOWED_GATES = (
    "rotations such as cirq.rx(w)(qubit), bare or with .controlled_by(qubit), and without a weight H, X, Y, Z, S, T, "
    "XX, YY, ZZ, CX, CZ, SWAP, ISWAP, powers of them, PhasedX and FSim"
)
CHECKED_LAYERS = 2
MAX_FACTOR = 1e4  # of a weight in an angle; beyond, float32 has no significant digit of the angle left


@checks_arguments
def register_ansatz(name: str, *, min_width: int = 2, source: str = "an own circuit") -> Callable[[Layer], Layer]:
    """Register a function that returns gates as an ansatz for `QuantumHead`, training, searches and devices.

    ```python
    @register_ansatz("brick")
    def brick(qubits, weights, layer):
        for qubit in qubits:
            yield cirq.ry(next(weights))(qubit)
        for first in range(layer % 2, len(qubits) - 1, 2):
            yield cirq.CZ(qubits[first], qubits[first + 1])
    ```

    The function gets the qubits in order, an iterator over weights (angles in radians), and the index of the layer.
    Each `next(weights)` is a new weight, for one or several gates of this layer; weights are counted automatically.

    Args:
        name: The new name: lowercase letters, digits and underscores.
        min_width: Fewest qubits on which the function is defined.
        source: Publication of the circuit, shown by `qssl circuit`.

    Returns:
        A decorator that returns the function unchanged.

    Raises:
        UserError: The name is taken; or, tried on a few qubits, a gate is not supported, measures, or has a weight that
            was not taken in its layer.
    """

    def register(layer: Layer) -> Layer:
        checked_layer = _checked_layer(name, layer)

        def weight_shape(width: int, layers: int) -> tuple[int]:
            return (_count(checked_layer, width, layers),)

        for width in range(min_width, min_width + 3):
            if not weight_shape(width, CHECKED_LAYERS)[0]:  # builds the gates and thereby checks them
                raise UserError(f"`ansatz` '{name}' must take a weight at least, by next(weights); it takes none.")
        claim("ansatz", name, ANSATZE)
        ANSATZE[name] = Ansatz(weight_shape, checked_layer, min_width=min_width, source=source)
        return layer

    return register


def _count(layer: Callable[[Qubits, Weights, int], Operations], width: int, layers: int) -> int:
    """Return how many weights the layers take on `width` qubits."""
    taken_weights = 0

    def weights() -> Weights:
        nonlocal taken_weights
        for taken_weights in itertools.count(1):
            yield sympy.Symbol(f"theta_{taken_weights - 1:06d}")

    qubits, remaining = cirq.GridQubit.rect(1, width), weights()
    for number in range(layers):
        for _ in layer(qubits, remaining, number):
            pass
    return taken_weights


def _checked_layer(name: str, layer: Layer) -> Callable[[Qubits, Weights, int], Operations]:
    """Return the layer function with a check of each gate that it yields."""

    def gates(qubits: Qubits, weights: Weights, number: int) -> Operations:
        where, taken_weights, used_weights = f"layer {number} of `ansatz` '{name}' on {len(qubits)} qubits", [], set()

        def recorded_weights() -> Iterator[sympy.Symbol]:
            for weight in weights:
                taken_weights.append(weight)
                yield weight

        for operation in _call_layer(layer, qubits, recorded_weights(), number, where):
            with own_code(f"a gate of {where}"):
                _check_gate(operation, qubits, where)
            for weight in sorted(cirq.parameter_symbols(operation), key=str):
                if weight not in taken_weights:
                    raise UserError(f"{where} uses the symbol '{weight}'; take weights with next(weights) alone.")
                used_weights.add(weight)
            yield from normalized(operation)
        for index, weight in enumerate(taken_weights):
            if weight not in used_weights:
                raise UserError(f"{where} takes its weight {index} and uses it in no gate; take as many as are used.")

    return gates


def _call_layer(layer: Layer, qubits: Qubits, weights: Weights, number: int, where: str) -> Iterator[Any]:
    """Yield from the user's function, whose exceptions become a `UserError`."""
    with own_code(where):
        yield from layer(qubits, weights, number)


def _check_gate(operation: Any, qubits: Qubits, where: str) -> None:
    """Refuse anything that is not a gate, or that a simulator or the bridge does not support."""
    if not isinstance(operation, cirq.Operation):
        raise UserError(f"{where} must give Cirq's operations, such as cirq.H(qubit); got {shown(operation)}.")
    if cirq.is_measurement(operation) or isinstance(operation, cirq.ClassicallyControlledOperation):
        raise UserError(
            f"{where} must not measure {operation.qubits[0]}: the head measures at the end, and `partial_measurement` "
            "between layers."
        )
    if foreign := [qubit for qubit in operation.qubits if qubit not in qubits]:
        raise UserError(f"{where} acts on {foreign[0]}, which is none of the qubits it was given.")
    sub_operation, controls, _ = split_controls(operation)
    gate, has_weight = sub_operation.gate, bool(cirq.parameter_names(sub_operation))
    allowed: tuple[type, ...] = ROTATIONS if has_weight else FIXED_GATES
    if not any(isinstance(gate, kind) for kind in allowed) or type(gate).__module__.split(".")[0] != "cirq":
        raise UserError(f"{where} has a gate that is unknown here, {_short(operation)}; take {ALLOWED_GATES}.")
    if has_weight and controls and gate.global_shift != -0.5:
        raise UserError(
            f"{where} controls a gate with a phase, {_short(operation)}; control cirq.rx, cirq.ry or cirq.rz."
        )
    if has_weight and not _is_multiple(gate.exponent):
        raise UserError(f"{where} has an angle that is no multiple of one weight, {_short(operation)}.")
    if not has_weight and not _is_finite(sub_operation):
        raise UserError(f"{where} has a gate whose parameter is not finite, {_short(operation)}; give it a number.")


def _is_finite(operation: cirq.Operation) -> bool:
    """Return whether the matrix of a gate without weights is finite."""
    try:
        return bool(np.isfinite(cirq.unitary(operation)).all())
    except (TypeError, ValueError, ArithmeticError):  # sympy's products with NaN
        return False


def _is_multiple(exponent: sympy.Expr) -> bool:
    """Return whether an exponent is a number times one weight, the only form that TensorFlow Quantum reads."""
    if len(exponent.free_symbols) != 1:
        return False
    factor = sympy.sympify(exponent / next(iter(exponent.free_symbols)))
    return not factor.free_symbols and bool(factor.is_real) and bool(abs(float(factor)) <= MAX_FACTOR)


def _short(operation: cirq.Operation) -> str:
    return shown(str(operation)).strip("'\"")
