"""Shots from known probabilities, with exact multinomial statistics and separate random numbers for each row."""

import tensorflow as tf

PHILOX = tf.random.Algorithm.PHILOX.value  # counts in blocks of four numbers (Salmon et al., SC 2011)
BLOCK = 4


def uniform(seed: tf.Tensor, first_row: tf.Tensor, rows: tf.Tensor, count: int) -> tf.Tensor:
    """Return uniform random numbers in [0, 1) that do not depend on how the batch is split.

    Row r of a batch gets the same numbers whether it is drawn with all others or in a chunk or replica that begins with
    row `first_row`: the generator is counter-based, and each row has its own range of counters.

    Args:
        seed: Two integers.
        first_row: Index of the first row in the whole batch.
        rows: Number of rows.
        count: Random numbers for each row.

    Returns:
        float32, shape (rows, count).
    """
    blocks = -(-count // BLOCK)
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    skipped_blocks = tf.cast(first_row, tf.uint64) * tf.constant(blocks, tf.uint64)
    counter += tf.stack([skipped_blocks, tf.zeros_like(skipped_blocks)])
    shape = tf.stack([rows, BLOCK * blocks])
    numbers = tf.raw_ops.StatelessRandomUniformV2(shape=shape, key=key, counter=counter, alg=PHILOX)
    return tf.ensure_shape(numbers, (None, BLOCK * blocks))[:, :count]


def sample_outcomes(probabilities: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """Sample outcomes independently from each column's distribution.

    Each shot descends a binary tree from the most significant bit, choosing 0 with its probability conditional on the
    bits before. Uniform numbers have 24 bits, so the probability of an outcome is exact to about 1e-7.

    Args:
        probabilities: Shape (2^width, columns); they need not sum exactly to 1.
        numbers: In [0, 1), shape (columns, shots), from `uniform`.

    Returns:
        int32, shape (shots, columns), numbers from 0 to 2^width - 1.
    """
    levels = [probabilities]  # from the total down to single outcomes
    while levels[0].shape[0] > 1:
        levels.insert(0, tf.reduce_sum(tf.reshape(levels[0], (levels[0].shape[0] // 2, 2, -1)), axis=1))
    # Nodes of the binary tree: the root is number 1, and the children of k are 2k and 2k + 1.
    tree = tf.reshape(tf.concat([levels[0], *levels], axis=0), [-1])
    columns = tf.shape(probabilities)[1]
    column = tf.range(columns)

    def step_down(node: tf.Tensor, remainder: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        zero_side = tf.gather(tree, 2 * node * columns + column)
        is_one = remainder >= zero_side
        return 2 * node + tf.cast(is_one, tf.int32), tf.where(is_one, remainder - zero_side, remainder)

    remainder = tf.transpose(numbers) * levels[0]
    depth = len(levels) - 1
    node, _ = tf.while_loop(
        lambda *_: True, step_down, (tf.ones_like(remainder, tf.int32), remainder), maximum_iterations=depth
    )
    return node - 2**depth
