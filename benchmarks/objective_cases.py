"""What `objectives.py` measures: values of losses beside lightly's, and the seconds of training steps."""

import json
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from timing import ROUNDS

from qssl_tf.config import Config
from qssl_tf.data.augment import augmentation
from qssl_tf.models.build import build_simclr
from qssl_tf.objectives.contrastive import DecoupledContrastive, NTXent
from qssl_tf.objectives.predictive import SimSiam
from qssl_tf.objectives.queue import MoCo
from qssl_tf.objectives.redundancy import BarlowTwins, VICReg

WORKER = Path(__file__).resolve().parent / "workers" / "lightly_losses.py"
SHAPE, BATCH = (8, 8, 1), 256
T = 0.2
# Name -> our loss of (z_a, z_b, queue), of which the worker gives lightly's; it has no BYOL (but for the cosine, as in
# SimSiam) and no supervised loss.
VALUES: dict[str, Callable[..., tf.Tensor]] = {
    "nt_xent": lambda a, b, queue: NTXent(T)(a, b),
    "decoupled": lambda a, b, queue: DecoupledContrastive(T)(a, b),
    "barlow_twins": lambda a, b, queue: BarlowTwins()(a, b),
    "vicreg": lambda a, b, queue: VICReg()(a, b),
    "simsiam": lambda a, b, queue: SimSiam()(b, a),
    "moco": lambda a, b, queue: MoCo(T)(tf.concat([b, queue], axis=0), a),
}


def values(environment: Path | None) -> dict[str, Any]:
    """Return each loss of the same random embeddings here and in lightly, or why there is no comparison."""
    if environment is None:
        return {"skipped": "no environment with torch and lightly was named"}
    rng = np.random.default_rng(0)
    z_a = rng.normal(size=(64, 16)).astype(np.float32)
    z_b = (z_a + 0.5 * rng.normal(size=z_a.shape)).astype(np.float32)
    given = json.dumps({"z_a": z_a.tolist(), "z_b": z_b.tolist(), "temperature": T, "queue_size": 100})
    command = [environment / "bin" / "python", "-W", "ignore", WORKER]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        return {"skipped": f"lightly does not run there: {said[-1] if said else 'it said nothing'}"}
    theirs = json.loads(done.stdout.splitlines()[-1])
    found: dict[str, Any] = {"versions": theirs.pop("versions")}
    queue = np.array(theirs.pop("queue"), np.float32)
    for name, ours in VALUES.items():
        mine, its = float(ours(z_a, z_b, queue)), theirs[name]
        found[name] = {"ours": mine, "lightly": its, "relative_difference": abs(mine - its) / abs(its)}
    return found


def step_call(objective: str) -> Callable[[], object]:
    """Return a call of the train step of the preset `digits` on one batch of random views that waits for its loss."""
    config = Config(objective=objective)
    model = build_simclr(config, SHAPE, augmentation(config, SHAPE))
    views = tuple(tf.random.stateless_uniform((BATCH, *SHAPE), (view, 0)) for view in (1, 2))
    batch = (*views, tf.range(BATCH) % 10)
    step = tf.function(lambda: model.train_step(batch), autograph=False)
    return lambda: step()["loss"].numpy()


def seconds(names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return median seconds of a step of each objective, all in turn, and their ratios to the first one's.

    Beside those of the clock stand those of the processor, of all threads, which other work changes less.
    """
    calls = {name: step_call(name) for name in names}
    clocks: dict[str, Callable[[], float]] = {"seconds": time.perf_counter, "processor_seconds": time.process_time}
    found: dict[str, dict[str, list[float]]] = {name: {clock: [] for clock in clocks} for name in names}
    for call in calls.values():
        call()  # compiles
    for _ in range(ROUNDS):
        for name, call in calls.items():
            call()  # memory and threads are cold after another has run
            before = {clock: read() for clock, read in clocks.items()}
            call()
            for clock, read in clocks.items():
                found[name][clock].append(read() - before[clock])
    steps = {name: {clock: statistics.median(each) for clock, each in one.items()} for name, one in found.items()}
    first = steps[names[0]]
    for one in steps.values():
        one |= {f"{clock}_ratio": one[clock] / first[clock] for clock in clocks}
    return steps
