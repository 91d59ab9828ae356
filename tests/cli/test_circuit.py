"""The command that draws circuits."""

from judges.drawn_words import words


def test_the_command_draws(here, tmp_path):
    figure = tmp_path / "circuit.svg"
    done = here("-m", "qssl_tf", "circuit", "sim19", "--width", 3, "--figure", figure)
    assert done.returncode == 0 and "9 weights" in done.stdout, done.stderr
    assert done.stdout.endswith(f"figures: {tmp_path / 'circuit.png'}, {figure}\n")
    assert any("theta_008" in word for word in words(tmp_path / "circuit.png"))


def test_mistakes_are_one_line(here, tmp_path):
    done = here("-m", "qssl_tf", "circuit", "rign")
    assert done.returncode == 2 and done.stderr.startswith("error: `ansatz` must be one of ring,")
    done = here("-m", "qssl_tf", "circuit", "ring", "--figure", tmp_path / "circuit.pdf")
    assert done.returncode == 2
    sentence = f"error: --figure must be a file's name that ends in .png or .svg; got {tmp_path / 'circuit.pdf'}.\n"
    assert done.stderr == sentence


def test_it_is_measured(here):
    done = here("-m", "qssl_tf", "circuit", "ring", "--width", 3, "--measure")
    assert done.returncode == 0 and "entangling capability (Meyer-Wallach, 0 to 1): 0." in done.stdout, done.stderr


def test_states_beyond_memory_are_refused(here):
    done = here("-m", "qssl_tf", "circuit", "ring", "--width", 24, "--measure")
    assert done.returncode == 2 and "`width` 24 needs about " in done.stderr and done.stderr.count("\n") == 1
