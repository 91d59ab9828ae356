"""The target network: its moving average in closed form, what it makes of images, and what no batch changes."""

import numpy as np
import pytest
import tensorflow as tf

import qssl_tf as q
from qssl_tf.data.augment import AUGMENTATIONS
from qssl_tf.models.build import build_simclr

SHAPE = (8, 8, 1)
IMAGES = np.random.default_rng(0).random((12, *SHAPE), np.float32)


def learner(**changes):
    settings = {"width": 3, "layers": 1, "batch_size": 6, "objective": "byol", "target_rate": 0.9} | changes
    return build_simclr(q.Config(**settings), SHAPE, AUGMENTATIONS["digits"](8))


def trained(model):
    return [*model.encoder.weights, *model.head.weights, *model.projector.weights]


def test_it_begins_where_the_trained_network_does():
    model = learner(head="quantum")
    np.testing.assert_array_equal(model.target(IMAGES), model(IMAGES))
    assert not model.target.trainable_variables


def test_its_weights_and_statistics_are_the_exponential_average():
    """xi_t = rate^t theta_0 + (1 - rate) sum over s of rate^(t - s) theta_s, of the weights after each step s."""
    model = learner(head="classical")
    seen = [[weight.numpy() for weight in trained(model)]]
    for step in range(4):
        model.train_on_batch(IMAGES[:6] * (1 + step) / 4, IMAGES[6:])
        seen.append([weight.numpy() for weight in trained(model)])
    parts = (model.target.encoder, model.target.head, model.target.projector)
    found = [weight.numpy() for part in parts for weight in part.weights]
    for place, weight in enumerate(found):
        terms = [0.9**4 * seen[0][place].astype(float)]
        terms += [0.1 * 0.9 ** (4 - s) * seen[s][place].astype(float) for s in range(1, 5)]
        np.testing.assert_allclose(weight, sum(terms), rtol=2e-5, atol=1e-6)
        assert len(seen[0][place].shape) == 0 or np.abs(weight - seen[-1][place]).max() > 0


def test_a_rate_of_zero_is_the_trained_network_itself():
    model = learner(target_rate=0.0, head="identity")
    model.train_on_batch(IMAGES[:6], IMAGES[6:])
    np.testing.assert_allclose(model.target(IMAGES), model(IMAGES), rtol=1e-6)


def test_other_images_of_the_batch_change_nothing():
    model = learner(head="identity")
    model.train_on_batch(IMAGES[:6], IMAGES[6:])
    np.testing.assert_allclose(model.target(IMAGES)[:4], model.target(IMAGES[:4]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("chunk_size", [2, 6])
def test_chunks_change_nothing(chunk_size):
    model = learner(head="quantum")
    together, parts = model.target(IMAGES), model.target(IMAGES, chunk_size=chunk_size)
    np.testing.assert_allclose(parts, together, rtol=1e-5, atol=1e-6)


def test_its_head_draws_other_shots():
    """The same image through both networks of equal weights: 20 shots that were the same would agree throughout."""
    model = learner(head="quantum", shots=20, gradient="parameter_shift", project=False)
    assert np.mean(model.target(IMAGES).numpy() != model(IMAGES).numpy()) > 0.3


@pytest.mark.parametrize("rate", [1.0, -0.1, float("nan"), "0.9"])
def test_a_rate_outside_its_range(rate):
    with pytest.raises(q.UserError, match=r"^`target_rate` must be "):
        learner(target_rate=rate)


def test_moco_keeps_the_keys_of_the_newest_second_views():
    """Two batches in a queue of three: the keys are the target's before each step, of second views alone."""
    model = learner(objective="moco", head="classical", queue_size=9)
    first = model.target(IMAGES[6:]).numpy()
    model.train_on_batch(IMAGES[:6], IMAGES[6:])
    second = model.target(IMAGES[:6]).numpy()
    model.train_on_batch(IMAGES[6:], IMAGES[:6])
    np.testing.assert_allclose(model.queue.rows, np.concatenate([second, first[:3]]), rtol=1e-4, atol=1e-5)


def test_a_step_of_moco_is_the_gradient_by_first_views_alone():
    model, twin = learner(objective="moco", head="identity"), learner(objective="moco", head="identity")
    keys = tf.concat([twin.target(IMAGES[6:]), twin.queue.rows], axis=0)
    with tf.GradientTape() as tape:
        loss = twin.loss(keys, twin(IMAGES[:6], training=True))
    expected = tape.gradient(loss, twin.trainable_variables)
    logs = model.train_on_batch(IMAGES[:6], IMAGES[6:], return_dict=True)
    assert logs["loss"] == pytest.approx(float(loss), rel=1e-5)
    moved = [(a - b).numpy() for a, b in zip(model.trainable_variables, twin.trainable_variables, strict=True)]
    for way, gradient in zip(moved, expected, strict=True):
        clear = np.abs(gradient) > 1e-3
        np.testing.assert_array_equal(np.sign(way[clear]), -np.sign(gradient.numpy()[clear]))  # Adam's first step
