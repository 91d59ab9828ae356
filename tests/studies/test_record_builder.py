"""The commit in a record."""

import subprocess

from qssl_tf.studies.record_builder import checkout_commit


def git(folder, *words):
    identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
    return subprocess.run(
        ["git", "-C", folder, *identity, *words], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_commit_of_a_checkout_is_recorded_and_whether_it_has_edits(tmp_path):
    source = tmp_path / "code.py"
    source.write_text("first\n")
    assert checkout_commit(source) == "none"
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "empty")
    assert checkout_commit(source) == "none"  # as an environment within somebody's repository
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "--quiet", "--message", "code")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert checkout_commit(source) == commit
    source.write_text("second\n")
    assert checkout_commit(source) == f"{commit}, changed"
