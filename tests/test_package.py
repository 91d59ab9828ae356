"""What is installed is what is here: a wheel in a clean environment, versions that agree, a licence, a public API."""

import inspect
import json
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

import qssl_tf as q

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
API = ROOT / "tests" / "public_api.txt"


def test_versions_agree():
    citation = (ROOT / "CITATION.cff").read_text()
    assert q.__version__ == PROJECT["version"] == re.search(r"^version: (.*)$", citation, re.M)[1]
    assert re.fullmatch(r"\d+\.\d+\.\d+", q.__version__)


def test_the_licence_is_the_one_that_is_named():
    assert PROJECT["license"] == "Apache-2.0" and "license: Apache-2.0" in (ROOT / "CITATION.cff").read_text()
    assert "Version 2.0, January 2004" in (ROOT / "LICENSE").read_text()


def call(thing):
    """The arguments and their defaults."""
    signature = inspect.signature(thing)
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def public_api():
    """One line for each public name and each method of a class: its kind and signature."""
    for name in q.__all__:
        thing = getattr(q, name)
        if not inspect.isclass(thing):
            yield f"function {name}{call(thing)}" if callable(thing) else f"{type(thing).__name__} {name}"
            continue
        own = not issubclass(thing, Exception)
        yield f"class {name}{call(thing) if own else ''}"
        for method, function in sorted(vars(thing).items()):
            if not method.startswith("_") and (inspect.isfunction(function) or isinstance(function, classmethod)):
                yield f"  {name}.{method}{call(getattr(thing, method))}"


def test_the_public_api_changes_only_on_purpose():
    """`tests/public_api.txt` is what others build on; who changes it says so in CHANGELOG.md."""
    assert list(public_api()) == API.read_text().splitlines()


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """The Python of a fresh environment with the wheel; the other packages are looked up in this one's."""
    place = tmp_path_factory.mktemp("wheel")
    listing = f"git -C {ROOT} ls-files -z --cached --others --exclude-standard"
    subprocess.run(f"{listing} | xargs -0 -I@ cp --parents @ {place}", shell=True, cwd=ROOT, check=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--wheel-dir", place / "dist", place]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    if "No matching distribution found for setuptools" in done.stderr:
        pytest.skip("the build's own packages cannot be fetched here")
    assert done.returncode == 0, done.stderr
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place / "venv"], check=True)
    python = place / "venv" / "bin" / "python"
    (wheel,) = (place / "dist").glob("qssl_tf-*.whl")
    subprocess.run([*pip, "--python", python, "install", "--no-deps", "--no-index", wheel], check=True)
    packages = next((place / "venv" / "lib").glob("python3*")) / "site-packages"
    (packages / "others.pth").write_text(sysconfig.get_paths()["purelib"])
    return python


def test_the_wheel_works_without_the_sources(clean, tmp_path):
    code = (
        "import json, qssl_tf as q, importlib.resources as r\n"
        "runs = [q.load_pretrained(name) for name in ('digits-ring', 'cifar10-best')]\n"
        "typed = r.files('qssl_tf').joinpath('py.typed').is_file()\n"
        "print(json.dumps([q.__file__, typed, [run.step for run in runs]]))"
    )
    done = subprocess.run([clean, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    where, typed, steps = json.loads(done.stdout)
    assert Path(where).is_relative_to(clean.parents[1]) and typed and min(steps) > 0
    done = subprocess.run(
        [clean.with_name("qssl"), "share", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0 and "--licence" in done.stdout


def test_the_installed_commands_go_from_images_to_a_report(clean, tmp_path):
    def qssl(*words):
        done = subprocess.run(
            [clean.with_name("qssl"), *map(str, words)], cwd=tmp_path, capture_output=True, text=True, timeout=600,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    small = ("--width", 2, "--layers", 1, "--steps", 20, "--batch-size", 64)
    assert "next: qssl probe runs/one\n" in qssl("pretrain", *small, "--name", "one")
    assert "result: runs/one/probe.json" in qssl("probe", "runs/one", "--probe-epochs", 2)
    assert "accuracy" in qssl("device", "--backend", "aer", "--images", 20, "--shots", 100)
    assert "report: runs/one/report.html" in qssl("report")
    found = qssl("search", *small[2:], "--trials", 2, "--vary", "width=2,3", "--name", "two", "--probe-epochs", 2)
    assert "next: qssl pretrain --config searches/two/best.json\n" in found
    assert qssl("--version") == f"qssl_tf {q.__version__}\n"


def test_runs_and_tests_stay_out_of_the_wheel(clean):
    (wheel,) = (clean.parents[2] / "dist").glob("*.whl")
    listed = subprocess.run(
        [sys.executable, "-m", "zipfile", "--list", wheel], capture_output=True, text=True, check=True
    )
    names = [line.split()[0] for line in listed.stdout.splitlines()[1:]]
    assert not [name for name in names if not name.startswith(("qssl_tf/", "qssl_tf-"))]
    assert any(name.endswith("licenses/LICENSE") for name in names) and wheel.stat().st_size < 5e6
