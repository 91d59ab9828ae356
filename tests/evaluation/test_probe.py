import dataclasses
import json

import numpy as np
import pytest

from qssl_tf.config import Config
from qssl_tf.data.augment import AUGMENTATIONS
from qssl_tf.data.pipeline import image_batches
from qssl_tf.data.sources import load
from qssl_tf.data.splits import Split
from qssl_tf.errors import UserError
from qssl_tf.evaluation import probe as probe_module
from qssl_tf.evaluation.checkpoints import draw_probes, write_probes
from qssl_tf.evaluation.features import fingerprint, frozen_features
from qssl_tf.evaluation.probe import probe, probe_steps
from qssl_tf.evaluation.probe_files import read_classifier, read_probe
from qssl_tf.evaluation.scores import confusion_matrix
from qssl_tf.evaluation.trained_run import WEIGHTS
from qssl_tf.models.build import build_simclr
from qssl_tf.training.runs import create_run

SETTINGS = Config(width=4, layers=1, probe_epochs=6, head="identity")


@pytest.fixture(scope="module")
def model():
    return build_simclr(SETTINGS, (8, 8, 1), AUGMENTATIONS["digits"](8))


def test_frozen_features_are_the_heads_output(model, digits_data):
    images = digits_data.test.images
    features = frozen_features(model, images)
    np.testing.assert_allclose(features[300:], model.features(images[300:] / np.float32(255)), atol=1e-5)


@pytest.mark.parametrize("head", ["identity", "quantum"])
def test_features_that_are_not_finite_are_refused(head, digits_data):
    broken = build_simclr(dataclasses.replace(SETTINGS, head=head), (8, 8, 1), AUGMENTATIONS["digits"](8))
    kernel, bias = broken.encoder.get_layer("compress").get_weights()
    broken.encoder.get_layer("compress").set_weights([kernel, np.full_like(bias, np.nan)])
    with pytest.raises(UserError) as caught:
        frozen_features(broken, digits_data.test.images[:7])
    assert str(caught.value) == (
        "the features of 7 of 7 images are NaN or infinite, first those of image 0; look at that image, at the "
        "encoder, and at the loss of the training."
    )


def test_the_result_is_consistent(model, digits_data):
    result, fit = probe(model, digits_data, SETTINGS, step=3)
    counts = np.array(result.confusion)
    assert counts.sum() == result.n_test == 360 and result.n_train == 1437 and result.features == 4
    np.testing.assert_array_equal(counts.sum(axis=1), np.bincount(digits_data.test.labels))
    assert result.accuracy_last == pytest.approx(100 * np.trace(counts) / 360)
    assert result.accuracy_best_epoch == max(fit.test_accuracy) >= result.accuracy_last
    assert result.per_class_accuracy["3"] == pytest.approx(100 * counts[3, 3] / counts[3].sum())
    assert result.frozen_sha256 == fingerprint(model)


def test_rows_are_true_classes():
    assert confusion_matrix(np.array([0, 0, 1]), np.array([0, 2, 1]), 3).tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]


def test_a_probe_is_scored_on_validation_images(model):
    data = load(dataclasses.replace(SETTINGS, validation_fraction=0.3))
    with pytest.raises(UserError, match=r"^`split` 'validation' needs held-out images and this run trained on all"):
        probe(model, data, SETTINGS, step=0, split="validation")
    held_out = dataclasses.replace(SETTINGS, validation_fraction=0.3)
    result, fit = probe(model, data, held_out, step=0, split="validation")
    assert (result.split, result.n_test, result.n_train) == ("validation", len(data.validation), len(data.train))
    features = frozen_features(model, data.validation.images)
    assert result.accuracy_last == pytest.approx(100 * np.mean(fit.predict(features) == data.validation.labels))
    assert "validation data" in result.to_dict()["accuracy_best_epoch_note"]


@pytest.mark.parametrize(("protocol", "different"), [("cached", 2), ("paper", 6), ("clean", 0)])
def test_protocols_differ_in_how_often_images_are_augmented(model, digits_data, monkeypatch, protocol, different):
    numbers = []

    def recording_batches(images, size, augmentation=None, seed=0, number=0):
        if augmentation is not None:
            numbers.append(number)
        return image_batches(images, size, augmentation, seed, number)

    monkeypatch.setattr(probe_module, "image_batches", recording_batches)
    probe(model, digits_data, dataclasses.replace(SETTINGS, probe_protocol=protocol), step=0)
    assert numbers == list(range(different))


@pytest.mark.parametrize("protocol", ["cached", "paper", "clean"])
def test_checkpoints_probed_together_come_out_as_alone(digits_data, protocol):
    settings = dataclasses.replace(SETTINGS, probe_protocol=protocol)
    model = build_simclr(settings, (8, 8, 1), AUGMENTATIONS["digits"](8))
    start = model.get_weights()

    def load(step):
        model.set_weights([weight * (1 + step) for weight in start])

    together = probe_steps(model, load, digits_data, settings, [0, 3, 1])
    assert len({result.frozen_sha256 for result, _ in together}) == 3
    for result, fit in together:
        load(result.step)
        alone, judge = probe(model, digits_data, settings, result.step)
        assert (result.step, result.frozen_sha256) == (alone.step, alone.frozen_sha256)
        assert result.accuracy_last == pytest.approx(alone.accuracy_last, abs=0.6)  # two of 360 images
        np.testing.assert_allclose(fit.kernel, judge.kernel, atol=1e-3)


def test_a_probe_skips_unlabelled_images(model, digits_data):
    """Half of the labels hidden: the probe is that of the other half alone."""
    is_hidden = np.arange(len(digits_data.train)) % 2 == 0
    labelled = dataclasses.replace(digits_data, train=digits_data.train.take(~is_hidden))
    labels = np.where(is_hidden, -1, digits_data.train.labels)
    test_labels = np.where(digits_data.test.labels < 5, -1, digits_data.test.labels)
    half = dataclasses.replace(
        digits_data, train=Split(digits_data.train.images, labels), test=Split(digits_data.test.images, test_labels)
    )
    result, fit = probe(model, half, SETTINGS, step=0)
    assert result.n_train == np.sum(~is_hidden)
    assert result.n_test == np.sum(test_labels >= 0) == np.sum(result.confusion)
    np.testing.assert_array_equal(fit.kernel, probe(model, labelled, SETTINGS, step=0)[1].kernel)
    no_test_labels = dataclasses.replace(half, test=Split(half.test.images, np.full(360, -1)))
    with pytest.raises(UserError) as caught:
        probe(model, no_test_labels, SETTINGS, step=0)
    assert str(caught.value) == (
        "a linear probe needs labelled test images, and digits has none; train on images that have them."
    )


def test_a_result_of_an_earlier_version_is_read(tmp_path):
    """The results of the packaged weights lack a balanced accuracy."""
    stored = json.loads((WEIGHTS / "digits-ring" / "probe.json").read_text())
    assert "balanced_accuracy" not in stored
    read, counts = read_probe(WEIGHTS / "digits-ring" / "probe.json"), np.array(stored["confusion"])
    assert read["balanced_accuracy"] == pytest.approx(100 * np.mean(np.diag(counts) / counts.sum(axis=1)))
    assert read["majority_share"] == pytest.approx(100 * counts.sum(axis=1).max() / 360)


def test_a_network_that_changes_during_the_probe_is_an_error(model, digits_data, monkeypatch):
    weight = model.encoder.weights[0]

    def leaky_fit(*arguments, **options):
        weight.assign_add(1e-6 * np.ones(weight.shape))
        return fit(*arguments, **options)

    fit = probe_module.fit_linear
    monkeypatch.setattr(probe_module, "fit_linear", leaky_fit)
    with pytest.raises(RuntimeError, match="encoder or head changed during the probe"):
        probe(model, digits_data, SETTINGS, step=0)


def test_files_of_a_probe(model, digits_data, tmp_path):
    run = create_run(SETTINGS, tmp_path, "run", "digits")
    results = [probe(model, digits_data, SETTINGS, step) for step in (5, 0, 9)]
    write_probes(run, results)
    stored = read_probe(run.probe)
    assert stored["step"] == 9 and [line["step"] for line in stored["checkpoints"]] == [0, 5, 9]
    assert "optimistic" in stored["accuracy_best_epoch_note"]
    assert {"probe_epochs", "probe_passes"} < set(stored["settings"]) < set(SETTINGS.to_dict())  # compared by `compare`
    assert all(value == getattr(SETTINGS, name) for name, value in stored["settings"].items())
    with np.load(run.probe.with_suffix(".npz")) as classifier:
        predicted = np.argmax(
            frozen_features(model, digits_data.test.images) @ classifier["kernel"] + classifier["bias"], 1
        )
    assert 100 * np.mean(predicted == digits_data.test.labels) == pytest.approx(stored["accuracy_last"])
    for path in draw_probes(run, results):
        assert path.read_bytes().startswith(b"\x89PNG")


def test_an_earlier_result_is_kept_beside_the_new_one(model, digits_data, tmp_path):
    run = create_run(SETTINGS, tmp_path, "run", "digits")
    short = dataclasses.replace(SETTINGS, probe_epochs=2)
    first, again, other = (probe(model, digits_data, settings, 0) for settings in (SETTINGS, SETTINGS, short))
    assert write_probes(run, [first], keeps_earlier=True) is None
    before = run.probe.read_bytes(), run.probe.with_suffix(".npz").read_bytes()
    assert write_probes(run, [again], keeps_earlier=True) is None  # the same numbers, in another time
    kept = write_probes(run, [other], keeps_earlier=True)
    assert kept == run.folder / "probe-1.json"
    assert kept.with_suffix(".npz").read_bytes() == before[1]
    assert json.loads(kept.read_text())["accuracy_last"] == json.loads(before[0])["accuracy_last"]
    read_classifier(kept)
    run.probe.write_text("damaged")
    assert write_probes(run, [first], keeps_earlier=True) == run.folder / "probe-2.json"
    assert (run.folder / "probe-2.json").read_text() == "damaged"


@pytest.mark.parametrize("text", ["", "[]", json.dumps({"step": 1})])
def test_damaged_results_are_refused(tmp_path, text):
    (tmp_path / "probe.json").write_text(text)
    with pytest.raises(UserError, match=r"probe the run again\.$"):
        read_probe(tmp_path / "probe.json")
