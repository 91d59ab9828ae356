import subprocess
import sys
from pathlib import Path

import pytest

from qssl_tf.cli import pretrain
from qssl_tf.cli.flags import Parser, add_base_flags, add_config_flags, config_from_flags
from qssl_tf.cli.run import run_command
from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.interrupts import the_same_command
from qssl_tf.presets import PRESETS
from qssl_tf.training.runs import Run


def parsed(*arguments):
    parser = Parser(prog="test")
    add_base_flags(parser)
    add_config_flags(parser)
    return parser.parse_args(arguments)


def test_flags_replace_the_presets_values():
    config = config_from_flags(parsed("--preset", "paper", "--classes", "3,1", "--steps", "7", "--shots", "none"))
    assert config.classes == (3, 1) and config.steps == 7 and config.shots is None
    assert config.encoder == PRESETS["paper"].encoder


def test_a_number_that_cannot_be_read_is_refused_by_the_config():
    with pytest.raises(UserError, match=r"^`batch_size` must be an integer; got 'ten'\.$"):
        config_from_flags(parsed("--batch-size", "ten"))


def test_unknown_flag_names_the_nearest(capsys):
    with pytest.raises(SystemExit) as caught:
        parsed("--batchsize", "3")
    assert caught.value.code == 2
    assert capsys.readouterr().err == "error: unknown argument '--batchsize'. Did you mean --batch-size?\n"


def test_a_folder_may_begin_with_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    given = pretrain.parser().parse_args(["--runs-dir=~/runs", "--data-dir=~/images"])  # no shell expands these
    assert given.runs_dir == tmp_path / "runs"
    assert config_from_flags(given).data_dir == str(tmp_path / "images")


def test_how_to_go_on_names_where_the_images_lie_now():
    run = Run(Path("runs/a"), Config())
    resumed = pretrain.parser().parse_args(["--resume", "runs/a", "--store-dir", "my stores"])
    assert pretrain.going_on(run, resumed) == "continue with: qssl pretrain --resume runs/a --store-dir 'my stores'"
    begun = pretrain.parser().parse_args(["--store-dir", "stores"])  # the run folder has it
    assert pretrain.going_on(run, begun) == "continue with: qssl pretrain --resume runs/a"


def test_preset_and_config_together_are_refused(tmp_path):
    with pytest.raises(UserError, match="give one of them"):
        config_from_flags(parsed("--preset", "paper", "--config", str(tmp_path / "config.json")))


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("too wide."), 2, "error: too wide.\n"),
        (
            OSError(28, "No space left on device", "x.h5"),
            2,
            "error: x.h5: No space left on device; make room or permission there and try again.\n",
        ),
        (KeyboardInterrupt("SIGTERM"), 130, f"stopped by SIGTERM; {the_same_command()}\n"),
    ],
)
def test_commands_end_in_one_line(capsys, error, code, line):
    def main():
        raise error

    assert run_command(main) == code
    assert capsys.readouterr().err == line


def test_a_reader_that_stops_reading_is_no_error():
    code = (
        "import sys; from qssl_tf.cli.run import run_command; "
        "sys.exit(run_command(lambda: [print('line', flush=True) for _ in range(100_000)]))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "line\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 141


def test_a_file_name_that_no_terminal_shows_ends_no_command():
    """Python reads a name that is no UTF-8 with signs for its bytes, which printing refuses elsewhere."""
    code = "from qssl_tf.cli.run import run_command; run_command(lambda: print('caf' + chr(0xDCE9)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("caf\\udce9\n", "")
