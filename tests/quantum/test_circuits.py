"""The command, run as a user would."""


def test_the_command_draws(script, tmp_path):
    figure = tmp_path / "circuit.svg"
    done = script("-m", "qssl_tf.quantum.circuits", "sim19", "--width", 3, "--figure", figure)
    assert done.returncode == 0 and "9 weights" in done.stdout, done.stderr
    assert figure.read_text().startswith("<svg")
    done = script("-m", "qssl_tf.quantum.circuits", "rign")
    assert done.returncode == 2 and done.stderr.startswith("error: `ansatz` must be one of ring,")
