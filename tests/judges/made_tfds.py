"""Made-up data sets in the format of TensorFlow Datasets."""

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds


def write_tfds(name, folder, count=40, sides=None):
    """Write a data set of random images in TFDS's own format, with the features of the real one."""
    builder = tfds.builder(name, data_dir=str(folder))
    rng, shape = np.random.default_rng(0), builder.info.features["image"].shape

    def examples():
        for number in range(count):
            side = sides[number % len(sides)] if sides else shape[0]
            pixels = rng.integers(0, 256, (side, side, shape[2]), dtype=np.uint8)
            label = number % builder.info.features["label"].num_classes
            yield {"image": pixels, "label": label}

    features = tfds.features.FeaturesDict({key: builder.info.features[key] for key in ("image", "label")})
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=str(builder.version),
        features=features,
        split_datasets={
            split: tf.data.Dataset.from_generator(
                examples,
                output_signature={
                    "image": tf.TensorSpec(shape, tf.uint8),
                    "label": tf.TensorSpec((), tf.int64),
                },
            )
            for split in ("train", "test")
        },
        data_dir=str(folder),
        disable_shuffling=True,
    )
