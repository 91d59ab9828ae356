"""Shots from known probabilities, with exact multinomial statistics and stateless seeds."""

import tensorflow as tf


def outcomes(probabilities: tf.Tensor, shots: int, seed: tf.Tensor) -> tf.Tensor:
    """Return outcomes drawn independently from each column's distribution.

    Each shot walks from the most significant bit to the last, to the 0 side with the probability that the side has
    given the bits before. Uniform numbers have 24 bits, so an outcome's probability is exact to about 1e-7.

    Args:
        probabilities: Shape (2^width, columns); need not add up to 1 exactly.
        shots: Outcomes for each column.
        seed: Two integers; equal seeds draw equal shots.

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

    left_over = tf.random.stateless_uniform((shots, columns), seed) * levels[0]
    depth = len(levels) - 1
    node, _ = tf.while_loop(
        lambda *_: True, step_down, (tf.ones_like(left_over, tf.int32), left_over), maximum_iterations=depth
    )
    return node - 2**depth
