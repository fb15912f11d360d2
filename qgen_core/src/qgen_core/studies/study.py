"""What a package offers under ``qgen.studies``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from qgen_core.discovery import registry
from qgen_core.errors import BrokenPlugin
from qgen_core.studies.cells import Cell
from qgen_core.studies.results import Results
from qgen_core.studies.tables import Table


class Study(ABC):
    """A grid of trainings, what is measured of each, and the tables and figures of the results.

    The options of the class are those of the study. ``measurements`` are functions of a
    :class:`Trial` and of their options that return plain data.

    >>> class Seeds(Study):
    ...     measurements = {"last": lambda trial: trial.history[-1]["loss"]}
    ...
    ...     def cells(self, *, quick):
    ...         seeds = range(1, 2 if quick else 6)
    ...         return [Cell({"seed": seed}, {"last": {}}, {"seed": seed}) for seed in seeds]
    ...
    ...     def tables(self, results):
    ...         text = results.summary(lambda loss: loss).text()
    ...         return [Table("Loss over seeds", ["last loss"], [[text]])]
    >>> len(Seeds().cells(quick=False))
    5
    """

    measurements: ClassVar[Mapping[str, Callable[..., Any]]]
    #: What its results are headed with; by default the name of the study.
    title: str = ""

    @abstractmethod
    def cells(self, *, quick: bool) -> Sequence[Cell]:
        """All cells, or with ``quick`` a selection that takes minutes. Equal cells are run once."""

    def more_cells(self, results: Results, *, quick: bool) -> Sequence[Cell]:
        """Cells that depend on results, for a search; by default none.

        Called again whenever all cells so far have been run, until it names no new one. It must
        give the same cells for the same results, so that a stopped search continues as it would
        have: a random search takes its seed from the number of results, and an optimiser with an
        ask-and-tell interface, such as optuna's, is told all results anew before it is asked.
        """
        return ()

    @abstractmethod
    def tables(self, results: Results) -> Sequence[Table]:
        """The tables of the results, in which cells that have not been run are marked missing."""

    def figures(self, results: Results, folder: Path) -> Sequence[Path]:
        """Draw the results into a folder and return the files. Draws nothing by default."""
        return ()

    def local(self, recipe: Mapping[str, Any]) -> Mapping[str, Any]:
        """The recipe to run for a cell's recipe: with what is not content, such as local paths."""
        return recipe


def build(ref: registry.Ref) -> Study:
    """A study from its name, or from a table with ``name`` and options.

    Raises UnknownName if no installed package has it, BadOption for options it does not take,
    BrokenPlugin if what is registered under the name is not a Study.

    >>> class Nothing(Study):
    ...     def __init__(self, *, seeds: int = 3) -> None:
    ...         self.seeds = seeds
    ...     def cells(self, *, quick):
    ...         return []
    ...     def tables(self, results):
    ...         return []
    >>> registry.register("study", "nothing", Nothing)
    >>> build({"name": "nothing", "seeds": 5}).seeds
    5
    """
    built = registry.build("study", ref)
    if not isinstance(built, Study):
        raise BrokenPlugin(f"study {ref!r} is a {type(built).__name__}, not a Study")
    return built
