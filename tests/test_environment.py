import os
import subprocess
import sys
from pathlib import Path

import pytest

from qssl_tf.environment import OLD_TENSORFLOW, REMEDY, REQUIREMENTS, problems, version_problem

ROOT = Path(__file__).resolve().parents[1]


def test_this_environment_has_no_problem():
    assert problems() == []


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="oneDNN is a choice on x86-64 only")
@pytest.mark.parametrize(("given", "found"), [({}, "1"), ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "0")], ids=["unset", "off"])
def test_onednn_is_asked_for_unless_the_user_decides(given, found):
    plain = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    code = "import os, qssl_tf; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    done = subprocess.run([sys.executable, "-c", code], env=plain | given, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == found


@pytest.mark.parametrize(("version", "fits"), [("3.15", True), ("3.15.1", True), ("3.16.0", False), ("3.9.2", False)])
def test_versions_are_compared_as_numbers(version, fits):
    problem = version_problem("keras", (3, 15), (3, 16), version)
    assert (problem is None) == fits
    if not fits:
        assert problem.startswith(f"keras must be at least 3.15 and below 3.16; found {version}; run `make install`")


def test_a_tensorflow_that_was_not_tested_is_refused_with_those_that_were():
    (name, low, high), *_ = REQUIREMENTS
    assert version_problem(name, low, high, "2.22.0") == (
        "tensorflow must be at least 2.18 and below 2.22 (2.18.1, 2.20.0 and 2.21.0 were tested); found 2.22.0; "
        f"{REMEDY}."
    )


def test_metadata_bound_keeps_the_version_that_breaks_datasets_out():
    before, (name, low, high) = OLD_TENSORFLOW[-1]
    assert (name, before) == ("tensorflow-metadata", (2, 20))
    assert version_problem(name, low, high, "1.17.3") is None
    assert version_problem(name, low, high, "1.18.0") is not None


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("TF_USE_LEGACY_KERAS", "1", "qssl_tf needs Keras 3: run `unset TF_USE_LEGACY_KERAS`."),
        ("KERAS_BACKEND", "jax", "found 'jax': run `export KERAS_BACKEND=tensorflow` before Python starts."),
    ],
)
def test_import_refuses_a_wrong_environment(script, variable, value, sentence):
    done = script("-c", "import qssl_tf", **{variable: value})
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].endswith(sentence)


def test_commands_say_it_without_a_traceback(script):
    done = script("trainers/pretrain.py", TF_USE_LEGACY_KERAS="1")
    assert done.returncode == 2
    assert done.stderr.startswith("error: TF_USE_LEGACY_KERAS is set") and done.stderr.count("\n") == 1


def test_tensorflow_starts_silently_for_commands(script):
    done = script("-c", "import qssl_tf.cli.main, tensorflow as tf; print(tf.constant(1).numpy())")
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_tensorflow_speaks_when_asked(script):
    done = script("-c", "import qssl_tf.cli.main, tensorflow", TF_CPP_MIN_LOG_LEVEL="0")
    assert "tensorflow" in done.stderr


def test_help_does_not_load_tensorflow(script):
    code = "import sys, qssl_tf.cli.flags, qssl_tf.config; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    assert script("-c", code).stdout == "False False\n"


def test_a_failed_import_still_shows_what_was_held_back(script):
    code = (
        "import os\n"
        "from qssl_tf.quiet import stderr_held_back\n"
        "try:\n"
        "    with stderr_held_back():\n"
        "        os.write(2, b'shown'); raise ImportError\n"
        "except ImportError: pass\n"
        "with stderr_held_back():\n"
        "    os.write(2, b'hidden')\n"
    )
    assert script("-c", code).stderr == "shown"


def test_modules_find_the_venv_by_themselves(tmp_path):
    """A Python without the packages (isolated from this one's) hands `-m qssl_tf...` over to .venv, if there is one."""
    if not (ROOT / ".venv" / "bin" / "python").exists():
        pytest.skip("the project's .venv is not built here")
    bare = [os.path.realpath(sys.executable), "-m", "qssl_tf", "circuit", "ring", "--width", "2"]
    done = subprocess.run(bare, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and "ring on 2 qubits" in done.stdout, done.stderr


def test_the_collector_works_again_after_tensorflow_and_leaves_its_objects_alone(script):
    code = "import gc, qssl_tf.cli.main, tensorflow; print(gc.isenabled(), gc.get_freeze_count() > 100_000)"
    assert script("-c", code).stdout == "True True\n"
    off = "import gc, qssl_tf.cli.main; gc.disable(); import tensorflow; print(gc.isenabled())"
    assert script("-c", off).stdout == "False\n"


def test_an_import_leaves_the_process_to_whoever_made_it(script):
    code = (
        "import gc, signal, sys\n"
        "before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]\n"
        "import qssl_tf\n"
        "print(before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],"
        " gc.get_freeze_count(), {'keras', 'tensorflow', 'numpy'} & set(sys.modules))\n"
    )
    assert script("-c", code).stdout == "True 0 set()\n"
