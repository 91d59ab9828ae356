"""PRECISIONS: the numbers in which encoder and projector are trained, and what stays in float32."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import keras
import tensorflow as tf

from qssl_tf.config import Config

# Setting -> Keras's dtype policy of encoder and projector. All of them keep weights in float32, and so do checkpoints.
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
# Instructions by which a processor multiplies bfloat16, as Linux names them.
BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")


@contextmanager
def built_in(precision: str) -> Iterator[None]:
    """Build the layers of the block in a precision, including those of a user's own encoder; also as a decorator.

    The policy that the user has set for models of their own counts before and after.

    Args:
        precision: Key of PRECISIONS.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(PRECISIONS[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def at_least_float32() -> str:
    """Return the dtype of layers whose rounding shows in angles or embeddings: float32, or the policy's if longer."""
    policy = keras.config.dtype_policy()
    return policy.name if tf.as_dtype(policy.compute_dtype).size >= 4 else "float32"


def in_float32(config: Config) -> Config:
    """Return the settings in which a run is judged, exported and run on devices, whatever it was trained in.

    So a run has the same features on every machine, up to rounding of float32.
    """
    return replace(config, precision="float32")


def scales_loss(precision: str) -> bool:
    """Return whether gradients may fall below the range of a precision: float16 ends at 6e-8."""
    return precision == "float16"


def why_slower(precision: str) -> str | None:
    """Return why a precision is slower here than float32, as a sentence, or None."""
    if precision == "float32" or tf.config.list_physical_devices("GPU"):
        return None
    if precision == "float16":
        return "float16 is many times slower than float32 on processors, and TensorFlow finds no GPU; take float32."
    if not multiplies_bfloat16():
        return "bfloat16 is slower than float32 here: this processor has no instructions for it; take float32."
    return None


def say_if_slower(precision: str) -> None:
    """Print one line where a precision only costs time."""
    if why := why_slower(precision):
        print(f"note: {why}", file=sys.stderr, flush=True)


def multiplies_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether the processor multiplies bfloat16, by Linux's list of its instructions.

    Where no system keeps such a list, nothing is known, and so True is returned: nobody is told that it is slower.
    """
    try:
        words = set(cpuinfo.read_text().split())
    except OSError:
        return True
    return not words.isdisjoint(BFLOAT16_INSTRUCTIONS)
