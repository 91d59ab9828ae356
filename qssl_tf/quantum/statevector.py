"""Evolution of a batch of state vectors in plain TensorFlow, which XLA compiles for any device.

Each step of the fused circuit moves its wires to the front and is one matrix product for all rows. A complex d x d
matrix is stored as a real 2d x 2d one (see batched_states.py).
"""

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
import tensorflow as tf

from qssl_tf.quantum.batched_states import RE_IM, BatchedStates, bits_of, wires_to_front
from qssl_tf.quantum.fusion import Block, Dense, DephasingStep, Permutation, Phases, Program, Step


def evolve(
    program: Program, rows: tf.Tensor, shared: tf.Tensor, initial_amplitudes: Callable | None = None
) -> BatchedStates:
    """Return the final states.

    Args:
        program: The circuit.
        rows: Angles of `program.row_gates` in radians, shape (n, row gates).
        shared: Angles of all gates, shape (gates,); those of the row gates are ignored.
        initial_amplitudes: rows -> real initial amplitudes, shape (2^width, n), in place of the program's own start.
    """
    initial = initial_amplitudes(rows) if initial_amplitudes else _product_states(program, rows)
    states = BatchedStates(tuple(range(program.width)), initial[:, tf.newaxis])
    matrices = iter(_matrices(program.steps, shared))
    for step in program.steps:
        if isinstance(step, Dense):
            states = _apply_dense(next(matrices), step, states)
        elif isinstance(step, Phases):
            states = _apply_phases(step, program, states, rows)
        elif isinstance(step, Permutation):
            states = _apply_permutation(step, states)
        else:
            states = _apply_dephasing(step, states)
    return states


def _product_states(program: Program, rows: tf.Tensor) -> tf.Tensor:
    """Return the program's real initial product states, shape (2^width, n), or (2^width, 1) for |0...0>."""
    if all(gate is None for gate in program.start):
        return tf.one_hot([0], 2**program.width, axis=0)
    half = tf.transpose(rows) / 2  # (row gates, n)
    zero = tf.zeros_like(half[:1])
    half = tf.concat([half, zero], axis=0)  # the angle of a wire that no gate rotates
    column = [len(program.row_gates) if gate is None else program.row_gates.index(gate) for gate in program.start]
    cosine_sine = tf.stack([tf.cos(half), tf.sin(half)], axis=1)  # (row gates + 1, 2, n)
    middle = (program.width + 1) // 2
    left, right = (_product([cosine_sine[row] for row in part]) for part in (column[:middle], column[middle:]))
    return tf.reshape(left[:, tf.newaxis] * right, (2**program.width, -1))


def _product(factors: Sequence[tf.Tensor]) -> tf.Tensor:
    """Return the product of single-qubit states, (2, n) each, shape (2^qubits, n)."""
    bits = bits_of(range(len(factors)))
    # Gathers, since XLA fuses a chain of outer products into one loop that recomputes each factor for each state.
    selection = [tf.gather(factor, bits[wire]) for wire, factor in enumerate(factors)]
    return reduce(tf.multiply, selection) if selection else tf.ones((1, 1))


def _matrices(steps: Sequence[Step], shared: tf.Tensor) -> list[list[tf.Tensor]]:
    """Return the real matrices of all blocks of each dense step."""
    blocks = [block for step in steps if isinstance(step, Dense) for block in step.blocks]
    numbers = [angle for block in blocks for angle in block.angles]
    if not numbers:
        return []
    # A gather written as a matrix product, since the gradient of a gather is a scatter, which XLA runs serially.
    selection = np.zeros((len(numbers), shared.shape[0]), np.float32)
    positions = [position for position, number in enumerate(numbers) if number is not None]
    selection[positions, [numbers[position] for position in positions]] = 0.5
    half = tf.linalg.matvec(selection, shared)  # (gates,)
    parts = zip(*(tf.split(f(half), [len(block.angles) for block in blocks]) for f in (tf.cos, tf.sin)), strict=True)
    matrices = iter([_block_matrix(block, *part) for block, part in zip(blocks, parts, strict=True)])
    return [[next(matrices) for _ in step.blocks] for step in steps if isinstance(step, Dense)]


def _block_matrix(block: Block, cosine: tf.Tensor, sine: tf.Tensor) -> tf.Tensor:
    """Return the matrix of a block, shape (d, d) if it is real, else (2d, 2d)."""
    terms = block.terms if block.is_real else _as_real(block.terms)
    gates = terms[:, 0] + cosine[:, None, None] * terms[:, 1] + sine[:, None, None] * terms[:, 2]
    product = gates[0]
    for number in range(1, len(block.angles)):
        product = tf.matmul(gates[number], product)
    return product


def _as_real(matrices: np.ndarray) -> np.ndarray:
    """Return complex matrices as real ones of twice the size that act on (real part, imaginary part)."""
    upper = np.concatenate([matrices.real, -matrices.imag], axis=-1)
    return np.concatenate([upper, np.concatenate([matrices.imag, matrices.real], axis=-1)], axis=-2)


def _apply_dense(matrices: list[tf.Tensor], step: Dense, states: BatchedStates) -> BatchedStates:
    """Multiply the blocks of a step into one matrix, and apply it to the states."""
    wires = tuple(wire for wire in states.order if wire in step.wires)  # in the order of the states, to move fewer axes
    if len(step.blocks) == 1 and wires == step.blocks[0].wires:
        matrix = matrices[0]
    else:
        identity = BatchedStates(wires, tf.eye(2 ** len(wires))[:, tf.newaxis])
        for matrix, block in zip(matrices, step.blocks, strict=True):
            identity = _multiply(matrix, block.wires, identity)
        matrix = _complex_matrix(identity, wires)
    return _multiply(matrix, wires, states)


def _complex_matrix(columns: BatchedStates, wires: tuple[int, ...]) -> tf.Tensor:
    """Return the square real matrix of a step, given its columns for real inputs."""
    if RE_IM not in columns.order:
        return wires_to_front(columns, wires).values[:, 0]
    first = wires_to_front(columns, (RE_IM, *wires)).values[:, 0]  # (2d, d)
    real, imaginary = tf.split(first, 2)
    return tf.concat([first, tf.concat([-imaginary, real], axis=0)], axis=1)


def _multiply(matrix: tf.Tensor, wires: tuple[int, ...], states: BatchedStates) -> BatchedStates:
    """Apply a real matrix (of size 2^k) or a complex one (of size 2 * 2^k) to `wires`."""
    size, copies = 2 ** len(wires), states.values.shape[1]
    before = after = wires
    if matrix.shape[0] > size:
        after = (RE_IM, *wires)
        if RE_IM in states.order:
            before = after
        else:
            matrix = matrix[:, :size]  # the imaginary parts are 0
    order, values = wires_to_front(states, before)
    product = tf.matmul(matrix, tf.reshape(values, (2 ** len(before), -1)))
    order = (*after, *order[len(before) :])
    return BatchedStates(order, tf.reshape(product, (2 ** len(order), copies, -1)))


def _apply_phases(step: Phases, program: Program, states: BatchedStates, rows: tf.Tensor) -> BatchedStates:
    """Multiply each amplitude by the phase given by the angles of its row."""
    order, values = wires_to_front(states, (RE_IM,)) if RE_IM in states.order else states
    wires = order[1:] if RE_IM in order else order
    bits, slopes = bits_of(wires), []
    for rotation in step.rotations:
        sign = np.prod([1 - 2 * bits[wire] for wire in rotation.targets], axis=0)
        controls = [bits[wire] == value for wire, value in rotation.controls.items()]
        slopes.append(np.prod([sign, *controls], axis=0) / 2)
    columns = [program.row_gates.index(rotation.angle) for rotation in step.rotations]
    selection = np.eye(len(program.row_gates), dtype=np.float32)[columns]  # (rotations, row gates)
    table = (np.stack(slopes, axis=1) @ selection).astype(np.float32)  # (2^width, row gates)
    phase = tf.matmul(table, rows, transpose_b=True)[:, tf.newaxis]  # (2^width, 1, n)
    cosine, sine = tf.cos(phase), tf.sin(phase)  # exp(-i phase)
    if RE_IM not in order:
        return BatchedStates((RE_IM, *wires), tf.concat([values * cosine, -values * sine], axis=0))
    real, imaginary = tf.split(values, 2)
    parts = [real * cosine + imaginary * sine, imaginary * cosine - real * sine]
    return BatchedStates(order, tf.concat(parts, axis=0))


def _apply_permutation(step: Permutation, states: BatchedStates) -> BatchedStates:
    """Move amplitudes."""
    source = np.arange(2 ** len(states.order))
    for gate in step.gates:
        source = source[_source_indices(gate.terms[0].real, gate.wires, states.order)]
    back = np.argsort(source)

    @tf.custom_gradient  # the inverse gather, since XLA would run a scatter serially
    def move(values):
        return tf.gather(values, source), lambda upstream: tf.gather(upstream, back)

    return BatchedStates(states.order, move(states.values))


def _source_indices(matrix: np.ndarray, wires: Sequence[int], order: Sequence[int]) -> np.ndarray:
    """Return, for each index, the index whose amplitude the permutation `matrix` on `wires` moves there."""
    bits = bits_of(order)
    positions = [len(order) - 1 - order.index(wire) for wire in wires]
    ranks = range(len(wires) - 1, -1, -1)
    local_index = sum(bits[wire] << rank for wire, rank in zip(wires, ranks, strict=True))
    source_index = np.argmax(matrix, axis=1)[local_index]
    source = np.arange(2 ** len(order))
    for wire, position, rank in zip(wires, positions, ranks, strict=True):
        source = source ^ ((bits[wire] ^ (source_index >> rank & 1)) << position)
    return source


def _apply_dephasing(step: DephasingStep, states: BatchedStates) -> BatchedStates:
    """Split each state into one unnormalised state for each outcome; `probabilities` sums over them."""
    bits, ranks = bits_of(states.order), range(len(step.wires))
    outcome = sum(bits[wire] << rank for wire, rank in zip(step.wires, ranks, strict=True))
    mask = tf.one_hot(outcome, 2 ** len(step.wires))[:, tf.newaxis, :, tf.newaxis]  # (indices, 1, outcomes, 1)
    branches = states.values[:, :, tf.newaxis] * mask
    copies = states.values.shape[1] * 2 ** len(step.wires)
    return BatchedStates(states.order, tf.reshape(branches, (2 ** len(states.order), copies, -1)))
