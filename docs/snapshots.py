"""Make the table of docs/reference/snapshots.md anew: `make snapshots`."""

import subprocess
import sys
from pathlib import Path

from qssl_tf.files.write import write_text

PAGE = Path(__file__).resolve().parent / "reference" / "snapshots.md"
COMMAND = ["-m", "qssl_tf", "device", "digits-ring", "--list"]  # eight qubits, two layers of the ring: as the paper's


def is_row(line: str) -> bool:
    """Return whether a line is one of the table."""
    return line.startswith("|")


def with_table(page: str, table: list[str]) -> str:
    """Return a page with the table of snapshots, its last part, exchanged."""
    lines = page.rstrip().splitlines()
    while lines and is_row(lines[-1]):
        lines.pop()
    return "\n".join([*lines, *([] if lines[-1] == "" else [""]), *table]) + "\n"


if __name__ == "__main__":
    with subprocess.Popen([sys.executable, *COMMAND], stdout=subprocess.PIPE, text=True) as made:
        assert made.stdout is not None
        table = []
        for said in made.stdout:
            print(said, end="", flush=True)
            table += [said.rstrip()] if is_row(said) else []
    if made.returncode:
        sys.exit(made.returncode)
    write_text(PAGE, with_table(PAGE.read_text(encoding="utf-8"), table))
