"""Peak memory of training on large batches, beside the gradient of all at once: `python benchmarks/memory.py`.

Each way trains `paper` for two steps, as a user starts it, in a process of its own whose peak is the one that the
system reports (`ru_maxrss`, with TensorFlow, the images and what follows training). The gradients are compared at a
size at which all fits at once.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from timing import machine

import qssl_tf  # noqa: F401 -- it tells TensorFlow to keep its log to itself, before that is loaded

ROOT = Path(__file__).resolve().parents[1]
# Way -> the flags that choose it. Views are made in the step, since several batches of them would wait ahead of it.
WAYS = {
    "all at once": {},
    "chunks": {"chunk_size": 256, "batch_statistics": "local"},
    "blocks": {"recompute_blocks": True},
    "blocks-bfloat16": {"recompute_blocks": True, "precision": "bfloat16"},
}
COMPARED = ("chunks", "blocks")  # in float32, by whose rounding they may differ


def peak(way: str, batch_size: int, steps: int) -> dict[str, object]:
    """Return the gigabytes that a training took at most, and the seconds of its last step."""
    settings = {"batch_size": batch_size, "steps": steps, "views_in_step": True, **WAYS[way]}
    flags = [f"--{name.replace('_', '-')}={json.dumps(value).strip(chr(34))}" for name, value in settings.items()]
    with tempfile.TemporaryDirectory() as folder:
        words = ["trainers/pretrain.py", "--preset", "paper", "--runs-dir", folder, "--name", "run", *flags]
        with open(Path(folder) / "said", "w+") as said:
            process = subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=said, stderr=said)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                said.seek(0)
                raise RuntimeError(said.read())
        with open(Path(folder) / "run" / "history.csv", newline="") as file:
            seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
    return {"way": way, "batch": batch_size, "peak_gb": 1024 * usage.ru_maxrss / 1e9, "step_s": seconds[-1]}


def difference(way: str, batch_size: int) -> dict[str, object]:
    """Return how far the gradient of a way is from that of all rows on one tape, in parts of its length."""
    import tensorflow as tf

    from qssl_tf.data.augment import augmentation
    from qssl_tf.models.batches import Batch
    from qssl_tf.models.build import build_simclr
    from qssl_tf.presets import preset

    shape, chunk_size = (32, 32, 3), WAYS[way].get("chunk_size")
    settings = WAYS[way] | ({"chunk_size": batch_size // 4} if chunk_size else {})
    config = replace(preset("paper"), batch_size=batch_size, **settings)
    model = build_simclr(config, shape, augmentation(config, shape))
    views = tuple(tf.random.stateless_uniform((batch_size, *shape), (1, view)) for view in (0, 1))

    def once() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            z = []
            for view in views:
                chunks = tf.split(view, 4 if chunk_size else 1)
                angles = tf.concat([model.encoder(chunk, training=True) for chunk in chunks], 0)
                z.append(model.projector(model.head(angles), training=True))
            loss = model.loss(*z)
        return tape.gradient(loss, model.trainable_variables)

    cached = tf.function(lambda: model._gradients(Batch(views))[2], autograph=False)
    found = [np.concatenate([part.numpy().ravel() for part in call()]) for call in (tf.function(once), cached)]
    apart = float(np.linalg.norm(found[1] - found[0]) / np.linalg.norm(found[0]))
    return {"way": way, "batch": batch_size, "gradient_apart": apart}


def main() -> None:
    """Measure and write what came out."""
    parser = argparse.ArgumentParser(description="Measure the memory of training on large batches.")
    parser.add_argument(
        "--ways", nargs="+", choices=list(WAYS), default=list(WAYS), help="what is measured (default: all)"
    )
    parser.add_argument("--batch-size", type=int, default=4096, help="images a step (default: 4096)")
    parser.add_argument("--compared-at", type=int, default=256, help="images of the gradients (default: 256)")
    parser.add_argument("--steps", type=int, default=2, help="steps to train (default: 2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    asked = parser.parse_args()
    rows: list[dict[str, object]] = []
    for way in asked.ways:
        rows.append(peak(way, asked.batch_size, asked.steps))
        print(rows[-1], flush=True)
        if way in COMPARED:
            rows.append(difference(way, asked.compared_at))
            print(rows[-1], flush=True)
    if asked.json:
        asked.json.write_text(json.dumps({"machine": machine(), "memory": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
