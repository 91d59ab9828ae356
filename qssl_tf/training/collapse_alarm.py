"""The alarm that embeddings have collapsed: one line, said once; training goes on."""

from qssl_tf.commands import argument
from qssl_tf.streams import write_above_bars
from qssl_tf.training.callbacks import StepCallback

STEPS = 10  # one after the other in which a figure must be low
LEAST_STD = 0.1  # of what random directions have; no healthy run of the presets was below 0.28, even at its first step
LEAST_RANK = 1.2  # directions; healthy runs of the presets had 1.4 at their first step, and several soon
ALL_ALIKE = "point the same way, with {figure:.2g} of the standard deviation of random directions (least: {least:g})"
ON_A_LINE = "vary along one line, with an effective rank of {figure:.3g} (least: {least:g})"


class CollapseAlarm(StepCallback):
    """Says once, on stderr, that embeddings of different images have become alike; see `models/collapse.py`.

    Attributes:
        low: For each figure, in how many consecutive steps it has been low.
        rung: Whether it has been said.
    """

    rules = {"embedding_std": (LEAST_STD, ALL_ALIKE), "effective_rank": (LEAST_RANK, ON_A_LINE)}

    def on_train_begin(self, logs=None):
        """Begin to count."""
        self.low, self.rung = dict.fromkeys(self.rules, 0), False

    def after_step(self, step, logs):
        """Count, and ring when one figure has been low for long enough."""
        for name, (least, what) in self.rules.items():
            self.low[name] = self.low[name] + 1 if logs.get(name, least) < least else 0
            if self.low[name] == STEPS and not self.rung:
                self.rung = True
                self._say(step, what.format(figure=float(logs[name]), least=least))

    def _say(self, step: int, what: str) -> None:
        line = (
            f"note: at step {step} the embeddings have collapsed: for {STEPS} steps those of all images {what}; "
            f"training goes on, but another {argument('objective')}, a lower {argument('learning_rate')} or a larger "
            f"{argument('batch_size')} may serve better."
        )
        write_above_bars(line)
