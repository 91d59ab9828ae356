"""A trainable circuit of the user's own, checked gate by gate and then a word like those of ANSATZE."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cirq
import numpy as np
import sympy

from qssl_tf.arguments import checks_arguments
from qssl_tf.errors import UserError, shown
from qssl_tf.quantum.ansatze import ANSATZE, Ansatz, Operations, Qubits, Weights
from qssl_tf.quantum.controls import plain, taken_apart
from qssl_tf.quantum.splitting import ROTATIONS
from qssl_tf.registry import claim, own_code

Layer = Callable[[Qubits, Weights, int], Iterable[cirq.Operation]]

# Gates without a weight that TensorFlow Quantum, the state-vector simulator and the Qiskit bridge all know.
FIXED = (
    cirq.HPowGate, cirq.XPowGate, cirq.YPowGate, cirq.ZPowGate, cirq.XXPowGate, cirq.YYPowGate, cirq.ZZPowGate,
    cirq.CXPowGate, cirq.CZPowGate, cirq.SwapPowGate, cirq.ISwapPowGate, cirq.PhasedXPowGate, cirq.FSimGate,
    cirq.IdentityGate,
)  # fmt: skip
KNOWN = (
    "rotations such as cirq.rx(w)(qubit), bare or with .controlled_by(qubit), and without a weight H, X, Y, Z, S, T, "
    "XX, YY, ZZ, CX, CZ, SWAP, ISWAP, powers of them, PhasedX and FSim"
)
TRIED_LAYERS = 2
MAX_FACTOR = 1e4  # of a weight in an angle; beyond, no digit of the angle is left in float32


@checks_arguments
def register_ansatz(name: str, *, min_width: int = 2, source: str = "an own circuit") -> Callable[[Layer], Layer]:
    """Make a function that returns gates an ansatz of its own: for `QuantumHead`, training, searches and devices.

    ```python
    @register_ansatz("brick")
    def brick(qubits, weights, layer):
        for qubit in qubits:
            yield cirq.ry(next(weights))(qubit)
        for first in range(layer % 2, len(qubits) - 1, 2):
            yield cirq.CZ(qubits[first], qubits[first + 1])
    ```

    The function gets the qubits in order, an iterator of weights (angles in radians), and the number of the layer from
    0. Each `next(weights)` is a new weight, for one gate of this layer or several; how many there are is counted.

    Args:
        name: The new word: small letters, digits and underscores.
        min_width: Fewest qubits on which the function is defined.
        source: Where the circuit was published, for `qssl circuit`.

    Returns:
        A decorator that leaves the function as it is.

    Raises:
        UserError: The name is taken; or a gate, tried on a few qubits, is unknown, measures, or has a weight that was
            not taken in its layer.
    """

    def register(layer: Layer) -> Layer:
        checked = _checked(name, layer)

        def weight_shape(width: int, layers: int) -> tuple[int]:
            return (_count(checked, width, layers),)

        for width in range(min_width, min_width + 3):
            if not weight_shape(width, TRIED_LAYERS)[0]:  # builds the gates, and so checks them
                raise UserError(f"`ansatz` '{name}' must take a weight at least, by next(weights); it takes none.")
        claim("ansatz", name, ANSATZE)
        ANSATZE[name] = Ansatz(weight_shape, checked, min_width=min_width, source=source)
        return layer

    return register


def _count(layer: Callable[[Qubits, Weights, int], Operations], width: int, layers: int) -> int:
    """Return how many weights the layers take on that many qubits."""
    taken = 0

    def weights() -> Weights:
        nonlocal taken
        for taken in itertools.count(1):
            yield sympy.Symbol(f"theta_{taken - 1:06d}")

    qubits, remaining = cirq.GridQubit.rect(1, width), weights()
    for number in range(layers):
        for _ in layer(qubits, remaining, number):
            pass
    return taken


def _checked(name: str, layer: Layer) -> Callable[[Qubits, Weights, int], Operations]:
    """Return the layer with a check of each of its gates."""

    def gates(qubits: Qubits, weights: Weights, number: int) -> Operations:
        where, taken, used = f"layer {number} of `ansatz` '{name}' on {len(qubits)} qubits", [], set()

        def noted() -> Iterator[sympy.Symbol]:
            for weight in weights:
                taken.append(weight)
                yield weight

        for operation in _called(layer, qubits, noted(), number, where):
            with own_code(f"a gate of {where}"):
                _check_gate(operation, qubits, where)
            for weight in sorted(cirq.parameter_symbols(operation), key=str):
                if weight not in taken:
                    raise UserError(f"{where} uses the symbol '{weight}'; take weights with next(weights) alone.")
                used.add(weight)
            yield from plain(operation)
        for place, weight in enumerate(taken):
            if weight not in used:
                raise UserError(f"{where} takes its weight {place} and uses it in no gate; take as many as are used.")

    return gates


def _called(layer: Layer, qubits: Qubits, weights: Weights, number: int, where: str) -> Iterator[Any]:
    """Yield what the user's function gives, a failure of its own as one line."""
    with own_code(where):
        yield from layer(qubits, weights, number)


def _check_gate(operation: Any, qubits: Qubits, where: str) -> None:
    """Refuse what one of the simulators or the bridge does not know, or what is no gate."""
    if not isinstance(operation, cirq.Operation):
        raise UserError(f"{where} must give Cirq's operations, such as cirq.H(qubit); got {shown(operation)}.")
    if cirq.is_measurement(operation) or isinstance(operation, cirq.ClassicallyControlledOperation):
        raise UserError(
            f"{where} must not measure {operation.qubits[0]}: the head measures at the end, and `partial_measurement` "
            "between layers."
        )
    if strange := [qubit for qubit in operation.qubits if qubit not in qubits]:
        raise UserError(f"{where} acts on {strange[0]}, which is none of the qubits it was given.")
    bare, controls, _ = taken_apart(operation)
    gate, weighted = bare.gate, bool(cirq.parameter_names(bare))
    known: tuple[type, ...] = ROTATIONS if weighted else FIXED
    if not any(isinstance(gate, kind) for kind in known) or type(gate).__module__.split(".")[0] != "cirq":
        raise UserError(f"{where} has a gate that is unknown here, {_short(operation)}; take {KNOWN}.")
    if weighted and controls and gate.global_shift != -0.5:
        raise UserError(
            f"{where} controls a gate with a phase, {_short(operation)}; control cirq.rx, cirq.ry or cirq.rz."
        )
    if weighted and not _is_multiple(gate.exponent):
        raise UserError(f"{where} has an angle that is no multiple of one weight, {_short(operation)}.")
    if not weighted and not _is_finite(bare):
        raise UserError(f"{where} has a gate whose parameter is not finite, {_short(operation)}; give it a number.")


def _is_finite(operation: cirq.Operation) -> bool:
    """Return whether a gate without weights is a matrix of numbers."""
    try:
        return bool(np.isfinite(cirq.unitary(operation)).all())
    except (TypeError, ValueError, ArithmeticError):  # a product with NaN, as sympy has it
        return False


def _is_multiple(exponent: sympy.Expr) -> bool:
    """Return whether an exponent is one weight times a number, which is all that TensorFlow Quantum reads."""
    if len(exponent.free_symbols) != 1:
        return False
    factor = sympy.sympify(exponent / next(iter(exponent.free_symbols)))
    return not factor.free_symbols and bool(factor.is_real) and bool(abs(float(factor)) <= MAX_FACTOR)


def _short(operation: cirq.Operation) -> str:
    return shown(str(operation)).strip("'\"")
