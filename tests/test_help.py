"""`--help` and mistakes on the command line answer at once: nothing heavy is loaded for them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("tensorflow", "keras", "cirq", "qiskit", "sklearn", "matplotlib", "pydantic")
SCRIPTS = sorted(
    str(path.relative_to(ROOT))
    for folder in ("trainers", "tuning", "benchmarks", "qssl_tf")
    for path in (ROOT / folder).rglob("*.py")
    if "__main__" in path.read_text() and path.parent.name != "workers"
)
# Runs the script as `python SCRIPT --help` does, then names what heavy things it loaded.
PROBE = (
    f"HEAVY = {HEAVY!r}"
    + """
import runpy, sys
name, *sys.argv[1:] = sys.argv[1:]
sys.argv[0] = name
if name.startswith("qssl_tf"):
    run = lambda: runpy.run_module(name[:-3].replace("/", "."), run_name="__main__", alter_sys=True)
else:
    sys.path.insert(0, name.rsplit("/", 1)[0])
    run = lambda: runpy.run_path(name, run_name="__main__")
try:
    run()
except SystemExit as end:
    print("ended with", end.code)
print("loaded", [heavy for heavy in HEAVY if heavy in sys.modules])
"""
)


def test_all_commands_are_looked_at():
    assert {"trainers/pretrain.py", "tuning/search.py", "qssl_tf/ibmq_infer.py", "qssl_tf/__main__.py"} <= set(SCRIPTS)


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize(("flag", "code"), [("--help", 0), ("--nonsense", 2)])
def test_help_and_mistakes_load_nothing_heavy(name, flag, code):
    words = [sys.executable, "-c", PROBE, name, flag]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.endswith(f"ended with {code}\nloaded []\n"), done.stdout + done.stderr
