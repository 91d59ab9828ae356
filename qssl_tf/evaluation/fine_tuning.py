"""Fine-tuning: encoder, head and a linear layer trained together with labels, from the weights of a run."""

import math

import keras
import numpy as np
import tensorflow as tf

from qssl_tf.data.augment import augmentation
from qssl_tf.data.pipeline import PARALLEL_BATCHES, PROBE, as_float, image_batches, image_draws, pixel_reader
from qssl_tf.data.splits import Split
from qssl_tf.data.store.images import plain_errors
from qssl_tf.evaluation.features import BATCH, check_finite
from qssl_tf.evaluation.few_labels import drawn_rows, part_of_each, percent
from qssl_tf.evaluation.readings import Readings, accuracy
from qssl_tf.evaluation.subject import Subject
from qssl_tf.models.initializers import SeedStream, dense
from qssl_tf.training.fit import reproducible

LEAST_STEPS = 100  # few labels take more epochs, or a few steps would be all


def finetune(subject: Subject) -> Readings:
    """Yield the accuracy of the whole network, trained with all labels and with parts of them.

    Raises:
        UserError: A part leaves a class without an image.
    """
    train, judged = subject.labelled
    seed, names = subject.config.seed, subject.data.class_names
    rows = {"all labels": np.arange(len(train))}
    for part in subject.options.fractions:
        counts = part_of_each(train.labels, names, part)
        rows[f"{percent(part)} of the labels"] = drawn_rows(train.labels, counts, seed, draw=0)

    def readings() -> Readings:
        for name, chosen in rows.items():
            some = train.take(chosen)
            network, epochs = finetuned(subject, some)
            note = f"{len(judged)} {subject.split} images, {len(some)} labels, {epochs} epochs"
            yield name, accuracy(judged.labels, _predicted(network, judged), subject.classes, note)

    return readings()


def finetuned(subject: Subject, train: Split) -> tuple[keras.Model, int]:
    """Train a copy of a run's network on labelled images; the run and its model stay as they are.

    Images are augmented as for the linear probe, anew in every step. Adam's learning rate falls to 0 by a cosine.

    Args:
        subject: The run.
        train: The images to train on.

    Returns:
        The network, from images to logits, and its epochs: as many as the options say, or what LEAST_STEPS take.
    """
    options, config = subject.options, subject.config
    batch = min(config.probe_batch_size, len(train))
    steps_per_epoch = len(train) // batch
    epochs = max(options.finetune_epochs, math.ceil(LEAST_STEPS / steps_per_epoch))
    learner = subject.copy_of_model()
    features = learner.head.compute_output_shape(learner.encoder.output_shape)[-1]
    layer = dense(subject.classes, features, SeedStream(config.seed, part=3), dtype="float32")
    network = keras.Sequential([keras.Input(learner.encoder.input_shape[1:]), learner.encoder, learner.head, layer])
    rate = keras.optimizers.schedules.CosineDecay(options.finetune_learning_rate, epochs * steps_per_epoch)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(rate, epsilon=1e-8), loss, jit_compile=False)
    with reproducible(), plain_errors():
        network.fit(labelled_batches(subject, train, batch, epochs), epochs=1, shuffle=False, verbose=0)
    return network, epochs


def labelled_batches(subject: Subject, train: Split, batch: int, epochs: int) -> tf.data.Dataset:
    """Yield (views, labels) of each step; an epoch's last partial batch is dropped, and its images reshuffled.

    Args:
        subject: The run, whose seed decides order and views.
        train: The images.
        batch: Images per step.
        epochs: Passes over the images.
    """
    augment = augmentation(subject.config, train.images.shape[1:], probing=True)
    read, labels, seed = pixel_reader(train.images), tf.constant(train.labels), subject.config.seed

    def views(step: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        draws = image_draws(seed, PROBE, step, rows, augment.n_draws)
        return augment.compiled(as_float(read(rows)), draws), tf.gather(labels, rows)

    order = tf.data.Dataset.range(len(train)).shuffle(len(train), seed=seed, reshuffle_each_iteration=True)
    rows = order.batch(batch, drop_remainder=True).repeat(epochs)
    return rows.enumerate().map(views, num_parallel_calls=PARALLEL_BATCHES, deterministic=True).prefetch(2)


def _predicted(network: keras.Model, judged: Split) -> np.ndarray:
    """Return the labels that a network gives to images, shape (n,)."""
    call = tf.function(lambda images: network(images, training=False), autograph=False, reduce_retracing=True)
    with plain_errors():
        logits = np.concatenate([call(images).numpy() for images in image_batches(judged.images, BATCH)])
    check_finite(logits)
    return np.argmax(logits, axis=1)
