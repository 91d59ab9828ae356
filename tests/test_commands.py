"""How messages name arguments: Python's own parser reads the one form, the command's parser the other."""

import ast
import shlex
from pathlib import Path

import pytest

from qssl_tf.cli.flags import Parser, add_config_flags, given_settings
from qssl_tf.commands import argument, command_line, probing, resumption
from qssl_tf.errors import UserError
from qssl_tf.training.runs import check_plain_name

VALUES = [("image_size", 64), ("skip_broken_images", True), ("augmentation", "digits"), ("crop_area", 0.25)]


@pytest.mark.parametrize(("name", "value"), VALUES)
def test_python_reads_the_keyword_and_the_command_its_flag(name, value):
    (keyword,) = ast.parse(f"f({argument(name, value).strip('`')})", mode="eval").body.keywords
    assert (keyword.arg, ast.literal_eval(keyword.value)) == (name, value)
    parser = Parser(prog="test")
    add_config_flags(parser)
    with command_line():
        words = argument(name, value).split()
    assert given_settings(parser.parse_args(words)) == {name: value}


def test_a_run_is_resumed_by_a_call_or_a_flag():
    folder = Path("runs") / "o'clock"
    call = ast.parse(resumption(folder, previous_state=True).strip("`"), mode="eval").body
    assert ast.unparse(call.func) == "qssl_tf.resume" and ast.literal_eval(call.args[0]) == str(folder)
    with command_line():
        assert resumption(folder) == """--resume 'runs/o'"'"'clock'"""


def test_one_message_in_both_forms():
    sentences = []
    for form in (None, command_line()):
        with pytest.raises(UserError) as caught:
            if form is None:
                check_plain_name("a/b")
            else:
                with form:
                    check_plain_name("a/b")
        sentences.append(str(caught.value))
    assert sentences[0] == sentences[1].replace("--name", "`name`") and sentences[1].startswith("--name must be")


def test_a_probe_is_a_call_or_a_command_of_the_same_step():
    folder = Path("my runs") / "a"
    call = ast.parse(probing(folder, "7"), mode="eval").body
    (run,) = call.args
    assert (ast.unparse(call.func), ast.unparse(run.func)) == ("qssl_tf.linear_probe", "qssl_tf.load_run")
    assert [ast.literal_eval(word) for word in run.args] == [str(folder), "7"]
    assert ast.literal_eval(ast.parse(probing(folder), mode="eval").body.args[0]) == str(folder)
    with command_line():
        assert shlex.split(probing(folder, "7")) == ["qssl", "probe", str(folder), "--checkpoint", "7"]
