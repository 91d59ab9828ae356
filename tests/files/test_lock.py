"""Held by one owner at a time, and by none that is dead."""

import signal
import subprocess
import sys

import pytest

from qssl_tf.errors import UserError
from qssl_tf.files.lock import locked

HOLD = "import sys, time; from pathlib import Path; from qssl_tf.files.lock import locked\n"
HOLD += "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"


def test_a_second_owner_is_refused_and_the_folder_is_free_afterwards(tmp_path):
    folder = tmp_path / "held"
    with locked(folder), pytest.raises(UserError) as caught, locked(folder):
        pass
    assert str(caught.value) == f"{folder} is in use by another process; wait for it to end, or stop it first."
    with locked(folder):
        pass


def test_it_ends_with_a_killed_owner(tmp_path):
    folder = tmp_path / "held"
    with subprocess.Popen([sys.executable, "-c", HOLD, folder], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout.readline() == "held\n"
        with pytest.raises(UserError), locked(folder):
            pass
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        with locked(folder, wait=True):
            pass
