"""Time whole device runs of a probed run: `python benchmarks/devices.py RUN` writes `results/devices.json`.

Best a run of the preset `paper`, which has 900 test images for it.
"""

import argparse
import json
from pathlib import Path


def main() -> None:
    """Measure, print and write."""
    flags = argparse.ArgumentParser(description="Time whole device runs, and compare compiled circuits.")
    flags.add_argument("run", type=Path, help="folder of a probed run")
    flags.add_argument("--rounds", type=int, default=3, help="of each command (default: 3)")
    asked = flags.parse_args()

    from device_runs import measured

    text = json.dumps(measured(asked.run, asked.rounds), indent=1)
    print(text)
    (Path(__file__).parent / "results" / "devices.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
