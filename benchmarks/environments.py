"""The peers' environments: built by benchmarks/peers.sh from benchmarks/pins/, and asked before anything is timed."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from qssl_tf.errors import UserError

# Environment -> modules that its workers need, and packages whose versions are written beside the figures.
NEEDED: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "tensorcircuit": (("numpy", "jax", "tensorcircuit"), ("tensorcircuit-ng", "jax")),
    "pennylane": (("numpy", "torch", "pennylane"), ("pennylane", "pennylane-lightning", "torch")),
    "qiskit": (("numpy", "qiskit_machine_learning"), ("qiskit-machine-learning", "qiskit")),
    "torch": (("numpy", "torch"), ("torch",)),
}
ASK = """
import importlib, json, sys
from importlib.metadata import version
modules, packages = (words.split(",") for words in sys.argv[1:])
for module in modules:
    importlib.import_module(module)
print(json.dumps({package: version(package) for package in packages}))
"""


def checked(folder: Path | None) -> dict[str, dict[str, str]]:
    """Return environment -> package -> version, after each environment has imported what its workers need.

    Raises:
        UserError: No folder, or one line that names each environment that is missing or broken, and why.
    """
    if folder is None:
        raise UserError("`--environments` must name the folder that benchmarks/peers.sh filled; got none.")
    found, broken = {}, {}
    for name, (modules, packages) in NEEDED.items():
        python = folder / name / "bin" / "python"
        if not python.exists():
            broken[name] = "not built"
            continue
        command = [python, "-W", "ignore", "-c", ASK, ",".join(modules), ",".join(packages)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            broken[name] = last_line(done.stderr)
        else:
            found[name] = json.loads(done.stdout.splitlines()[-1])
    if broken:
        which = "; ".join(f"{name}: {why}" for name, why in broken.items())
        raise UserError(
            f"environments of peers in {folder} are missing or broken ({which}); remove them and build the peers: "
            f"sh benchmarks/peers.sh {folder}"
        )
    return found


def last_line(text: str) -> str:
    """Return the last line that a process said."""
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else "it said nothing"
