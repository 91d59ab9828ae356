"""Every public name says what it is for: purpose, arguments, shapes, units, errors; examples in docstrings run."""

import dataclasses
import inspect
import re
import textwrap

import numpy as np
import pytest

import qssl_tf as q

NAMES = [name for name in q.__all__ if name not in ("__version__", "PRESETS")]


def section(text, title):
    """The indented text under `title:`."""
    found = re.search(rf"^( *){title}:\n((?:\1 +.*\n|\n)+)", text + "\n", re.M)
    return found[2] if found else ""


def documented():
    """Name, thing and docstring of each public name and each of its own public methods."""
    for name in NAMES:
        thing = getattr(q, name)
        yield name, thing
        if inspect.isclass(thing):
            for method, function in vars(thing).items():
                if not method.startswith("_") and (inspect.isfunction(function) or isinstance(function, classmethod)):
                    yield f"{name}.{method}", getattr(thing, method)


THINGS = dict(documented())


@pytest.mark.parametrize("name", THINGS)
def test_each_has_a_purpose_in_one_sentence(name):
    first = inspect.getdoc(THINGS[name]).splitlines()[0]
    assert first.endswith((".", ":")) and len(first.split()) > 2, first


@pytest.mark.parametrize("name", NAMES)
def test_arguments_are_described(name):
    thing = getattr(q, name)
    text = inspect.getdoc(thing)
    if dataclasses.is_dataclass(thing):
        if name == "Config":  # by the help of its fields, which the command line shows as well
            assert all(len(field.metadata["help"].split()) > 2 for field in dataclasses.fields(thing))
            return
        known, wanted = section(text, "Attributes"), [field.name for field in dataclasses.fields(thing)]
    else:
        own = issubclass(thing, Exception) if inspect.isclass(thing) else False
        wanted = (
            []
            if own
            else [
                p.name
                for p in inspect.signature(thing).parameters.values()
                if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
            ]
        )
        known = section(text, "Args")
    missing = [word for word in wanted if word not in ("dtype", "reduction", "name") and f"{word}:" not in known]
    assert not missing, f"{name} does not describe {missing}"


@pytest.mark.parametrize("name", NAMES)
def test_what_takes_or_gives_arrays_says_their_shapes(name):
    thing = getattr(q, name)
    text = inspect.getdoc(thing)
    takes = str(inspect.signature(thing)) if not inspect.isclass(thing) else ""
    if re.search("ndarray|Tensor", takes) or name in ("QuantumHead", "NTXent", "SimCLR"):
        assert "shape" in text
    for method, function in THINGS.items():
        if method.startswith(f"{name}.") and re.search("ndarray|Tensor", str(inspect.signature(function))):
            assert "shape" in inspect.getdoc(function), method


def test_units_are_named_where_there_are_any():
    assert "radians" in inspect.getdoc(q.QuantumHead) and "radians" in inspect.getdoc(q.register_ansatz)
    assert "percent" in inspect.getdoc(q.linear_probe)


@pytest.mark.parametrize("name", THINGS)
def test_what_raises_says_so(name):
    try:
        source = inspect.getsource(THINGS[name])
    except (TypeError, OSError):
        return
    if inspect.isfunction(THINGS[name]) and re.search(r"\braise UserError", source):
        assert "UserError:" in section(inspect.getdoc(THINGS[name]), "Raises"), name


EXAMPLES = [
    (name, textwrap.dedent(code))
    for name, thing in THINGS.items()
    for code in re.findall(r"```python\n(.*?)```", inspect.getdoc(thing), re.S)
]


@pytest.mark.parametrize(("name", "code"), EXAMPLES)
def test_examples_run(own_words, tmp_path, monkeypatch, name, code):
    import cirq
    import keras

    monkeypatch.chdir(tmp_path)
    np.save("cells.npy", np.zeros((20, 4, 4), np.uint8))
    np.save("labels.npy", np.arange(20) % 2)
    exec(
        compile(code, name, "exec"),
        {"np": np, "cirq": cirq, "keras": keras, **{each: getattr(q, each) for each in NAMES}},
    )


def test_there_are_examples():
    assert {name for name, _ in EXAMPLES} >= {
        "register_ansatz",
        "register_dataset",
        "register_encoder",
        "register_objective",
    }
