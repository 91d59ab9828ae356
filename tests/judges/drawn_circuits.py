"""Circuits that nobody would write, drawn by Hypothesis, and their values by Cirq in complex128.

What is drawn is plain data. `gates` turns it into an ansatz as a user writes one; `Drawn.expectations` builds the whole
circuit a second time with numbers in the gates, without a word of the package: no symbols, no spec, no encoding of it.
"""

from dataclasses import dataclass, replace

import cirq
import numpy as np
from hypothesis import strategies as st

WIDTH, LAYERS = 3, 2
FORGOTTEN = cirq.KrausChannel([np.diag([1.0, 0.0]), np.diag([0.0, 1.0])])  # a measurement, its outcome not kept
PAULIS = {"X": cirq.X, "Y": cirq.Y, "Z": cirq.Z}
# Rotations that take a weight, by angle in radians: number of wires -> name -> gate.
ROTATIONS = {
    1: {"rx": cirq.rx, "ry": cirq.ry, "rz": cirq.rz},
    2: {
        name: lambda angle, power=power: power(exponent=angle / np.pi, global_shift=-0.5)
        for name, power in (("rxx", cirq.XXPowGate), ("ryy", cirq.YYPowGate), ("rzz", cirq.ZZPowGate))
    },
}
FIXED = {
    1: [cirq.H, cirq.X, cirq.Y, cirq.Z, cirq.S, cirq.T**-1, cirq.X**0.3, cirq.H**0.7, cirq.IdentityGate(1),
        cirq.PhasedXPowGate(phase_exponent=0.3, exponent=0.8), cirq.XPowGate(exponent=0.4, global_shift=0.3)],
    2: [cirq.CX, cirq.CZ, cirq.CX**0.4, cirq.CZ**-0.3, cirq.SWAP, cirq.SWAP**0.6, cirq.ISWAP, cirq.ISWAP**0.5, cirq.XX,
        cirq.YY**0.2, cirq.ms(0.4), cirq.FSimGate(0.4, 1.1), cirq.IdentityGate(2)],
    3: [cirq.IdentityGate(3)],
}  # fmt: skip
ENCODINGS = ("angle", "angle_y", "zz", "reuploading", "amplitude")


@dataclass(frozen=True)
class Step:
    """A gate.

    Attributes:
        name: Of a rotation, or the number of a fixed gate.
        wires: That it acts on.
        controls: The wires that control it.
        words: The values of the controls at which it acts.
        spelling: In which of Cirq's ways controls are written.
        weight: Number of its weight among those of its layer; None is a fixed gate.
        factor: By which its weight is multiplied.
    """

    name: str | int
    wires: tuple[int, ...]
    controls: tuple[int, ...] = ()
    words: tuple[tuple[int, ...], ...] = ((),)
    spelling: str = "method"
    weight: int | None = None
    factor: float = 1.0

    def gate(self, angle):
        """Return Cirq's gate without controls."""
        count = len(self.wires)
        return FIXED[count][self.name] if self.weight is None else ROTATIONS[count][self.name](self.factor * angle)


@st.composite
def steps(draw, weights):
    """A gate on WIDTH qubits, perhaps with one of a layer's weights, perhaps controlled by values of any kind."""
    wires = draw(st.permutations(range(WIDTH)))
    weighted = weights > 0 and draw(st.booleans())
    count = draw(st.integers(1, 2 if weighted else 3))
    step = Step(
        draw(st.sampled_from(sorted(ROTATIONS[count]))) if weighted else draw(st.integers(0, len(FIXED[count]) - 1)),
        tuple(wires[:count]),
        weight=draw(st.integers(0, weights - 1)) if weighted else None,
        factor=draw(st.sampled_from((1.0, -1.0, 2.0, 0.5))) if weighted else 1.0,
    )
    controls = tuple(wires[count : count + draw(st.integers(0, WIDTH - count))])
    if not controls:
        return replace(step, spelling=draw(st.sampled_from(("method", "tagged"))))
    word = st.tuples(*[st.integers(0, 1)] * len(controls))
    words = draw(st.lists(word, min_size=1, max_size=2, unique=True).map(sorted))
    spelling = "sum" if len(words) > 1 else draw(st.sampled_from(("method", "gate", "operation", "tagged", "nested")))
    return replace(step, controls=controls, words=tuple(words), spelling=spelling)


def spelt(step, bare, qubits):
    """Return a gate under its controls, in one of Cirq's ways."""
    if not step.controls:
        return bare.with_tags("a") if step.spelling == "tagged" else bare
    controls, first = [qubits[wire] for wire in step.controls], step.words[0]
    if step.spelling == "sum":
        return bare.controlled_by(*controls, control_values=cirq.SumOfProducts(step.words))
    if step.spelling == "gate":
        return cirq.ControlledGate(bare.gate, control_values=first)(*controls, *bare.qubits)
    if step.spelling == "operation":
        return cirq.ControlledOperation(controls, bare.with_tags("b"), first)
    if step.spelling == "nested":
        inner = cirq.ControlledOperation(controls[1:], bare, first[1:]) if controls[1:] else bare
        return cirq.ControlledOperation(controls[:1], inner, first[:1]).with_tags("c")
    made = bare.controlled_by(*controls, control_values=first)
    return made.with_tags("d") if step.spelling == "tagged" else made


@dataclass(frozen=True)
class Drawn:
    """A head.

    Attributes:
        layers: The gates of each layer.
        counts: How many weights each layer takes.
        encoding: Name of its encoding.
        observables: Products as letters and wires, in one basis.
        measured_between: Whether every other qubit is measured after the first layer.
        features: The encoder's numbers, one row.
        weights: All weights, in radians.
    """

    layers: tuple[tuple[Step, ...], ...]
    counts: tuple[int, ...]
    encoding: str
    observables: tuple[tuple[tuple[str, int], ...], ...]
    measured_between: bool
    features: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def words(self):
        """The observables as the package's setting."""
        return ",".join("".join(f"{letter}{wire}" for letter, wire in product) for product in self.observables)

    @property
    def weighted(self):
        """(layer, step, number of the weight) of every gate with a weight."""
        starts = np.cumsum((0, *self.counts))
        return [
            (layer, place, int(starts[layer]) + step.weight)
            for layer, steps in enumerate(self.layers)
            for place, step in enumerate(steps)
            if step.weight is not None
        ]

    def gates(self, qubits, weights, number):
        """Yield a layer as a user's function does; on more qubits than WIDTH the last ones are idle."""
        own = [next(weights) for _ in range(self.counts[number])]
        for step in self.layers[number]:
            angle = None if step.weight is None else own[step.weight]
            yield spelt(step, step.gate(angle)(*(qubits[wire] for wire in step.wires)), qubits)

    def expectations(self, features=None, weights=None, turned=None):
        """Return the expectations by Cirq.

        Args:
            features: Other numbers of the encoder.
            weights: Other weights.
            turned: (layer, step, word) -> an angle in radians by which that gate alone is turned, at that assignment of
                its controls.
        """
        features = self.features if features is None else features
        weights, starts = self.weights if weights is None else weights, np.cumsum((0, *self.counts))
        qubits = cirq.LineQubit.range(WIDTH)
        front, state = encoded(self.encoding, features, qubits)
        circuit = cirq.Circuit(cirq.I.on_each(*qubits))
        for number, steps in enumerate(self.layers):
            if number == 0 or self.encoding == "reuploading":
                circuit += front
            for place, step in enumerate(steps):
                angle = None if step.weight is None else weights[starts[number] + step.weight]
                extra = {word: (turned or {}).get((number, place, word), 0.0) / step.factor for word in step.words}
                gates = {word: step.gate(angle + extra[word] if extra[word] else angle) for word in step.words}
                circuit.append(_exactly(step, gates, qubits))
            if number == 0 and self.measured_between:
                circuit.append(FORGOTTEN(qubits[wire]) for wire in range(0, WIDTH, 2))
        simulator = cirq.DensityMatrixSimulator(dtype=np.complex128)
        density = simulator.simulate(circuit, qubit_order=qubits, initial_state=state).final_density_matrix
        products = [cirq.PauliString({qubits[wire]: PAULIS[letter] for letter, wire in o}) for o in self.observables]
        order = {qubit: wire for wire, qubit in enumerate(qubits)}
        return np.array([o.expectation_from_density_matrix(density, order).real for o in products])


def _exactly(step, gates, qubits):
    """Yield the gate of each assignment of its controls as the matrix of what it is."""
    if not step.controls:
        (gate,) = gates.values()
        yield gate(*(qubits[wire] for wire in step.wires))
        return
    size = 2 ** len(step.wires)
    matrix = np.eye(size * 2 ** len(step.controls), dtype=complex)
    for word in step.words:
        place = size * int("".join(map(str, word)), 2)
        matrix[place : place + size, place : place + size] = cirq.unitary(gates[word])
    yield cirq.MatrixGate(matrix, unitary_check_atol=1e-9)(*(qubits[wire] for wire in (*step.controls, *step.wires)))


def encoded(name, features, qubits):
    """Return the gates of an encoding, and the state that the circuit starts from."""
    if name == "amplitude":
        return cirq.Circuit(), (np.array(features, complex) / np.linalg.norm(features))
    circuit = cirq.Circuit()
    for x, qubit in zip(features, qubits, strict=True):
        if name == "zz":
            circuit.append([cirq.H(qubit), cirq.rz(x)(qubit)])
        else:
            circuit.append((cirq.ry if name == "angle_y" else cirq.rx)(x)(qubit))
    if name == "zz":
        for i, j in ((0, 1), (0, 2), (1, 2)):
            angle = (features[i] - np.pi / 2) * (features[j] - np.pi / 2)
            circuit.append(cirq.ZZPowGate(exponent=angle / np.pi, global_shift=-0.5)(qubits[i], qubits[j]))
    return circuit, 0


@st.composite
def heads(draw):
    """A head of WIDTH qubits and LAYERS layers."""
    counts, layers = [], []
    for _ in range(LAYERS):
        count = draw(st.integers(0 if counts and counts[0] else 1, 3))
        chosen = draw(st.lists(steps(count), min_size=2, max_size=5))
        # Each weight is used at least once, a repeated one oftener.
        used = {step.weight for step in chosen}
        chosen += [Step("ry", (weight % WIDTH,), weight=weight) for weight in range(count) if weight not in used]
        counts.append(count)
        layers.append(tuple(draw(st.permutations(chosen))))
    basis = draw(st.tuples(*[st.sampled_from("XYZ")] * WIDTH))
    chosen = st.sets(st.integers(0, WIDTH - 1), min_size=1).map(lambda wires: tuple(sorted(wires)))
    products = draw(st.lists(chosen, min_size=1, max_size=3, unique=True))
    encoding = draw(st.sampled_from(ENCODINGS))
    count, angle = 2**WIDTH if encoding == "amplitude" else WIDTH, st.integers(1, 31).map(lambda n: n / 10)
    return Drawn(
        tuple(layers),
        tuple(counts),
        encoding,
        tuple(tuple((basis[wire], wire) for wire in product) for product in products),
        draw(st.booleans()),
        tuple(draw(st.lists(angle, min_size=count, max_size=count))),
        tuple(draw(st.lists(st.integers(-31, 31).map(lambda n: n / 10), min_size=sum(counts), max_size=sum(counts)))),
    )
