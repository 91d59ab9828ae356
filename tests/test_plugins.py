"""Files of the user's own code, given on the command line or by QSSL_TF_PLUGINS."""

import os

import keras
import pytest

from qssl_tf import plugins
from qssl_tf.cli.flags import Parser
from qssl_tf.errors import UserError


@pytest.fixture
def none_loaded(monkeypatch):
    monkeypatch.setattr(plugins, "_loaded", set())
    monkeypatch.setenv(plugins.VARIABLE, "")


def test_each_file_runs_once_and_is_handed_on(none_loaded, tmp_path, capsys):
    first, second = tmp_path / "first.py", tmp_path / "second.py"
    first.write_text("class Mine:\n    pass\nprint('first', __name__)")
    second.write_text("print('second')")
    os.environ[plugins.VARIABLE] = str(first)
    Parser().parse_args(["--plugin", str(second), "--plugin", str(first)])
    plugins.load_plugins([str(second)])
    assert capsys.readouterr().out == "first qssl_tf_plugin_first\nsecond\n"
    assert os.environ[plugins.VARIABLE] == os.pathsep.join([str(first), str(second)])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1\nraise OSError('gone')", "plugin {} failed in line 2 with OSError: gone."),
        ("def f(:\n", "plugin {} failed in line 1 with SyntaxError: "),
        ("import nowhere_at_all", "plugin {} failed in line 1 with ModuleNotFoundError: No module named"),
        ("from qssl_tf import UserError\nraise UserError('a rule.')", "plugin {}: a rule."),
    ],
)
def test_a_failing_file_is_one_line(none_loaded, tmp_path, text, sentence):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        plugins.load_plugins([str(path)])
    assert str(error.value).startswith(sentence.format(path)) and "\n" not in str(error.value)


def test_a_dtype_policy_of_a_file_is_not_taken_silently(none_loaded, tmp_path, capsys):
    (tmp_path / "plain.py").write_text("import keras")
    (tmp_path / "mixed.py").write_text("import keras\nkeras.config.set_dtype_policy('mixed_bfloat16')")
    before = keras.config.dtype_policy()
    try:
        plugins.load_plugins([str(tmp_path / "plain.py")])
        assert capsys.readouterr().err == ""
        plugins.load_plugins([str(tmp_path / "mixed.py")])
    finally:
        keras.config.set_dtype_policy(before)
    said = capsys.readouterr().err
    assert said.startswith("note: Keras's dtype policy is mixed_bfloat16 after plugin ") and said.count("\n") == 1


@pytest.mark.parametrize("name", ["nowhere.py", "text.txt", ""])
def test_what_is_no_python_file_is_one_line(none_loaded, tmp_path, name):
    (tmp_path / "text.txt").write_text("no code")
    with pytest.raises(UserError, match=r"--plugin must name a Python file \(.py\) that exists; got "):
        plugins.load_plugins([str(tmp_path / name)])


def test_a_command_says_it(script):
    done = script("trainers/pretrain.py", "--plugin", "nowhere.py")
    assert done.returncode == 2 and done.stderr.startswith("error: --plugin must name a Python file")
    assert done.stderr.count("\n") == 1
