"""Where the workers' secret comes from, who can read it, and what is proved with it."""

import hashlib
import os
import re
import subprocess
import sys

import pytest

from qssl_tf.distributed.secret import FILE, VARIABLE, Secret, find_secret
from qssl_tf.errors import UserError

LONG = "ab" * 32


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


def test_whoever_comes_first_makes_one_that_its_owner_alone_can_read(tmp_path):
    before = os.umask(0)
    try:
        first = find_secret(tmp_path / "runs")
    finally:
        os.umask(before)
    path = tmp_path / "runs" / FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert re.fullmatch(rb"[0-9a-f]{64}", first.words) and path.read_bytes() == first.words + b"\n"
    assert find_secret(tmp_path / "runs") == first == Secret(first.words, str(path))
    assert find_secret(tmp_path / "other").words != first.words
    assert os.listdir(tmp_path / "runs") == [FILE]
    assert first.words.decode() not in repr(first)


def test_processes_that_come_at_once_have_the_same(tmp_path):
    program = "import sys, pathlib; from qssl_tf.distributed.secret import find_secret as f; sys.stdin.read(); "
    program += "print(f(pathlib.Path(sys.argv[1])).words)"
    command = [sys.executable, "-c", program, str(tmp_path / "runs")]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in processes:
        process.stdin.close()  # now
    found = {process.stdout.read() for process in processes}
    assert [process.wait() for process in processes] == [0] * 4 and len(found) == 1 and len(found.pop()) > 64
    for process in processes:
        process.stdout.close()
    assert os.listdir(tmp_path / "runs") == [FILE]


def test_a_file_that_is_named_comes_first_and_then_the_variable(tmp_path, monkeypatch):
    named = tmp_path / "key"
    named.write_text(f"  {'x' * 32}\n")
    named.chmod(0o600)
    monkeypatch.setenv(VARIABLE, LONG)
    assert find_secret(tmp_path, named) == Secret(b"x" * 32, str(named))
    assert find_secret(tmp_path) == Secret(LONG.encode(), f"the variable {VARIABLE}")
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_file_that_others_can_read(tmp_path, mode):
    path = tmp_path / FILE
    path.write_text(LONG)
    path.chmod(mode)
    with pytest.raises(UserError) as error:
        find_secret(tmp_path)
    assert str(error.value) == (
        f"the workers' secret in {path} is open to others (mode {mode:04o}); close it with: chmod 600 {path}"
    )


@pytest.mark.parametrize("words", ["", "x" * 31, " " * 60])
def test_a_secret_that_can_be_guessed(tmp_path, monkeypatch, words):
    monkeypatch.setenv(VARIABLE, words)
    with pytest.raises(UserError) as error:
        find_secret(tmp_path)
    assert str(error.value) == (
        f"the variable {VARIABLE} must hold a secret of 32 to 4096 characters; got {len(words.strip())}; "
        "make one with: openssl rand -hex 32"
    )


def test_a_file_that_is_not_there_or_no_file(tmp_path):
    with pytest.raises(UserError, match=r"^`secret_file` cannot be read from .*/none \(No such file or directory\); "):
        find_secret(tmp_path, tmp_path / "none")
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(UserError, match=r"^`secret_file` cannot be read from .*/pipe \(it is no file\); name a file"):
        find_secret(tmp_path, tmp_path / "pipe")


def test_a_folder_without_hard_links(tmp_path, monkeypatch):
    def refuse(*paths):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(UserError) as error:
        find_secret(tmp_path)
    assert str(error.value) == (
        f"{tmp_path / FILE} cannot be made (Operation not permitted); set {VARIABLE} to the same 32 characters or more "
        "for all workers."
    )
    assert os.listdir(tmp_path) == []


def test_a_proof_is_hmac_as_rfc_2104_has_it():
    words, parts = b"k" * 40, (b"host", b"", b"\x00\xff")
    text = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    inner, outer = (bytes(byte ^ pad for byte in words.ljust(64, b"\0")) for pad in (0x36, 0x5C))
    expected = hashlib.sha256(outer + hashlib.sha256(inner + text).digest()).hexdigest().encode()
    secret = Secret(words, "")
    assert secret.proof(*parts) == expected and secret.proves(expected, *parts)
    assert not secret.proves(expected, b"host", b"\x00", b"\xff")  # the same bytes, cut elsewhere
    assert not secret.proves(b"", *parts) and not secret.proves(b"\xc3" * 64, *parts)
