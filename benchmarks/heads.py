"""The quantum head alone, forward and backward, against TensorFlow Quantum in the same process."""

from collections.abc import Iterator

import cirq
import numpy as np
import tensorflow as tf
from timing import compared, medians

from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.quantum.spec import circuit_spec
from qssl_tf.quantum.tfq_availability import tensorflow_quantum, why_absent

tfq = tensorflow_quantum()
if tfq is None:
    raise SystemExit(f"error: this times heads against TensorFlow Quantum. {why_absent()}.")

TFQ = "TensorFlow Quantum"
WIDTHS = ((2, 64), (4, 64), (6, 64), (8, 64), (10, 64), (12, 64), (14, 32), (16, 16), (18, 4), (20, 1))
BATCHES = (1, 8, 64, 512, 2048)
SHOTS = (10, 100, 1000, 10_000)


def batch_of(rows: int, inputs: int, outputs: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return angles in [0, pi] radians, shape (rows, inputs), and an upstream gradient, shape (rows, outputs)."""
    angles = tf.random.stateless_uniform((rows, inputs), (1, 2), 0.0, np.pi)
    return angles, tf.random.stateless_normal((rows, outputs), (3, 4))


def training_call(layer, angles: tf.Tensor, upstream: tf.Tensor):
    """Return a call of the layer's forward and backward pass that waits for values and both gradients."""

    @tf.function
    def step(angles, upstream):
        with tf.GradientTape() as tape:
            tape.watch(angles)
            values = layer(angles)
            total = tf.reduce_sum(values * upstream)
        # The values too: TFQ's gradient does not need them, and a graph that nobody asks for them leaves them out.
        return values, *tape.gradient(total, [angles, layer.trainable_variables[0]])

    return lambda: [part.numpy() for part in step(angles, upstream)]


def head_call(simulator: str, width: int, rows: int, ansatz: str = "ring", **options):
    """Return a training call of a QuantumHead."""
    head = QuantumHead(width, ansatz, 2, simulator=simulator, seed=0, **options)
    return training_call(head, *batch_of(rows, head.spec.input_size, len(head.spec.observables)))


def exact(what: str, width: int, rows: int, **options) -> dict[str, object]:
    """Compare exact expectations and gradients with TFQ's Adjoint."""
    rivals = {"ours": head_call("auto", width, rows, **options), TFQ: head_call("tfq", width, rows, **options)}
    return compared(what, width, rows, None, medians(rivals))


class DecomposedRing(tf.Module):
    """The ring of 2 layers as TFQ users sample and differentiate it rightly.

    TFQ's ParameterShift knows two terms, so each controlled RX(t) is H RZ(t/2) CX RZ(-t/2) CX H; every shifted
    circuit and every observable draws its own shots.
    """

    def __init__(self, width: int, shots: int):
        """Build the circuit and TFQ's operation."""
        super().__init__()
        self.spec, self.shots = circuit_spec(width, "ring", 2), shots
        self.program = tfq.convert_to_tensor([_decomposed(self.spec.circuit)])
        self.operators = tfq.convert_to_tensor([list(self.spec.observables)])
        self.names = tf.constant([str(symbol) for symbol in self.spec.inputs + self.spec.weights])
        self.weights = tf.Variable(tf.random.stateless_normal((len(self.spec.weights),), (5, 6)))
        self.layer = tfq.layers.SampledExpectation(differentiator=tfq.differentiators.ParameterShift())

    def __call__(self, angles):
        """Return sampled expectations."""
        rows = tf.shape(angles)[0]
        values = tf.concat([angles, tf.tile(self.weights[tf.newaxis], (rows, 1))], axis=1)
        return self.layer(
            tf.repeat(self.program, rows),
            symbol_names=self.names,
            symbol_values=values,
            operators=tf.repeat(self.operators, rows, axis=0),
            repetitions=tf.fill((rows, len(self.spec.observables)), self.shots),
        )


def _decomposed(circuit: cirq.Circuit) -> cirq.Circuit:
    operations: list[cirq.Operation] = []
    for operation in circuit.all_operations():
        if not isinstance(operation, cirq.ControlledOperation):
            operations.append(operation)
            continue
        (control,), (target,) = operation.controls, operation.sub_operation.qubits
        half = operation.sub_operation.gate.exponent / 2
        turn, back = (cirq.ZPowGate(exponent=sign * half, global_shift=-0.5)(target) for sign in (1, -1))
        cx = cirq.CX(control, target)
        operations += [cirq.H(target), turn, cx, back, cx, cirq.H(target)]
    return cirq.Circuit(operations)


def sampled(rows: int, shots: int = 100) -> dict[str, object]:
    """Compare the full parameter-shift gradient from shots with TFQ's."""
    theirs = training_call(DecomposedRing(8, shots), *batch_of(rows, 8, 8))
    ours = head_call("auto", 8, rows, shots=shots, gradient="parameter_shift")
    what = "shots: forward + full parameter-shift gradient, ring"
    return compared(what, 8, rows, shots, medians({"ours": ours, f"{TFQ}, ParameterShift of decomposed gates": theirs}))


def frozen(rows: int = 25_000) -> dict[str, object]:
    """Compare a head whose weights stand still over a data set with TFQ's forward pass."""
    angles = np.asarray(batch_of(rows, 8, 8)[0])
    ours, theirs = QuantumHead(8, "ring", 2, seed=0), QuantumHead(8, "ring", 2, simulator="tfq", seed=0)
    parts = np.split(angles, np.arange(500, rows, 500))
    rivals = {"ours": lambda: ours.predict(angles), TFQ: lambda: [theirs(part) for part in parts]}
    return compared("frozen head over a data set", 8, rows, None, medians(rivals))


def all_heads() -> Iterator[dict[str, object]]:
    """Yield every comparison of heads."""
    yield exact("exact: forward + backward, ring", 8, 512)
    yield exact("exact: forward + backward, all_to_all", 8, 512, ansatz="all_to_all")
    yield exact("exact: forward + backward, ring", 12, 512)
    yield frozen()
    yield sampled(64)
    for width, rows in WIDTHS:
        yield exact("width: exact forward + backward, ring", width, rows)
    for rows in BATCHES:
        yield exact("batch: exact forward + backward, ring", 8, rows)
    for shots in SHOTS:
        rivals = {
            "ours": head_call("auto", 8, 32, shots=shots, gradient="parameter_shift"),
            f"{TFQ}, this package's shift rule": head_call("tfq", 8, 32, shots=shots, gradient="parameter_shift"),
        }
        yield compared("shots: forward + full parameter-shift gradient, ring", 8, 32, shots, medians(rivals))
