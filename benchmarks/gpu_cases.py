"""Training steps on a GPU: presets, batches, precisions and heads, each rival in turn with the others of its group."""

import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

import tensorflow as tf
from gpu_machine import forget_peak, peak_bytes
from timing import medians

from qssl_tf.config import Config
from qssl_tf.data.augment import augmentation
from qssl_tf.models.build import build_simclr
from qssl_tf.presets import PRESETS

IMAGES = {"digits": (8, 8, 1), "best": (32, 32, 3), "paper": (32, 32, 3)}
BF16, F16, XLA = {"precision": "bfloat16"}, {"precision": "float16"}, {"xla_step": True}
SHOTS = {"shots": 100, "gradient": "parameter_shift"}
Case = tuple[str, int, dict[str, Any]]  # preset, batch, settings in place of the preset's
# Part -> groups, the most telling first; the cases of a group are timed in turn.
GROUPS: dict[str, list[list[Case]]] = {
    "steps": [
        [("paper", 256, {}), ("paper", 256, BF16), ("paper", 256, F16)],
        [("paper", 4096, {}), ("paper", 4096, BF16)],
        [("paper", 256, XLA), ("paper", 256, XLA | BF16)],
        [("digits", 256, {}), ("digits", 256, XLA)],
        [("best", 256, {}), ("best", 256, BF16)],
        [("paper", 1024, {}), ("paper", 1024, BF16)],
        [("digits", 1024, {}), ("digits", 4096, {})],
        [("best", 1024, {}), ("best", 1024, BF16)],
        [("best", 256, XLA)],
        [("paper", 1024, XLA | BF16)],
    ],
    "heads": [
        [("digits", 256, {}), ("digits", 256, {"head": "classical"})],
        [("digits", 256, SHOTS)],
        [("digits", 256, {"noise": "depolarizing=0.01"})],
        [("paper", 256, {}), ("paper", 256, {"head": "classical"})],
        [("paper", 256, SHOTS)],
        [("digits", 256, {"width": 12}), ("digits", 1024, {"width": 12})],
    ],
}


def all_cases(part: str, end: float, small: bool) -> Iterator[dict[str, Any]]:
    """Yield the rows of a part, group by group, until the time is up; what is left out is printed."""
    known = {item.name for item in fields(Config)}
    for group in GROUPS[part]:
        cases = [case for case in group if set(case[2]) <= known]
        if small:
            cases = [(preset, min(batch, 16), settings) for preset, batch, settings in cases]
        if cases and time.perf_counter() > end:
            print(f"left out for want of time: {'; '.join(map(named, cases))}", flush=True)
            continue
        yield from timed(cases, small)


def named(case: Case) -> str:
    """Return a case in words."""
    preset, batch, settings = case
    words = [f"{name.replace('_', ' ')} {str(value).lower()}" for name, value in settings.items()]
    return ", ".join([f"preset {preset}", *words, f"batch {batch}"])


def timed(cases: list[Case], small: bool) -> list[dict[str, Any]]:
    """Return the rows of one group."""
    rows, calls = [], {}
    for case in cases:
        preset, batch, settings = case
        forget_peak()
        began = time.perf_counter()
        call = step_call(preset, batch, settings)
        built = time.perf_counter()
        call()
        call()  # a second trace or an autotuned kernel, if there is one
        calls[named(case)] = call
        row = {"what": named(case), "batch": batch, "build_s": built - began}
        rows.append(row | {"compile_s": time.perf_counter() - built, "peak_gb": gigabytes(peak_bytes())})
    seconds = medians(calls, rounds=1 if small else 11)
    for row in rows:
        row["step_s"] = seconds[row["what"]]
        row["images_per_s"] = row["batch"] / row["step_s"]
    return rows


def gigabytes(count: int | None) -> float | None:
    """Return bytes in GB."""
    return None if count is None else count / 1e9


def step_call(preset: str, batch: int, settings: dict[str, Any]) -> Callable[[], Any]:
    """Return a call of the training step on views that are ready, which waits for its loss."""
    config = replace(PRESETS[preset], batch_size=batch, **settings)
    augment = augmentation(config, IMAGES[preset])
    model = build_simclr(config, IMAGES[preset], augment)
    views = tuple(tf.random.stateless_uniform((batch, *IMAGES[preset]), (view, 0)) for view in (1, 2))
    step = tf.function(model.train_step, autograph=False, jit_compile=config.xla_step)
    return lambda: step(views)["loss"].numpy()
