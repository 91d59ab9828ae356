"""What the head adds: each representation against NumPy, Cirq's closed form, or the probe of a model made of it."""

import dataclasses
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from qssl_tf.config import Config
from qssl_tf.data.augment import AUGMENTATIONS
from qssl_tf.data.pipeline import image_batches
from qssl_tf.errors import UserError
from qssl_tf.evaluation.evaluation_options import EvaluationOptions
from qssl_tf.evaluation.features import angles_of
from qssl_tf.evaluation.head import BARE, ENCODER, HEAD, REDRAWN, WAVES, head, parts, probed_parts
from qssl_tf.evaluation.probe import probe
from qssl_tf.evaluation.subject import Subject
from qssl_tf.models.build import build_simclr
from qssl_tf.models.heads import TrigonometricFeatures
from qssl_tf.models.simclr import SimCLR

SETTINGS = Config(width=4, layers=2, probe_epochs=2, probe_passes=1)
ANGLES = np.random.default_rng(0).uniform(0, np.pi, (6, 4)).astype(np.float32)


def model_of(settings=SETTINGS):
    return build_simclr(settings, (8, 8, 1), AUGMENTATIONS["digits"](8))


@pytest.fixture(scope="module")
def subject(digits_data):
    options = EvaluationOptions(draws=2)
    return Subject(SimpleNamespace(folder="runs/x"), SETTINGS, 0, model_of(), digits_data, "test", options)


def test_each_part_is_what_it_is_called(subject):
    made = {name: [function(ANGLES) for function in functions] for name, functions in
            parts(subject.model.head, SETTINGS, draws=3).items()}  # fmt: skip
    assert list(made) == [HEAD, ENCODER, REDRAWN, BARE, WAVES]
    weights = subject.model.head.get_weights()[0].reshape(2, 2, 4)  # layer, RY or link, qubit
    np.testing.assert_allclose(made[BARE][0], np.cos(ANGLES) * np.cos(weights[:, 0].sum(axis=0)), atol=1e-5)
    np.testing.assert_allclose(made[HEAD][0], subject.model.head(ANGLES), atol=1e-5)
    np.testing.assert_array_equal(made[ENCODER][0], ANGLES)
    np.testing.assert_allclose(made[WAVES][0], np.concatenate([np.cos(ANGLES), np.sin(ANGLES)], 1), atol=1e-6)
    redrawn = [made[HEAD][0], *made[REDRAWN]]
    assert len(redrawn) == 4
    assert all(np.abs(one - other).max() > 0.01 for i, one in enumerate(redrawn) for other in redrawn[:i])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"head": "classical"}, [HEAD, ENCODER, REDRAWN, WAVES]),
        ({"head": "trigonometric"}, [HEAD, ENCODER]),
        ({"ansatz": "none"}, [HEAD, ENCODER, REDRAWN, WAVES]),
        ({"encoding": "amplitude"}, [HEAD, ENCODER, REDRAWN, BARE]),
    ],
)
def test_other_heads_have_the_parts_that_make_sense(settings, expected):
    config = dataclasses.replace(SETTINGS, **settings)
    assert list(parts(model_of(config).head, config, draws=2)) == expected


def test_noise_stays_when_entanglers_go(subject):
    """Depolarizing with probability p shrinks Bloch vectors by 1 - 4p/3 a gate: RX, and RY of two layers."""
    config = dataclasses.replace(SETTINGS, noise="depolarizing=0.06")
    noisy = model_of(config).head
    weights = noisy.get_weights()[0].reshape(2, 2, 4)
    judge = np.cos(ANGLES) * np.cos(weights[:, 0].sum(axis=0)) * (1 - 4 * 0.06 / 3) ** 3
    np.testing.assert_allclose(parts(noisy, config, 2)[BARE][0](ANGLES), judge, atol=1e-5)


def test_accuracies_are_those_of_models_made_of_the_parts(subject, digits_data):
    """The probe of `qssl probe` on models with another head in its place."""
    probes, encoder = probed_parts(subject), subject.model.encoder
    for name, put in ((ENCODER, keras.layers.Identity()), (WAVES, TrigonometricFeatures())):
        features = put.compute_output_shape((None, 4))[1]
        projector = keras.Sequential([keras.Input((features,)), keras.layers.Dense(2)])
        result, fit = probe(SimCLR(encoder, put, projector), digits_data, SETTINGS, 0)
        made = put(angles_of(subject.model, image_batches(digits_data.test.images, 512))).numpy()
        assert np.mean(probes[name].predicted[0] == fit.predict(made)) > 0.99
        assert probes[name].features == result.features == features
        assert probes[name].spread == pytest.approx(np.sqrt(np.mean(np.var(made, axis=0))), rel=1e-4)


def test_differences_are_those_of_the_accuracies(subject):
    found = dict(head(subject))
    others = (ENCODER, REDRAWN, BARE, WAVES)
    assert list(found) == [HEAD, *others, *(f"head minus {name}" for name in others)]
    for name in others:
        difference = found[f"head minus {name}"]
        assert difference.value == pytest.approx(found[HEAD].value - found[name].value)
        assert difference.low <= difference.value <= difference.high and difference.over == "images"
    assert found[HEAD].majority == pytest.approx(100 * 37 / 360, abs=0.3) and found[REDRAWN].over == "draws"


def test_a_run_without_a_head_is_refused(digits_data):
    config = dataclasses.replace(SETTINGS, head="identity")
    run = SimpleNamespace(folder="runs/x")
    bare = Subject(run, config, 0, model_of(config), digits_data, "test", EvaluationOptions())
    with pytest.raises(UserError) as caught:
        head(bare)
    assert str(caught.value) == (
        "the judge 'head' must have a head that changes what the encoder gives, and that of runs/x is 'identity'; "
        "leave the judge out, or name a run with another head."
    )
