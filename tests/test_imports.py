"""Who may import whom: the layers of the package, and no circle of rooms or files, held by reading its imports."""

import ast
import graphlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "qssl_tf"
# From the bottom up: a room, which is a folder or a file beside them, imports only rooms of the lines above its own.
LAYERS = [
    ("errors", "interrupts", "keras_classes", "markup", "memory", "streams"),
    ("arguments", "files", "plugins", "quiet", "registry"),
    ("commands",),
    ("durations",),
    ("config", "distributed", "environment", "tf32"),
    ("xla",),
    ("presets",),
    ("data",),
    ("quantum", "plots"),
    ("compiler", "objectives"),
    ("models",),
    ("training",),
    ("evaluation",),
    ("comparison", "device", "search", "sharing"),
    ("api", "reports", "studies"),
    ("cli",),
    ("__main__", "ibmq_infer"),
]
# Library -> the only places that may import it.
HOMES = {
    "cirq": ("quantum", "compiler/translate.py", "compiler/gates.py", "compiler/twin.py"),
    "tensorflow_quantum": ("models/pqc_layer.py", "quantum/tfq_gradients.py"),
    "qiskit": ("compiler", "device"),
    "qiskit_aer": ("compiler", "device"),
    "qiskit_ibm_runtime": ("compiler", "device"),
    "keras_tuner": ("search",),
}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def imports(path: Path):
    """Yield the modules that a file imports, also those within functions; of the package whole modules."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else node.module


def own_imports(module: str) -> set[str]:
    """Return what a module imports of the package; the package itself names its modules as text, loaded late."""
    return {name for name in imports(MODULES[module]) if name in MODULES} - {"qssl_tf", module}


def room(module: str) -> str:
    return module.split(".")[1]


def layer(module: str) -> int:
    return next(number for number, rooms in enumerate(LAYERS) if room(module) in rooms)


def test_every_room_has_a_layer():
    there = {path.stem for path in PACKAGE.iterdir() if (path.suffix == ".py" or (path / "__init__.py").is_file())}
    assert there - {"__init__"} == {room for rooms in LAYERS for room in rooms}


@pytest.mark.parametrize("module", [module for module in MODULES if module != "qssl_tf"])
def test_imports_point_downwards(module):
    for name in own_imports(module):
        assert room(name) == room(module) or layer(name) < layer(module), f"{module} must not import {name}"


def test_files_import_each_other_in_no_circle():
    sorter = graphlib.TopologicalSorter({module: own_imports(module) for module in MODULES if module != "qssl_tf"})
    sorter.prepare()  # raises CycleError, which names the circle


def test_a_circle_would_be_seen():
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter({"a": {"b"}, "b": {"c"}, "c": {"a"}}).prepare()


@pytest.mark.parametrize("path", MODULES.values(), ids=lambda path: str(path.relative_to(PACKAGE)))
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
