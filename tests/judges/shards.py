"""Contrastive steps in which each shard of each view is normalised alone, by Keras's own layers and one tape."""

import keras
import numpy as np
import tensorflow as tf

SHAPE = (6, 6, 1)


def plain_parts(norm, dropout=0.0):
    """Return encoder and projector of few layers, with batch norm of a class; no row leaves all 16 units."""
    keras.utils.set_random_seed(0)
    encoder = [keras.Input(SHAPE), keras.layers.Conv2D(4, 3), norm(momentum=0.9), keras.layers.ReLU()]
    if dropout:
        encoder.append(keras.layers.Dropout(dropout, seed=1))
    projector = [keras.Input((3,)), keras.layers.Dense(16), norm(momentum=0.9), keras.layers.ReLU()]
    last = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
    return keras.Sequential([*encoder, *last]), keras.Sequential([*projector, keras.layers.Dense(4)])


def nt_xent(z_a, z_b, temperature):
    """Return the loss as arXiv:2002.05709 writes it, Eq. 1: one term for each row and its other view."""
    z = tf.math.l2_normalize(tf.concat([z_a, z_b], 0), axis=1)
    similarities, n, terms = tf.exp(z @ tf.transpose(z) / temperature), len(z_a), []
    for row in range(2 * n):
        others = tf.concat([similarities[row, :row], similarities[row, row + 1 :]], 0)
        terms.append(-tf.math.log(similarities[row, (row + n) % (2 * n)] / tf.reduce_sum(others)))
    return tf.reduce_mean(terms)


def plain_step(weights, views, shards, projector_shards=None, dropout=0.0):
    """Return the loss, and weights with statistics after a step of SGD in which each shard of each view is alone.

    All shards of a view begin with the same running statistics, of which the mean is taken.

    Args:
        weights: Before the step.
        views: Both, shape (n, 6, 6, 1) each.
        shards: Number of shards in the encoder.
        projector_shards: Number of shards in the projector; None takes that of the encoder.
        dropout: Rate behind the first layers of the encoder.
    """
    encoder, projector = plain_parts(keras.layers.BatchNormalization, dropout)
    keras.Sequential([encoder, projector]).set_weights(weights)
    variables = [*encoder.trainable_variables, *projector.trainable_variables]
    with tf.GradientTape() as tape:
        z = [alone(projector, alone(encoder, view, shards), projector_shards or shards) for view in views]
        loss = nt_xent(*z, 0.2)
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        variable.assign_sub(0.1 * gradient)
    return float(loss), [*encoder.get_weights(), *projector.get_weights()]


def alone(model, rows, shards):
    """Return what a model in training makes of each shard by itself."""
    still, found, kept = model.non_trainable_weights, [], []
    start = [variable.numpy() for variable in still]
    for shard in tf.split(rows, shards):
        for variable, value in zip(still, start, strict=True):
            variable.assign(value)
        found.append(model(shard, training=True))
        kept.append([variable.numpy() for variable in still])
    for variable, values in zip(still, zip(*kept, strict=True), strict=True):
        variable.assign(np.mean(values, axis=0))
    return tf.concat(found, 0)
