"""Each loss and its gradient against the slow loop of its paper, its symmetries, and values in closed form."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from judges import papers

from qssl_tf.errors import UserError
from qssl_tf.objectives.contrastive import DecoupledContrastive, NTXent, SupervisedContrastive
from qssl_tf.objectives.predictive import BYOL, SimSiam
from qssl_tf.objectives.queue import MoCo
from qssl_tf.objectives.redundancy import BarlowTwins, VICReg

N, D, QUEUE = 5, 3, 7
LABELS = np.array([0, 1, 0, -1, -1])
RNG = np.random.default_rng(3)
Z_A, Z_B, T_A, T_B = RNG.normal(size=(4, N, D))
KEYS = RNG.normal(size=(QUEUE, D))


def rows(*parts):
    return tf.concat([tf.cast(part, tf.float64) for part in parts], axis=0)


# Name -> (our loss of what is trained on, the paper's loop of the same), both functions of (z_a, z_b); what a loss
# predicts is held still.
CASES = {
    "decoupled": (
        lambda a, b: DecoupledContrastive(0.3, dtype="float64")(a, b),
        lambda a, b: papers.decoupled(a, b, 0.3),
    ),
    "supervised": (
        lambda a, b: SupervisedContrastive(0.3, dtype="float64")(LABELS, tf.stack([a, b], axis=1)),
        lambda a, b: papers.supervised(LABELS, a, b, 0.3),
    ),
    "barlow_twins": (
        lambda a, b: BarlowTwins(0.1, dtype="float64")(a, b),
        lambda a, b: papers.barlow_twins(a, b, 0.1),
    ),
    "barlow_twins as published": (
        lambda a, b: BarlowTwins(dtype="float64")(a, b),
        lambda a, b: papers.barlow_twins(a, b, 0.005),
    ),
    "vicreg": (lambda a, b: VICReg(3.0, dtype="float64")(a, b), lambda a, b: papers.vicreg(a, b, 3.0)),
    "vicreg as published": (lambda a, b: VICReg(dtype="float64")(a, b), lambda a, b: papers.vicreg(a, b, 1.0)),
    "simsiam": (
        lambda a, b: SimSiam(dtype="float64")(rows(T_B, T_A), rows(a, b)),
        lambda a, b: papers.simsiam(T_A, T_B, a, b),
    ),
    "byol": (
        lambda a, b: BYOL(dtype="float64")(rows(T_B, T_A), rows(a, b)),
        lambda a, b: papers.byol(T_A, T_B, a, b),
    ),
    "moco": (
        lambda a, b: MoCo(0.3, dtype="float64")(rows(T_B, KEYS), a) + 0 * tf.reduce_sum(b),
        lambda a, b: papers.moco(a, T_B, KEYS, 0.3),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_value_and_gradient_are_those_of_the_papers_loop(case):
    """The gradient is that of central differences of the loop, in both views."""
    ours, loop = CASES[case]
    views = [tf.constant(z) for z in (Z_A, Z_B)]
    with tf.GradientTape() as tape:
        tape.watch(views)
        value = ours(*views)
    np.testing.assert_allclose(value, loop(Z_A, Z_B), rtol=1e-9)
    for number, gradient in enumerate(part.numpy() for part in tape.gradient(value, views)):
        for index in np.ndindex(N, D):
            ends = []
            for sign in (1, -1):
                moved = [Z_A.copy(), Z_B.copy()]
                moved[number][index] += sign * 1e-6
                ends.append(loop(*moved))
            assert gradient[index] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("case", ["decoupled", "supervised", "barlow_twins", "vicreg"])
def test_views_may_change_places(case):
    ours, _ = CASES[case]
    np.testing.assert_allclose(ours(Z_A, Z_B), ours(Z_B, Z_A), rtol=1e-12)


@pytest.mark.parametrize("loss", [DecoupledContrastive(0.3), BarlowTwins(), VICReg(), SimSiam(), BYOL()])
def test_images_may_change_places(loss):
    order = np.random.default_rng(0).permutation(N)
    np.testing.assert_allclose(loss(Z_A[order], Z_B[order]), loss(Z_A, Z_B), rtol=1e-5)


def test_images_may_change_places_with_their_labels_and_keys():
    order = np.random.default_rng(0).permutation(N)
    z, loss = np.stack([Z_A, Z_B], axis=1), SupervisedContrastive(0.3)
    np.testing.assert_allclose(loss(LABELS[order], z[order]), loss(LABELS, z), rtol=1e-5)
    keys, old = np.random.default_rng(1).permutation(KEYS), np.concatenate([T_B, KEYS])
    moved = MoCo(0.3)(np.concatenate([T_B[order], keys]), Z_A[order])
    np.testing.assert_allclose(moved, MoCo(0.3)(old, Z_A), rtol=1e-5)


def test_equal_embeddings():
    """All cosines are 1, so each loss counts its terms; without any spread nothing correlates."""
    z = tf.ones((N, D))
    np.testing.assert_allclose(NTXent(0.2)(z, z), np.log(2 * N - 1), rtol=1e-5)
    np.testing.assert_allclose(DecoupledContrastive(0.2)(z, z), np.log(2 * N - 2), rtol=1e-5)
    np.testing.assert_allclose(SupervisedContrastive(0.2)(LABELS, tf.stack([z, z], 1)), np.log(2 * N - 1), rtol=1e-5)
    np.testing.assert_allclose(MoCo(0.2)(tf.ones((N + QUEUE, D)), z), np.log(1 + QUEUE), rtol=1e-5)
    np.testing.assert_allclose(BarlowTwins()(z, z), D, rtol=1e-6)
    np.testing.assert_allclose(VICReg()(z, z), 2 * 25 * (1 - np.sqrt(1e-4)), rtol=1e-5)
    np.testing.assert_allclose(SimSiam()(z, z), -1, rtol=1e-6)
    np.testing.assert_allclose(BYOL()(z, z), 0, atol=1e-5)


def uncorrelated(scale):
    """Return four rows of two dimensions with mean 0, standard deviation `scale` and no correlation."""
    return scale * np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])


def test_the_optimum_of_the_losses_that_keep_dimensions_apart():
    z = uncorrelated(2.0)
    np.testing.assert_allclose(BarlowTwins()(z, z), 0, atol=1e-9)  # the correlation matrix is the identity
    np.testing.assert_allclose(BarlowTwins()(z, -z), 2 * 2**2, rtol=1e-4)  # it is minus the identity
    np.testing.assert_allclose(VICReg()(z, z), 0, atol=1e-6)  # deviations are above 1, covariances 0
    twice = np.repeat(z[:, :1], 2, axis=1)
    np.testing.assert_allclose(BarlowTwins(0.5)(twice, twice), 0.5 * 2, rtol=1e-4)  # off the diagonal stand two ones


@pytest.mark.parametrize("deviation", [0.1, 0.5, 0.9, 1.5])
def test_the_hinge_of_vicreg(deviation):
    """Of four rows at plus and minus s, the variance of the sample is 4/3 s^2."""
    z = uncorrelated(deviation * np.sqrt(3 / 4))
    judge = 50 * max(0.0, 1 - np.sqrt(deviation**2 + 1e-4))
    np.testing.assert_allclose(VICReg()(z, z), judge, rtol=1e-4, atol=1e-6)


def test_predictions_that_are_right_opposite_or_at_right_angles():
    right, up = np.array([[2.0, 0]]), np.array([[0.0, 3]])
    for others, cosine in ((right, 1), (-right, -1), (up, 0)):
        np.testing.assert_allclose(SimSiam()(others, right), -cosine, atol=1e-6)
        np.testing.assert_allclose(BYOL()(others, right), 2 * (2 - 2 * cosine), atol=1e-5)


@pytest.mark.parametrize("loss", [SimSiam(), BYOL()])
def test_no_gradient_passes_through_what_is_predicted(loss):
    others, predictions = tf.constant(T_A), tf.constant(Z_A)
    with tf.GradientTape() as tape:
        tape.watch([others, predictions])
        value = loss(others, predictions)
    by_others, by_predictions = tape.gradient(value, [others, predictions])
    assert by_others is None and np.abs(by_predictions).max() > 0


def test_supervised_without_labels_is_nt_xent_and_all_of_one_class_attract_each_other():
    z = np.stack([Z_A, Z_B], axis=1)
    np.testing.assert_allclose(SupervisedContrastive(0.3)(-np.ones(N), z), NTXent(0.3)(Z_A, Z_B), rtol=1e-6)
    np.testing.assert_allclose(SupervisedContrastive(0.3)(np.arange(N), z), NTXent(0.3)(Z_A, Z_B), rtol=1e-6)


def test_the_positive_pair_does_not_slow_the_decoupled_loss_down():
    """Two images, whose pairs are equal and strangers opposite: NT-Xent ends at 0, this at minus two cosines."""
    z = np.array([[1.0, 0], [-1, 0]])
    np.testing.assert_allclose(DecoupledContrastive(0.5)(z, z), -2 / 0.5 + np.log(2), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("loss", [DecoupledContrastive(0.3), BarlowTwins(), VICReg(), SimSiam(), BYOL()])
def test_short_numbers_are_compared_in_float32(loss, dtype):
    a, b = (tf.cast(z, dtype) for z in (Z_A, Z_B))
    np.testing.assert_allclose(loss(a, b), loss(tf.cast(a, "float32"), tf.cast(b, "float32")), rtol=1e-6)


@pytest.mark.parametrize("loss", [DecoupledContrastive(0.3), BarlowTwins(), VICReg(), SimSiam(), BYOL(), MoCo(0.3)])
def test_rows_of_zeros_and_equal_rows_have_finite_gradients(loss):
    a = tf.constant(np.r_[np.zeros((2, D)), np.ones((2, D))])
    others = tf.zeros((6, D)) if isinstance(loss, MoCo) else tf.zeros((4, D))
    with tf.GradientTape() as tape:
        tape.watch(a)
        value = loss(others, a)
    assert np.isfinite(value) and np.isfinite(tape.gradient(value, a)).all()


WRONG = {
    "other shapes": (lambda: BarlowTwins()(np.ones((4, 3)), np.ones((4, 2))), "BarlowTwins must be given two views' "),
    "one image": (
        lambda: DecoupledContrastive(0.2)(np.ones((1, 3)), np.ones((1, 3))),
        "DecoupledContrastive must be given at least 2 images, which it compares; got 1.",
    ),
    "no queue": (
        lambda: MoCo(0.2)(np.ones((4, 3)), np.ones((4, 3))),
        "MoCo must be given keys (n + queue_size, d) and queries (n, d); got (4, 3) and (4, 3).",
    ),
    "one view": (
        lambda: SupervisedContrastive(0.2)(LABELS, Z_A),
        "SupervisedContrastive must be given labels (n,) and both views' embeddings (n, 2, d); got ",
    ),
    "temperature": (lambda: MoCo(0), "`temperature` must be above 0.0; got 0.0."),
    "weight": (lambda: VICReg(-1), "`redundancy_weight` must be at least 0.0; got -1.0."),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_compared_is_one_line(case):
    act, sentence = WRONG[case]
    with pytest.raises(UserError) as caught:
        act()
    assert str(caught.value).startswith(sentence) and "\n" not in str(caught.value)


@pytest.mark.parametrize("loss", [DecoupledContrastive(0.3), BarlowTwins(0.2), VICReg(0.4), MoCo(0.5)])
def test_round_trip(loss):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is type(loss) and again.get_config() == loss.get_config()


@pytest.mark.parametrize("scale", [1e15, 1e20, 1e30])
def test_barlow_twins_of_embeddings_whose_squares_leave_float32(scale):
    """A correlation does not know the scale, so neither the loss fades to that of no correlation, nor its gradient."""
    a, b = (tf.constant(z, tf.float32) * scale for z in (Z_A, Z_B))
    with tf.GradientTape() as tape:
        tape.watch(b)
        loss = BarlowTwins(0.1)(a, b)
    exact = papers.barlow_twins(1e6 * Z_A, 1e6 * Z_B, 0.1)  # where 1e-5 is nothing beside a variance
    assert float(loss) == pytest.approx(exact, rel=1e-4)
    step = 1e-5 * RNG.normal(size=Z_B.shape)
    moved = [papers.barlow_twins(1e6 * Z_A, 1e6 * (Z_B + sign * step), 0.1) for sign in (1, -1)]
    gradient = np.asarray(tape.gradient(loss, b), np.float64) * scale
    assert np.sum(gradient * step) == pytest.approx((moved[0] - moved[1]) / 2, rel=1e-2)
