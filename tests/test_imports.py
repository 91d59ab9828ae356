"""Who may import whom: the layers of the package, held by reading its imports."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "qssl_tf"
# From the bottom up: a module imports only from its own layer or one below.
LAYERS = [
    (
        "errors", "arguments", "reading", "files", "links", "lock", "checksums", "schema", "memory", "markup", "quiet",
        "xla", "environment", "interrupts", "streams", "newest", "replicas", "plotting",
    ),
    ("config",),
    ("presets", "registration", "plugins"),
    ("arms",),
    ("flags", "data", "quantum", "hardware", "distribution"),
    ("models",),
    ("training",),
    ("evaluation",),
    ("device_run", "device_records"),
    ("ibmq_infer", "on_device", "reproduction", "workflow"),
    ("publishing", "pictures"),
    ("share", "doctor", "report"),
]  # fmt: skip
# Library -> the only places that may import it.
HOMES = {
    "cirq": ("quantum", "hardware/bridge.py", "hardware/gates.py"),
    "tensorflow_quantum": ("quantum/hilbert_space.py", "quantum/head.py", "quantum/shift_rules.py", "quantum/noise.py"),
    "qiskit": ("hardware", "device_run.py"),
    "qiskit_aer": ("hardware",),
    "qiskit_ibm_runtime": ("hardware",),
    "keras_tuner": (),
}


def imports(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


def layer(module: str) -> int:
    part = module.split(".")[1] if "." in module else "errors"
    return next(index for index, names in enumerate(LAYERS) if part in names)


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path):
    relative = path.relative_to(PACKAGE)
    if relative.name == "__init__.py" and len(relative.parts) == 1:
        return  # names its modules as text and loads them late
    own = layer("qssl_tf." + relative.parts[0].removesuffix(".py"))
    for name in imports(path):
        if name.split(".")[0] == "qssl_tf":
            assert layer(name) <= own, f"{relative} must not import {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_libraries_stay_in_their_homes(path):
    relative = str(path.relative_to(PACKAGE))
    for name in imports(path):
        homes = HOMES.get(name.split(".")[0])
        assert homes is None or relative.startswith(homes), f"{relative} must not import {name}"


@pytest.mark.parametrize("folder", ["trainers", "tuning", "benchmarks"])
def test_scripts_import_the_package_and_not_each_other(folder):
    others = {"trainers", "tuning", "benchmarks"} | {
        path.stem
        for other in ("trainers", "tuning", "benchmarks")
        if other != folder
        for path in (ROOT / other).glob("*.py")
    }
    others -= {path.stem for path in (ROOT / folder).glob("*.py")}
    for path in sorted((ROOT / folder).glob("*.py")):
        assert not others & {name.split(".")[0] for name in imports(path)}, path
        assert "sys.path" not in path.read_text(), path


def test_data_and_quantum_do_not_import_each_other():
    for path in MODULES:
        part = path.relative_to(PACKAGE).parts[0]
        other = {"data": "qssl_tf.quantum", "quantum": "qssl_tf.data"}.get(part)
        assert other is None or not any(name.startswith(other) for name in imports(path)), path
