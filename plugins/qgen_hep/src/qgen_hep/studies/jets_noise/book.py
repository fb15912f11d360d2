"""Results of the study ``jets-noise`` by configuration."""

from __future__ import annotations

from collections.abc import Sequence

from qgen_core.studies import Result
from qgen_hep.studies.jets_noise.points import CONFIGURATIONS, Mode, Tuning
from qgen_hep.studies.seeds import Value


class Book:
    """What the cells gave.

    ``tunings`` and ``targets`` (by features) hold None for what has not been run.
    """

    def __init__(self, results: Sequence[Result]) -> None:
        self.tunings: dict[Tuning, Value | None] = {}
        self.targets: dict[int, Value | None] = {}
        for result in results:
            if "target" in result.cell.measurements:
                features = len(result.cell.recipe["dataset"]["columns"])
                self.targets[features] = result.value and result.value["target"]
            else:
                self.tunings[Tuning.of(result.cell)] = result.value and result.value["tuned"]

    def seeds(self, features: int, ansatz: int, mode: Mode = "jacobi") -> list[Value | None]:
        """The values of one configuration for each seed there is in the study."""
        wanted = (features, ansatz, mode)
        return [
            value for p, value in self.tunings.items() if (p.features, p.ansatz, p.mode) == wanted
        ]

    def first(self, features: int, ansatz: int, mode: Mode = "jacobi") -> Value | None:
        """The first seed that has been run."""
        return next(
            (value for value in self.seeds(features, ansatz, mode) if value is not None), None
        )

    def device(self, features: int) -> str:
        """The name of the noise model for so many features."""
        return next((point.device for point in self.tunings if point.features == features), "")

    def configurations(self) -> list[tuple[int, int, Mode]]:
        """Features, ansatz and mode of what is in the study."""
        modes: tuple[Mode, ...] = ("jacobi", "single")
        return [(f, a, mode) for f, a in CONFIGURATIONS for mode in modes if self.seeds(f, a, mode)]
