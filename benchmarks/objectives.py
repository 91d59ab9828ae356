"""Each objective: its value beside lightly's in PyTorch, and the seconds of a training step beside NT-Xent's.

    python benchmarks/objectives.py [--environment FOLDER] [--results FILE]

The folder is that of a virtual environment with torch and lightly, which is asked for its losses of the same numbers;
without one the comparison is left out, and the file says why.
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any


def main() -> None:
    """Measure, print and keep."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--environment", type=Path, metavar="FOLDER", help="virtual environment with torch and lightly")
    flags.add_argument("--results", type=Path, metavar="FILE", help="file to keep the figures in")
    flags.add_argument("--values-only", action="store_true", help="time nothing")
    flags.add_argument("--objectives", nargs="+", metavar="NAME", help="which are timed (default: all)")
    arguments = flags.parse_args()

    from objective_cases import seconds, values  # loads TensorFlow
    from timing import OWN, machine

    from qssl_tf.files.write import write_json
    from qssl_tf.registry import WORDS

    found: dict[str, Any] = {"machine": machine(), "versions": {name: version(name) for name in OWN}}
    found["values"] = values(arguments.environment)
    if not arguments.values_only:
        found["steps"] = seconds(arguments.objectives or list(WORDS["objective"].library))
    print(json.dumps(found, indent=1))
    if arguments.results is not None:
        write_json(arguments.results, found)


if __name__ == "__main__":
    main()
