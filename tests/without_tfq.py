"""What test_without_tfq.py does in a process of its own without TensorFlow Quantum, in a folder that it shares."""

import json
import sys
from pathlib import Path

import keras
import numpy as np

import qssl_tf as q
from qssl_tf.errors import UserError
from qssl_tf.quantum.tfq_availability import why_absent


def model(head=None, seed: int = 0) -> keras.Model:
    """Return a head in a model, as a user would build it."""
    angles = keras.Input((3,))
    return keras.Model(angles, (head or q.QuantumHead(3, "ring", 2, seed=seed, name="head"))(angles))


def write(folder: Path) -> None:
    """Save a head in both kinds of files, with its values, and a run."""
    made, angles = model(), np.random.default_rng(0).uniform(0, np.pi, (5, 3)).astype(np.float32)
    made.save(folder / "head.keras")
    made.save_weights(folder / "head.weights.h5")
    np.savez(folder / "head.npz", angles=angles, values=made.predict(angles, verbose=0), weights=made.get_weights()[0])
    data, settings = images(), q.Config(width=2, steps=2, batch_size=16, checkpoint_every=1)
    run = q.load_run(q.pretrain(data, settings, runs_dir=folder, name="run").folder)
    np.savez(folder / "run.npz", images=data.test.images[:4], features=run.features(data.test.images[:4]))


def images() -> q.ImageData:
    """Return the images of the runs."""
    return q.ImageData.from_arrays(np.random.default_rng(1).random((40, 8, 8)), np.arange(40) % 2)


def read(folder: Path) -> None:
    """Compare what another process wrote with what its files give here."""
    kept = np.load(folder / "head.npz")
    np.testing.assert_array_equal(model().get_weights()[0], kept["weights"])  # the same seed
    by_weights = model(seed=5)
    by_weights.load_weights(folder / "head.weights.h5")
    for loaded in (keras.saving.load_model(folder / "head.keras"), by_weights):
        np.testing.assert_array_equal(loaded.get_weights()[0], kept["weights"])
        np.testing.assert_allclose(loaded.predict(kept["angles"], verbose=0), kept["values"], atol=1e-6)
    run = np.load(folder / "run.npz")
    np.testing.assert_allclose(q.load_run(folder / "run").features(run["images"]), run["features"], atol=1e-5)
    q.resume(folder / "run", images())


def refusal(**settings) -> str:
    """Return how a head is refused."""
    try:
        q.QuantumHead(3, **settings)
    except UserError as error:
        return str(error)
    raise AssertionError(f"{settings} are accepted")


if __name__ == "__main__":
    theirs, own = map(Path, sys.argv[1:])
    read(theirs)
    write(own)
    sampled = {"shots": 10, "gradient": "parameter_shift", "noise": "depolarizing=0.01", "encoding": "reuploading"}
    said = {
        "why": why_absent(),
        "bases": [kind.__module__.split(".")[0] for kind in q.QuantumHead.__mro__],
        "tfq": refusal(simulator="tfq"),
        "trajectories": refusal(**sampled),
        "twin": refusal(noise="fake_manila", encoding="reuploading"),
    }
    (own / "said.json").write_text(json.dumps(said))
