"""Time the parts of a step and fit what they grow with: `python benchmarks/scaling.py`."""

import argparse
import json
from pathlib import Path


def main() -> None:
    """Measure, fit, and write both."""
    parser = argparse.ArgumentParser(description="Time the parts of a step and fit what they grow with.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write times and constants there")
    asked = parser.parse_args()

    from parts import measured

    text = json.dumps(measured(), indent=2)
    print(text)
    if asked.json:
        asked.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
