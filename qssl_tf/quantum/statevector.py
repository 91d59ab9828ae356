"""State vectors of a whole batch in plain TensorFlow, for XLA to compile on any device.

A step of the fused circuit brings its wires to the front and is one matrix product for all rows; a complex d x d
matrix is a real 2d x 2d one (see rows.py).
"""

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
import tensorflow as tf

from qssl_tf.quantum.fusion import Block, Dense, Dephased, Permutation, Phases, Program, Step
from qssl_tf.quantum.rows import RE_IM, Rows, bits_of, front


def evolve(program: Program, rows: tf.Tensor, shared: tf.Tensor, started: Callable | None = None) -> Rows:
    """Return the final states.

    Args:
        program: The circuit.
        rows: Angles of `program.row_gates` in radians, shape (n, row gates).
        shared: Angles of all gates, shape (gates,); those of the row gates are not read.
        started: rows -> real initial amplitudes, shape (2^width, n), in place of the program's own start.
    """
    initial = started(rows) if started else _product_states(program, rows)
    states = Rows(tuple(range(program.width)), initial[:, tf.newaxis])
    matrices = iter(_matrices(program.steps, shared))
    for step in program.steps:
        if isinstance(step, Dense):
            states = _apply(next(matrices), step, states)
        elif isinstance(step, Phases):
            states = _turned(step, program, states, rows)
        elif isinstance(step, Permutation):
            states = _permuted(step, states)
        else:
            states = _dephased(step, states)
    return states


def _product_states(program: Program, rows: tf.Tensor) -> tf.Tensor:
    """Return the real product states that the program starts from, shape (2^width, n), or (2^width, 1) for |0...0>."""
    if all(gate is None for gate in program.start):
        return tf.one_hot([0], 2**program.width, axis=0)
    half = tf.transpose(rows) / 2  # (row gates, n)
    zero = tf.zeros_like(half[:1])
    half = tf.concat([half, zero], axis=0)  # a wire that no gate turns has the angle 0
    column = [len(program.row_gates) if gate is None else program.row_gates.index(gate) for gate in program.start]
    cosine_sine = tf.stack([tf.cos(half), tf.sin(half)], axis=1)  # (row gates + 1, 2, n)
    middle = (program.width + 1) // 2
    left, right = (_product([cosine_sine[place] for place in part]) for part in (column[:middle], column[middle:]))
    return tf.reshape(left[:, tf.newaxis] * right, (2**program.width, -1))


def _product(factors: Sequence[tf.Tensor]) -> tf.Tensor:
    """Return the product states of some qubits, (2, n) each, shape (2^qubits, n)."""
    bits = bits_of(range(len(factors)))
    # Gathered, since XLA fuses a chain of outer products into one loop that computes each factor again for each state.
    chosen = [tf.gather(factor, bits[wire]) for wire, factor in enumerate(factors)]
    return reduce(tf.multiply, chosen) if chosen else tf.ones((1, 1))


def _matrices(steps: Sequence[Step], shared: tf.Tensor) -> list[list[tf.Tensor]]:
    """Return the real matrices of all blocks of each dense step."""
    blocks = [block for step in steps if isinstance(step, Dense) for block in step.blocks]
    numbers = [angle for block in blocks for angle in block.angles]
    if not numbers:
        return []
    # A gather as a matrix product, since the gradient of a gather is a scatter, number after number.
    chosen = np.zeros((len(numbers), shared.shape[0]), np.float32)
    places = [place for place, number in enumerate(numbers) if number is not None]
    chosen[places, [numbers[place] for place in places]] = 0.5
    half = tf.linalg.matvec(chosen, shared)  # (gates,)
    parts = zip(*(tf.split(f(half), [len(block.angles) for block in blocks]) for f in (tf.cos, tf.sin)), strict=True)
    made = iter([_multiplied(block, *part) for block, part in zip(blocks, parts, strict=True)])
    return [[next(made) for _ in step.blocks] for step in steps if isinstance(step, Dense)]


def _multiplied(block: Block, cosine: tf.Tensor, sine: tf.Tensor) -> tf.Tensor:
    """Return the product of a block's gates, shape (d, d) if it is real, else (2d, 2d)."""
    terms = block.terms if block.is_real else _as_real(block.terms)
    gates = terms[:, 0] + cosine[:, None, None] * terms[:, 1] + sine[:, None, None] * terms[:, 2]
    product = gates[0]
    for number in range(1, len(block.angles)):
        product = tf.matmul(gates[number], product)
    return product


def _as_real(matrices: np.ndarray) -> np.ndarray:
    """Return complex matrices as real ones of twice the size, which act on (real part, imaginary part)."""
    upper = np.concatenate([matrices.real, -matrices.imag], axis=-1)
    return np.concatenate([upper, np.concatenate([matrices.imag, matrices.real], axis=-1)], axis=-2)


def _apply(matrices: list[tf.Tensor], step: Dense, states: Rows) -> Rows:
    """Multiply the blocks of a step into one matrix, then the states by it."""
    wires = tuple(wire for wire in states.order if wire in step.wires)  # in their order: less to move
    if len(step.blocks) == 1 and wires == step.blocks[0].wires:
        matrix = matrices[0]
    else:
        identity = Rows(wires, tf.eye(2 ** len(wires))[:, tf.newaxis])
        for matrix, block in zip(matrices, step.blocks, strict=True):
            identity = _times(matrix, block.wires, identity)
        matrix = _whole(identity, wires)
    return _times(matrix, wires, states)


def _whole(columns: Rows, wires: tuple[int, ...]) -> tf.Tensor:
    """Return the square real matrix of which `columns` hold those for real inputs."""
    if RE_IM not in columns.order:
        return front(columns, wires).values[:, 0]
    first = front(columns, (RE_IM, *wires)).values[:, 0]  # (2d, d)
    real, imaginary = tf.split(first, 2)
    return tf.concat([first, tf.concat([-imaginary, real], axis=0)], axis=1)


def _times(matrix: tf.Tensor, wires: tuple[int, ...], states: Rows) -> Rows:
    """Return the states after a real matrix (2^k) or a complex one (2 * 2^k) on `wires`."""
    size, copies = 2 ** len(wires), states.values.shape[1]
    before = after = wires
    if matrix.shape[0] > size:
        after = (RE_IM, *wires)
        if RE_IM in states.order:
            before = after
        else:
            matrix = matrix[:, :size]  # the imaginary parts are 0
    order, values = front(states, before)
    product = tf.matmul(matrix, tf.reshape(values, (2 ** len(before), -1)))
    order = (*after, *order[len(before) :])
    return Rows(order, tf.reshape(product, (2 ** len(order), copies, -1)))


def _turned(step: Phases, program: Program, states: Rows, rows: tf.Tensor) -> Rows:
    """Multiply each amplitude by the phase that the row's angles give it."""
    order, values = front(states, (RE_IM,)) if RE_IM in states.order else states
    wires = order[1:] if RE_IM in order else order
    bits, slopes = bits_of(wires), []
    for rotation in step.rotations:
        sign = np.prod([1 - 2 * bits[wire] for wire in rotation.targets], axis=0)
        controls = [bits[wire] == value for wire, value in rotation.controls.items()]
        slopes.append(np.prod([sign, *controls], axis=0) / 2)
    columns = [program.row_gates.index(rotation.angle) for rotation in step.rotations]
    chosen = np.eye(len(program.row_gates), dtype=np.float32)[columns]  # (rotations, row gates)
    table = (np.stack(slopes, axis=1) @ chosen).astype(np.float32)  # (2^width, row gates)
    phase = tf.matmul(table, rows, transpose_b=True)[:, tf.newaxis]  # (2^width, 1, n)
    cosine, sine = tf.cos(phase), tf.sin(phase)  # exp(-i phase)
    if RE_IM not in order:
        return Rows((RE_IM, *wires), tf.concat([values * cosine, -values * sine], axis=0))
    real, imaginary = tf.split(values, 2)
    turned = [real * cosine + imaginary * sine, imaginary * cosine - real * sine]
    return Rows(order, tf.concat(turned, axis=0))


def _permuted(step: Permutation, states: Rows) -> Rows:
    """Move amplitudes."""
    source = np.arange(2 ** len(states.order))
    for gate in step.gates:
        source = source[_source(gate.terms[0].real, gate.wires, states.order)]
    back = np.argsort(source)

    @tf.custom_gradient  # moves back, since XLA would scatter number after number
    def move(values):
        return tf.gather(values, source), lambda upstream: tf.gather(upstream, back)

    return Rows(states.order, move(states.values))


def _source(matrix: np.ndarray, wires: Sequence[int], order: Sequence[int]) -> np.ndarray:
    """Return from which index the permutation `matrix` on `wires` takes the amplitude of each index."""
    bits = bits_of(order)
    places = [len(order) - 1 - order.index(wire) for wire in wires]
    ranks = range(len(wires) - 1, -1, -1)
    own = sum(bits[wire] << rank for wire, rank in zip(wires, ranks, strict=True))
    taken = np.argmax(matrix, axis=1)[own]
    source = np.arange(2 ** len(order))
    for wire, place, rank in zip(wires, places, ranks, strict=True):
        source = source ^ ((bits[wire] ^ (taken >> rank & 1)) << place)
    return source


def _dephased(step: Dephased, states: Rows) -> Rows:
    """Part each state into one for each outcome, unnormalised; probabilities add them up again."""
    bits, ranks = bits_of(states.order), range(len(step.wires))
    outcome = sum(bits[wire] << rank for wire, rank in zip(step.wires, ranks, strict=True))
    mask = tf.one_hot(outcome, 2 ** len(step.wires))[:, tf.newaxis, :, tf.newaxis]  # (indices, 1, outcomes, 1)
    parted = states.values[:, :, tf.newaxis] * mask
    copies = states.values.shape[1] * 2 ** len(step.wires)
    return Rows(states.order, tf.reshape(parted, (2 ** len(states.order), copies, -1)))
