"""Compare mitigations of the readout: `python benchmarks/readout.py` writes `results/readout.json`."""

import argparse
import json
from pathlib import Path


def main() -> None:
    """Measure all and write the file."""
    argparse.ArgumentParser(description="Compare mitigations of the readout on snapshots.").parse_args()

    from readout_methods import measured

    path = Path(__file__).parent / "results" / "readout.json"
    path.write_text(json.dumps(measured(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
