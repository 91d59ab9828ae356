"""`python benchmarks/gpu.py`: what a training step takes on a GPU, and whether its numbers are right there.

Writes one JSON file, {machine, and for each part a list of rows}, and prints a table of each part. A part that was not
run keeps its earlier rows. Needs neither TensorFlow Quantum nor Qiskit nor a download.
"""

import sys
import time
from pathlib import Path
from typing import Any

from qssl_tf.cli.flags import Parser
from qssl_tf.cli.run import run_command

RESULTS = Path(__file__).resolve().parent / "results" / "gpu.json"
PARTS = ("checks", "steps", "heads", "views", "training")


def main() -> None:
    """Measure the parts that were asked for, within the time that was given."""
    flags = Parser(prog="python benchmarks/gpu.py", description="Time training steps on a GPU and check their numbers.")
    flags.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)} (default: all)")
    flags.add_argument("--seconds", type=float, default=140.0, help="what does not fit is left out, and named")
    flags.add_argument("--results", type=Path, default=RESULTS, help="file of the results (default: %(default)s)")
    flags.add_argument("--cpu", action="store_true", help="try the script on the processor, with small batches")
    asked = flags.parse_args()
    parts = asked.parts.split(",")
    from qssl_tf.errors import UserError, unknown_name

    for part in parts:
        if part not in PARTS:
            raise unknown_name("parts", part, PARTS)
    import tensorflow as tf

    if not (asked.cpu or tf.config.list_physical_devices("GPU")):
        raise UserError(
            "TensorFlow finds no GPU here; run `qssl doctor` to see what there is, or give --cpu to try this script."
        )
    if asked.cpu:
        tf.config.set_visible_devices([], "GPU")
    run(parts, time.perf_counter() + asked.seconds, asked.results, small=asked.cpu)


def run(parts: list[str], end: float, results: Path, small: bool) -> None:
    """Measure the parts until `end`; each row is kept as soon as it is there."""
    import json

    from gpu_cases import all_cases
    from gpu_checks import all_checks, trainings
    from gpu_machine import graphics
    from gpu_views import all_views

    from qssl_tf.files.write import write_json

    found: dict[str, Any] = json.loads(results.read_text(encoding="utf-8")) if results.exists() else {}
    found["machine"] = graphics()
    print(json.dumps(found["machine"]), flush=True)
    sections = {
        "checks": lambda: all_checks(small),
        "steps": lambda: all_cases("steps", end, small),
        "heads": lambda: all_cases("heads", end, small),
        "views": lambda: all_views(end, small),
        "training": lambda: trainings(end, small),
    }
    results.parent.mkdir(parents=True, exist_ok=True)
    for part in parts:
        if time.perf_counter() > end:
            print(f"left out for want of time: {part}", flush=True)
            continue
        found[part] = []
        for row in sections[part]():
            found[part].append(row)
            write_json(results, found)
            print(json.dumps(row), flush=True)
        print(table(part, found[part]), flush=True)
    print(f"results in {results}")


def table(part: str, rows: list[dict]) -> str:
    """Return rows as a Markdown table of the columns that any of them has."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [f"\n{part}", "", f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return "\n".join(lines + [f"| {' | '.join(cell(row.get(name)) for name in columns)} |" for row in rows]) + "\n"


def cell(value: object) -> str:
    """Return a value with four digits."""
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(run_command(main))
