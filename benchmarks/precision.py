"""One whole training step in each precision of encoder and projector, on whatever processor or GPU is there."""

from collections.abc import Iterator
from dataclasses import replace

import tensorflow as tf
from timing import compared, medians

from qssl_tf.data.augment import augmentation
from qssl_tf.models.build import build_simclr
from qssl_tf.models.precision import why_slower
from qssl_tf.presets import PRESETS

IMAGES = {"paper": (32, 32, 3), "best": (32, 32, 3), "digits": (8, 8, 1)}
SHORTER = ("bfloat16", "float16")


def step_call(preset: str, precision: str):
    """Return a call of the train step on one batch of pairs of random views that waits for its loss."""
    config = replace(PRESETS[preset], precision=precision)
    augment = augmentation(config, IMAGES[preset])
    model = build_simclr(config, IMAGES[preset], augment)
    shape = (config.batch_size, *IMAGES[preset])
    views = tuple(tf.random.stateless_uniform(shape, (view, 0)) for view in (1, 2))
    step = tf.function(lambda: model.train_step(views), autograph=False)
    return lambda: step()["loss"].numpy()


def all_precisions() -> Iterator[dict[str, object]]:
    """Yield each shorter precision that is not known to be slower here, beside float32; above 1 it is faster."""
    for precision in SHORTER:
        if why := why_slower(precision):
            print(f"not timed: {why}", flush=True)
            continue
        for preset in IMAGES:
            calls = {f"ours, {precision}": step_call(preset, precision), "ours, float32": step_call(preset, "float32")}
            config = PRESETS[preset]
            what = f"train step, preset {preset}, {precision}"
            yield compared(what, config.width, config.batch_size, config.shots, medians(calls))
