import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from qssl_tf.config import Config
from qssl_tf.data.augment import AUGMENTATIONS
from qssl_tf.data.images import ImageData
from qssl_tf.evaluation import fine_tuning
from qssl_tf.evaluation.evaluation_options import EvaluationOptions
from qssl_tf.evaluation.features import fingerprint
from qssl_tf.evaluation.fine_tuning import finetune, labelled_batches
from qssl_tf.evaluation.subject import Subject
from qssl_tf.models.build import build_simclr

SETTINGS = Config(width=2, layers=1, probe_batch_size=16)


@dataclasses.dataclass(frozen=True)
class Made(Subject):
    """A subject whose model lies in no folder."""

    def copy_of_model(self):
        return build_simclr(SETTINGS, (8, 8, 1), AUGMENTATIONS["digits"](8))


@pytest.fixture(scope="module")
def subject():
    """Bright and dark images, which any network that learns can tell apart."""
    labels = np.arange(120) % 2
    pixels = np.random.default_rng(0).integers(0, 40, (120, 8, 8, 1)) + 180 * labels[:, None, None, None]
    data = ImageData.from_arrays(pixels.astype(np.uint8), labels, name="lamps")
    options = EvaluationOptions(fractions=[0.1], finetune_epochs=2, finetune_learning_rate=1e-2)
    model = build_simclr(SETTINGS, (8, 8, 1), AUGMENTATIONS["digits"](8))
    return Made(SimpleNamespace(), SETTINGS, 0, model, data, "test", options)


def test_views_keep_their_labels_and_epochs_their_images(subject):
    """Each of two epochs has 6 batches of 16 of the 96 images; the brightness of a view tells its class."""
    train = subject.data.train
    batches = [(views.numpy(), labels.numpy()) for views, labels in labelled_batches(subject, train, 16, epochs=2)]
    assert len(batches) == 12 and {views.shape for views, _ in batches} == {(16, 8, 8, 1)}
    for views, labels in batches:
        means = views.mean(axis=(1, 2, 3))
        assert means[labels == 1].min() > means[labels == 0].max()
    for epoch in (batches[:6], batches[6:]):
        assert np.bincount(np.concatenate([labels for _, labels in epoch])).tolist() == [48, 48]
    orders = [np.concatenate([labels for _, labels in epoch]).tolist() for epoch in (batches[:6], batches[6:])]
    assert orders[0] != orders[1]
    again = [labels.numpy().tolist() for _, labels in labelled_batches(subject, train, 16, epochs=2)]
    assert again == [labels.tolist() for _, labels in batches]


def test_the_whole_network_learns_and_the_run_stays(subject, monkeypatch):
    monkeypatch.setattr(fine_tuning, "LEAST_STEPS", 40)
    before = fingerprint(subject.model)
    readings = dict(finetune(subject))
    assert list(readings) == ["all labels", "10 % of the labels"]
    assert readings["all labels"].value == 100.0 and readings["all labels"].majority == 50.0
    assert readings["all labels"].note == "24 test images, 96 labels, 7 epochs"  # 40 steps of 6 an epoch
    assert readings["10 % of the labels"].note == "24 test images, 10 labels, 40 epochs"
    assert fingerprint(subject.model) == before


def test_every_part_of_the_network_is_trained(subject, monkeypatch):
    monkeypatch.setattr(fine_tuning, "LEAST_STEPS", 2)
    network, _ = fine_tuning.finetuned(subject, subject.data.train.take(np.arange(16)))
    assert len(network.layers) == 3
    for trained, start in ((network.layers[0], subject.model.encoder), (network.layers[1], subject.model.head)):
        pairs = list(zip(trained.trainable_weights, start.trainable_weights, strict=True))
        assert pairs and all(np.any(new.numpy() != old.numpy()) for new, old in pairs)
