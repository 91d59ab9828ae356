"""Training steps with oneDNN's convolutions beside those without: `python benchmarks/onednn.py`.

TensorFlow chooses when it is loaded, so each figure comes from a process of its own, in turn. Where a processor has
AVX-512 VNNI, TensorFlow takes them by itself; this package asks for them on every x86-64 processor.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from timing import machine

KEPT = Path(__file__).resolve().parent / "results" / "onednn.json"
SHAPES = {"digits": (8, 8, 1), "best": (32, 32, 3), "paper": (32, 32, 3)}
WAYS = {"without": "0", "with": "1"}


def steps(preset_name: str, count: int) -> list[float]:
    """Return the seconds of some training steps on made-up views, after one that compiles."""
    import tensorflow as tf

    from qssl_tf.data.augment import augmentation
    from qssl_tf.models.build import build_simclr
    from qssl_tf.presets import preset

    config, shape = preset(preset_name), SHAPES[preset_name]
    model = build_simclr(config, shape, augmentation(config, shape), steps=count)
    views = [tf.random.stateless_uniform((config.batch_size, *shape), (0, view)) for view in (0, 1)]
    model.train_on_batch(*views)
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        model.train_on_batch(*views)
        seconds.append(time.perf_counter() - began)
    return seconds


def in_a_process(preset_name: str, way: str, count: int) -> float:
    """Return the median seconds of a step in a new process."""
    words = [sys.executable, __file__, "--one", preset_name, "--steps", str(count)]
    environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": WAYS[way]}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    return statistics.median(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Print a table, and keep it beside the machine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", default="digits,best,paper", help="which presets, with commas")
    parser.add_argument("--rounds", type=int, default=7, help="processes of each way")
    parser.add_argument("--steps", type=int, default=7, help="steps of a process")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(steps(arguments.one, arguments.steps)))
        return
    rows = []
    for name in arguments.presets.split(","):
        rounds = [[in_a_process(name, way, arguments.steps) for way in WAYS] for _ in range(arguments.rounds)]
        without, having = (statistics.median(column) for column in zip(*rounds, strict=True))
        ratio = statistics.median(first / second for first, second in rounds)
        rows.append({"preset": name, "without_s": without, "with_s": having, "ratio": ratio})
        print(f"{name}: {without:.3g} s without, {having:.3g} s with oneDNN, {ratio:.2f} times as fast", flush=True)
    KEPT.write_text(json.dumps({"machine": machine(), "rounds": arguments.rounds, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
