"""The command, run as a user would."""


def test_the_command(here):
    done = here("-m", "qssl_tf.quantum.diagnostics", "ring", "--width", 3)
    assert done.returncode == 0 and "entangling capability (Meyer-Wallach, 0 to 1): 0." in done.stdout, done.stderr
    done = here("-m", "qssl_tf.quantum.diagnostics", "ringg")
    assert done.returncode == 2 and "Did you mean 'ring'?" in done.stderr
