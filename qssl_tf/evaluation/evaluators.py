"""EVALUATORS: what can judge a trained run, by name; the command, the function and the documentation read this table.

An evaluator is a function (subject) -> iterator of (name, Reading), as in big_vision. It checks what it needs when it
is called, and works when it is iterated. Its module is loaded once it is asked for, so `--help` need not wait.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from qssl_tf.commands import argument
from qssl_tf.errors import UserError, unknown_name
from qssl_tf.evaluation.evaluation_options import EvaluationOptions

if TYPE_CHECKING:
    from qssl_tf.evaluation.readings import Readings
    from qssl_tf.evaluation.subject import Subject

ALL = "all"


@dataclass(frozen=True)
class Evaluator:
    """One judge.

    Attributes:
        home: Module within `qssl_tf.evaluation` and function, `module:function`.
        about: What it tells.
        quick: Whether it is asked where no judges are named.
        needs: The option without which it cannot judge; empty for none. Where that is given, it is asked as well.
    """

    home: str
    about: str
    quick: bool = True
    needs: str = ""

    def load(self) -> "Callable[[Subject], Readings]":
        """Return the function."""
        module, function = self.home.split(":")
        return getattr(import_module(f"qssl_tf.evaluation.{module}"), function)


# Name -> judge, in the order of the table that comes out.
EVALUATORS = {
    "linear": Evaluator("judges:linear", "the linear probe of `qssl probe`, with all labels"),
    "knn": Evaluator("judges:neighbours", "k nearest neighbours, with equal and weighted votes (arXiv:1805.01978)"),
    "few": Evaluator("few_labels:few", "few-shot linear probes: a few images of each class, mean of several draws"),
    "fractions": Evaluator("few_labels:fractions", "linear probes with fractions of the labels, mean of several draws"),
    "alignment": Evaluator("judges:sphere", "alignment of two views and uniformity (arXiv:2005.10242)"),
    "rank": Evaluator("judges:rank", "effective rank of the features (RankMe, arXiv:2210.02885), and its cap"),
    "head": Evaluator("head:head", "what the head adds to the encoder: the same probe around the circuit", quick=False),
    "finetune": Evaluator(
        "fine_tuning:finetune", "fine-tuning: the whole network trained with labels, from the run's weights", False
    ),
    "transfer": Evaluator("judges:transfer", "the probe and neighbours on another data set", False, "probe_dataset"),
    "cka": Evaluator(
        "judges:cka", "linear CKA of two runs' features, a similarity (arXiv:1905.00414)", False, "cka_with"
    ),
}


def chosen(judges: Sequence[str] | None, options: EvaluationOptions) -> list[str]:
    """Return the names of the judges to ask, in the order of the table.

    Args:
        judges: Names, or `all` alone; None takes the quick ones, and those whose option is given.
        options: How they judge.

    Raises:
        UserError: An unknown name, a judge whose option is missing, or an option whose judge is not asked.
    """
    possible = [name for name, one in EVALUATORS.items() if not one.needs or _given(one.needs, options)]
    if judges is None:
        wanted = [name for name in possible if EVALUATORS[name].quick or EVALUATORS[name].needs]
        return [*wanted, "head"] if options.seeds and "head" not in wanted else wanted
    for name in judges:
        if name not in EVALUATORS and name != ALL:
            raise unknown_name("judges", name, (*EVALUATORS, ALL))
    if not judges:
        raise UserError(f"`judges` must name one at least: {', '.join((*EVALUATORS, ALL))}; got none.")
    names = possible if ALL in judges else [name for name in EVALUATORS if name in judges]
    for name in names:
        if EVALUATORS[name].needs and name not in possible:
            raise UserError(f"the judge '{name}' must have {argument(EVALUATORS[name].needs)}; give it.")
    asked_by = {one.needs: name for name, one in EVALUATORS.items() if one.needs} | {"seeds": "head"}
    for option, name in asked_by.items():
        if _given(option, options) and name not in names:
            raise UserError(f"{argument(option)} must come with the judge '{name}'; add it to {argument('judges')}.")
    return names


def left_out(names: Sequence[str]) -> str:
    """Return a line that says which judges were not asked, and how to ask them; empty if none is left."""
    others = [name for name in EVALUATORS if name not in names]
    if not others:
        return ""
    told = [f"{name} (with {argument(needs)})" if (needs := EVALUATORS[name].needs) else name for name in others]
    return f"not asked: {', '.join(told)}; name them in {argument('judges')}, or take {argument('judges', ALL)}"


def _given(option: str, options: EvaluationOptions) -> bool:
    return bool(getattr(options, option)) if option == "seeds" else getattr(options, option) is not None
