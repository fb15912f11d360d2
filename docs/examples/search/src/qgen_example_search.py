"""A study that searches the options of a training with optuna."""

import optuna
from optuna.distributions import FloatDistribution, IntDistribution

from qgen_core.studies import Cell, Results, Study, Table

OPTIONS = {
    "layers": IntDistribution(1, 6),
    "learning_rate": FloatDistribution(0.001, 1.0, log=True),
}


def last_loss(trial):
    return trial.history[-1]["loss"]


class OptionSearch(Study):
    """Layers and learning rate of a Born machine for the least loss after 40 steps.

    Trials are asked for and told in rounds, so that the cells of a round can run at the same time.
    The first round is random, later ones follow a tree-structured Parzen estimator (Bergstra et
    al., NeurIPS 2011).
    """

    measurements = {"loss": last_loss}

    def __init__(self, *, rounds: int = 5, trials: int = 8, search_seed: int = 1) -> None:
        self.rounds = rounds
        self.trials = trials
        self.search_seed = search_seed

    def cells(self, *, quick):
        return self.more_cells(Results(), quick=quick)

    def more_cells(self, results, *, quick):
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=self.search_seed, n_startup_trials=self.trials)
        search = optuna.create_study(sampler=sampler)
        for _ in range(2 if quick else self.rounds):
            asked = [search.ask(OPTIONS) for _ in range(self.trials)]
            losses = [results.where(**trial.params).first() for trial in asked]
            if None in losses:
                return [self.cell(**trial.params) for trial in asked]
            for trial, loss in zip(asked, losses, strict=True):
                search.tell(trial, loss)
        return []

    def cell(self, layers, learning_rate):
        recipe = {
            "seed": 1,
            "dataset": {"name": "jets", "columns": ["pt"], "events": 20_000},
            "encoder": {"name": "binning", "bits": 4, "window": [[250, 600]]},
            "backend": {"name": "statevector", "threads": 1},
            "generator": {"name": "qcbm", "ansatz": {"name": "brick", "layers": layers}},
            "loss": "js",
            "trainer": {"name": "adam", "learning_rate": learning_rate, "steps": 40},
        }
        return Cell(recipe, {"loss": {}}, {"layers": layers, "learning_rate": learning_rate})

    def tables(self, results):
        rows = []
        for (layers, learning_rate), found in results.groups("layers", "learning_rate").items():
            rows.append([str(layers), f"{learning_rate:.3g}", found.summary(float).text()])
        return [Table("Loss after 40 steps", ["layers", "learning rate", "loss"], rows)]
