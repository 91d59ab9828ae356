"""lightly's losses of the embeddings on stdin, as JSON; run in an environment with torch and lightly."""

import importlib
import json
import sys
import types
from importlib.metadata import version

import torch


def loss_class(module: str, name: str):
    """Return a loss of lightly, whose package imports trainers that the losses themselves do not need."""
    for package in ("lightly", "lightly.loss"):
        if package not in sys.modules:
            made = types.ModuleType(package)
            made.__path__ = [f"{path}/{package.replace('.', '/')}" for path in sys.path if path]
            sys.modules[package] = made
    return getattr(importlib.import_module(f"lightly.loss.{module}"), name)


def main() -> None:
    """Read, compute, write."""
    given = json.load(sys.stdin)
    a, b = torch.tensor(given["z_a"]), torch.tensor(given["z_b"])
    temperature = given["temperature"]
    cosine = loss_class("negative_cosine_similarity", "NegativeCosineSimilarity")()
    found = {
        "nt_xent": loss_class("ntx_ent_loss", "NTXentLoss")(temperature)(a, b),
        "decoupled": loss_class("dcl_loss", "DCLLoss")(temperature)(a, b),
        "barlow_twins": loss_class("barlow_twins_loss", "BarlowTwinsLoss")()(a, b),
        # lightly averages the variance terms of the two views, which the paper's Algorithm 1 adds.
        "vicreg": loss_class("vicreg_loss", "VICRegLoss")(mu_param=50.0)(a, b),
        "simsiam": cosine(a, b),
    }
    queued = loss_class("ntx_ent_loss", "NTXentLoss")(temperature, memory_bank_size=(given["queue_size"], a.shape[1]))
    _, negatives = queued.memory_bank(b, update=False)  # random directions, shape (d, queue_size), which stay
    found["moco"] = queued(a, b)
    numbers = {name: float(value) for name, value in found.items()}
    versions = {name: version(name) for name in ("torch", "lightly")}
    print(json.dumps(numbers | {"queue": negatives.T.tolist(), "versions": versions}))


if __name__ == "__main__":
    main()
