"""Shots from known probabilities, with exact multinomial statistics; each row's random numbers are its own."""

import tensorflow as tf

PHILOX = tf.random.Algorithm.PHILOX.value  # counts in blocks of four numbers (Salmon et al., SC 2011)
BLOCK = 4


def uniform(seed: tf.Tensor, first_row: tf.Tensor, rows: tf.Tensor, count: int) -> tf.Tensor:
    """Return random numbers from 0 up to 1 of which each row has its own, however a batch is cut into parts.

    Row r of a batch gets the same numbers whether it is drawn with all the others or in a chunk or replica that begins
    with row `first_row`: the generator numbers its blocks, and each row has a range of them.

    Args:
        seed: Two integers.
        first_row: Number of the first row in the whole batch.
        rows: How many rows.
        count: Numbers for each row.

    Returns:
        float32, shape (rows, count).
    """
    blocks = -(-count // BLOCK)
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    skipped = tf.cast(first_row, tf.uint64) * tf.constant(blocks, tf.uint64)
    counter += tf.stack([skipped, tf.zeros_like(skipped)])
    shape = tf.stack([rows, BLOCK * blocks])
    numbers = tf.raw_ops.StatelessRandomUniformV2(shape=shape, key=key, counter=counter, alg=PHILOX)
    return tf.ensure_shape(numbers, (None, BLOCK * blocks))[:, :count]


def outcomes(probabilities: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """Return outcomes drawn independently from each column's distribution.

    Each shot walks from the most significant bit to the last, to the 0 side with the probability that the side has
    given the bits before. Uniform numbers have 24 bits, so an outcome's probability is exact to about 1e-7.

    Args:
        probabilities: Shape (2^width, columns); need not add up to 1 exactly.
        numbers: From 0 up to 1, shape (columns, shots), as `uniform` draws them.

    Returns:
        int32, shape (shots, columns), numbers from 0 to 2^width - 1.
    """
    levels = [probabilities]  # from single outcomes up to the sum of all
    while levels[0].shape[0] > 1:
        levels.insert(0, tf.reduce_sum(tf.reshape(levels[0], (levels[0].shape[0] // 2, 2, -1)), axis=1))
    # Nodes of the binary tree, the root being number 1 and the children of number k being 2k and 2k + 1.
    tree = tf.reshape(tf.concat([levels[0], *levels], axis=0), [-1])
    columns = tf.shape(probabilities)[1]
    column = tf.range(columns)

    def step_down(node: tf.Tensor, left_over: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        zero_side = tf.gather(tree, 2 * node * columns + column)
        one = left_over >= zero_side
        return 2 * node + tf.cast(one, tf.int32), tf.where(one, left_over - zero_side, left_over)

    left_over = tf.transpose(numbers) * levels[0]
    depth = len(levels) - 1
    node, _ = tf.while_loop(
        lambda *_: True, step_down, (tf.ones_like(left_over, tf.int32), left_over), maximum_iterations=depth
    )
    return node - 2**depth
