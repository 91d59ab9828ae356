"""Whole training steps, views included: made ahead on the processor, or within the step on the GPU."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from gpu_cases import IMAGES, named

from qssl_tf.data.augment import augmentation
from qssl_tf.data.pipeline import drawn_batches, pair_maker, view_pairs
from qssl_tf.models.build import build_simclr
from qssl_tf.presets import PRESETS

ROUNDS, STEPS = 7, 12  # rounds of so many steps
CASES = [("paper", 256), ("best", 256), ("digits", 256), ("paper", 1024)]


def all_views(end: float, small: bool) -> Iterator[dict[str, Any]]:
    """Yield a row for each preset and each place of the views, until the time is up."""
    for preset, batch in CASES:
        batch = min(batch, 16) if small else batch
        arms = [(preset, batch, {"views_in_step": place}) for place in (False, True)]
        if time.perf_counter() > end:
            print(f"left out for want of time: {'; '.join(map(named, arms))}", flush=True)
            continue
        runs = {named(arm): fitting(*arm) for arm in arms}
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for call in runs.values():
            call(3)
        for _ in range(1 if small else ROUNDS):
            for name, call in runs.items():
                call(3)  # batches that were made ahead while the other ran
                seconds[name].append(call(3 if small else STEPS))
        for name, found in seconds.items():
            middle = statistics.median(found)
            yield {"what": name, "batch": batch, "step_s": middle, "images_per_s": batch / middle}
        alone = pairs_alone(preset, batch)
        alone(3)
        middle = statistics.median(alone(3 if small else STEPS) for _ in range(1 if small else ROUNDS))
        what = f"{named((preset, batch, {}))}: the views alone, on the processor"
        yield {"what": what, "batch": batch, "step_s": middle, "images_per_s": batch / middle}


def bytes_of(preset: str) -> np.ndarray:
    """Return made-up images, 4,096 of the preset's shape."""
    return np.random.default_rng(0).integers(0, 256, (4096, *IMAGES[preset])).astype(np.uint8)


def fitting(preset: str, batch: int, settings: dict[str, Any]) -> Callable[[int], float]:
    """Return a call that trains for some steps and returns the seconds of one."""
    config = replace(PRESETS[preset], batch_size=batch, **settings)
    augment = augmentation(config, IMAGES[preset])
    model = build_simclr(config, IMAGES[preset], augment)
    model.make_views = pair_maker(augment) if config.views_in_step else None
    source = drawn_batches if config.views_in_step else view_pairs
    batches = iter(source(bytes_of(preset), augment, batch, 0, None))
    step = tf.function(model.train_step, autograph=False, jit_compile=config.xla_step)

    def train(steps: int) -> float:
        began = time.perf_counter()
        for _ in range(steps):
            logs = step(next(batches))
        logs["loss"].numpy()
        return (time.perf_counter() - began) / steps

    return train


def pairs_alone(preset: str, batch: int) -> Callable[[int], float]:
    """Return a call that makes some batches of views and returns the seconds of one."""
    augment = augmentation(replace(PRESETS[preset], batch_size=batch), IMAGES[preset])
    batches = iter(view_pairs(bytes_of(preset), augment, batch, 0, None))

    def make(steps: int) -> float:
        began = time.perf_counter()
        for _ in range(steps):
            next(batches)
        return (time.perf_counter() - began) / steps

    return make
