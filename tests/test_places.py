"""Where things are put: folders in place of links, names that two want, left-overs of killed ones, odd paths."""

import ast
import itertools
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qssl_tf.commands import argument, command_line, resumption
from qssl_tf.config import Config
from qssl_tf.errors import shell
from qssl_tf.files.latest import point_newest
from qssl_tf.files.write import making, sweep_unfinished
from qssl_tf.plots.run import view_sheet
from qssl_tf.training.fit import build, pretrain
from qssl_tf.training.runs import create_run, open_run
from qssl_tf.training.verify import damaged_files

ROOT = Path(__file__).resolve().parents[1]
MAKING = """
import sys, time
from pathlib import Path
from qssl_tf.plots.run import view_sheet
from qssl_tf.files.write import making
with making(Path(sys.argv[1])) as begun:
    (begun / "part").touch()
    print(begun, flush=True)
    time.sleep(60)
"""
LINKING = """
import os, sys
from pathlib import Path
os.replace = lambda *names: os.kill(os.getpid(), 9)
from qssl_tf.files.links import point_latest
point_latest(Path(sys.argv[1]))
"""


def command(code, *words, **more):
    return subprocess.Popen([sys.executable, "-c", code, *map(str, words)], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_what_killed_processes_left_is_removed_by_the_next_and_what_others_make_is_not(tmp_path):
    killed, alive = command(MAKING, tmp_path / "killed"), command(MAKING, tmp_path / "alive")
    left, begun = (Path(process.stdout.readline().strip()) for process in (killed, alive))
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    linking = command(LINKING, tmp_path / "run")
    assert linking.wait() == -signal.SIGKILL
    (tmp_path / ".0123abcd-mine").mkdir()  # of another program
    (tmp_path / f".latest-{os.getpid()}").symlink_to("run")
    assert left.exists() and (tmp_path / f".latest-{linking.pid}").is_symlink()
    with making(tmp_path / "new"):
        pass
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"new", begun.name, ".0123abcd-mine", f".latest-{os.getpid()}"}
    alive.kill()
    alive.communicate()
    killed.stdout.close()
    linking.stdout.close()
    sweep_unfinished(tmp_path)
    assert begun.name not in {path.name for path in tmp_path.iterdir()}


def test_a_folder_in_place_of_the_link_is_told_before_a_run_begins(here, tmp_path):
    (tmp_path / "my runs" / "latest").mkdir(parents=True)
    done = here("trainers/pretrain.py", "--runs-dir", tmp_path / "my runs", "--name", "new", "--steps", "1")
    latest = tmp_path / "my runs" / "latest"
    remedy = f"mv '{latest}' '{latest.with_name('old-latest')}'"
    belongs = "is no link, and the link to the newest belongs there; give it another name"
    assert (done.returncode, done.stderr) == (2, f"error: {latest} {belongs}: {remedy}.\n")
    assert [path.name for path in latest.parent.iterdir()] == ["latest"]
    subprocess.run(shlex.split(remedy), check=True)
    create_run(Config(), latest.parent, "new", "digits")
    point_newest(latest.parent / "new")
    assert os.readlink(latest) == "new"


MAKE_AT_ONCE = """
import sys
from pathlib import Path
from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.training.runs import create_run

print("ready", flush=True)
sys.stdin.readline()
try:
    print(create_run(Config(), Path(sys.argv[1]), sys.argv[2] or None, "digits").folder)
except UserError as error:
    print(f"error: {error}")
"""


@pytest.mark.parametrize("name", ["one", None])
def test_several_processes_that_want_one_name(name, tmp_path):
    """A given name is one's alone, and the others are told what to do; made-up names are each another."""
    command = [sys.executable, "-c", MAKE_AT_ONCE, str(tmp_path), name or ""]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    got = [process.communicate(timeout=60)[0].strip() for process in processes]
    made = {path for path in got if not path.startswith("error: ")}
    assert made == {str(path) for path in tmp_path.iterdir()}
    assert all((Path(path) / "config.json").is_file() for path in made)
    assert len(made) == (1 if name else 6)
    one = tmp_path / "one"
    told = f"error: {one} exists already; choose another `name`, or continue it with `qssl_tf.resume('{one}')`."
    assert [line for line in got if line.startswith("error: ")] == ([told] * 5 if name else [])


def put_in(path):
    """Yield what the messages of a file put in behind a flag that takes a path, and the line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        for before, after in itertools.pairwise(parts):
            words = str(before.value) if isinstance(before, ast.Constant) else ""
            if re.search(r"--(run|resume|config|name) $", words) and isinstance(after, ast.FormattedValue):
                yield ast.unparse(after.value), node.lineno


def test_every_line_to_copy_quotes_its_paths():
    """Behind a flag stands nothing but `shell(…)`, which a shell reads as one word; `argument` writes most of them."""
    odd = Path("my runs/it's caf\u00e9 $HOME")
    assert shlex.split(f"--resume {shell(odd)}") == ["--resume", str(odd)]
    asked = subprocess.run(["sh", "-c", f"printf %s {shell(odd)}"], capture_output=True, check=True)
    assert asked.stdout == os.fsencode(odd)
    paths = [path for folder in ("qssl_tf", "trainers", "tuning") for path in sorted((ROOT / folder).rglob("*.py"))]
    found = [(str(path.relative_to(ROOT)), *each) for path in paths for each in put_in(path)]
    with command_line():
        for words in (argument("resume", odd), resumption(odd)):
            assert shlex.split(words) == ["--resume", str(odd)]
    assert [each for each in found if not each[1].startswith("shell(")] == []


@pytest.fixture
def homeless():
    """A function (*words) that runs Python as a user whom the system does not know, without HOME."""
    if os.geteuid() != 0:
        pytest.skip("to be an unknown user needs root")
    env = {
        name: value for name, value in os.environ.items() if name not in ("HOME", "TFDS_DATA_DIR", "XDG_CONFIG_HOME")
    }

    def run(*words):
        return subprocess.run(
            [sys.executable, *map(str, words)], cwd=ROOT, env=env, capture_output=True, text=True, check=False,
            preexec_fn=lambda: os.setresuid(54321, 0, 0), timeout=200,
        )  # fmt: skip

    return run


def test_no_home_is_needed(homeless, tmp_path):
    """Whose home is looked for is the real user, and there is none; a folder called ~ is made nowhere."""
    done = homeless("-c", "import pathlib; pathlib.Path.home()")
    assert "Could not determine home directory" in done.stderr
    settings = "import qssl_tf, os; print(os.environ['KERAS_HOME'], os.environ['MPLCONFIGDIR'])"
    done = homeless("-c", settings)
    assert (done.returncode, done.stderr) == (0, "") and len(set(done.stdout.split())) == 1
    assert not Path(done.stdout.split()[0]).exists()
    done = homeless("-c", "import qssl_tf.device.service as s; print(s.saved_accounts(), s.ACCOUNT_FILE)")
    assert done.returncode == 0 and done.stdout.strip() == "{} ~/.qiskit/qiskit-ibm.json", done.stderr
    code = "from qssl_tf.data.tfds_source import read; from qssl_tf.cli.run import run_command; import qssl_tf as q; "
    done = homeless("-c", code + "raise SystemExit(run_command(lambda: read(q.Config(dataset='cifar10'))))")
    assert done.returncode == 2 and not (ROOT / "~").exists()
    assert done.stderr.endswith(
        "error: data set 'cifar10' must be kept somewhere, and there is neither HOME nor a home folder of this user; "
        "name a folder with --data-dir, or TFDS_DATA_DIR.\n"
    )


ODD = os.fsdecode(b"caf\xe9 \xc3\xa9")  # no UTF-8


def test_a_name_that_is_no_utf8_is_refused_where_a_library_takes_text_alone(here, tmp_path):
    given = ["--searches-dir", tmp_path / ODD, "--name", "s", "--vary", "width=3"]
    done = here("tuning/search.py", *given)
    assert done.returncode == 2 and not (tmp_path / ODD).exists()
    assert done.stderr == (
        "error: the path of a search must be UTF-8 in a locale that knows it (LC_ALL=C.UTF-8); "
        f"got {ascii(str(tmp_path / ODD / 's'))}.\n"
    )


def test_a_run_may_lie_where_no_locale_can_write_the_name(tmp_path, digits_data):
    """All of its files, TensorBoard's with them, which TensorFlow writes."""
    config = Config(width=3, layers=1, batch_size=64, steps=2)
    model, augment = build(config, digits_data)
    run = create_run(config, tmp_path / ODD, "run", "digits")
    point_newest(run.folder)
    assert pretrain(run, digits_data, model, augment) is None
    assert list((run.folder / "tensorboard").iterdir()) and not list(damaged_files(open_run(run.folder)))
    assert os.listdir(os.fsencode(tmp_path)) == [b"caf\xe9 \xc3\xa9"]


@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_one_pixel_have_figures(channels, tmp_path):
    pixels = np.random.default_rng(0).random((4, 1, 1, channels), np.float32)
    view_sheet(tmp_path / "views.png", pixels, pixels, pixels)
    assert (tmp_path / "views.png").stat().st_size > 0
