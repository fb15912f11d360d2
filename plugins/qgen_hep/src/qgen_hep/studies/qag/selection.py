"""Results of the study ``qag`` selected by configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qgen_core.studies import Results
from qgen_hep.studies.qag import grid

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Configuration:
    """A model with its trainer; ``layers`` are those of the circuit, or the size of the network."""

    model: str
    trainer: str
    layers: int = 2
    encoding: str = "min-max"

    @property
    def text(self) -> str:
        """Name of the model, with its layers where they are not the usual ones."""
        name = MODEL_NAMES[self.model]
        if self.layers != 2:
            name += f", {self.layers} layers"
        return name


MODEL_NAMES = {
    "qag": "circuit",
    "network": "network",
    "frozen": "circuit, frozen",
    "gaussian": "Gaussian",
}
#: Rows of the tables, in order.
CONFIGURATIONS = (
    Configuration("qag", "cobyla"),
    Configuration("qag", "cobyla, common"),
    Configuration("qag", "spsa"),
    Configuration("qag", "cma"),
    Configuration("qag", "adam"),
    Configuration("network", "cobyla"),
    Configuration("network", "cobyla, common"),
    Configuration("network", "adam"),
    Configuration("qag", "adam, long"),
    Configuration("network", "adam, long"),
    Configuration("qag", "adam, long", 6),
    Configuration("network", "adam, long", 6),
    Configuration("frozen", "adam"),
    Configuration("frozen", "adam", 6),
    Configuration("gaussian", "adam"),
    Configuration("qag", "cobyla, common", encoding="arccos"),
    Configuration("qag", "adam", encoding="arccos"),
    Configuration("network", "adam", encoding="arccos"),
    Configuration("frozen", "adam", encoding="arccos"),
    Configuration("gaussian", "adam", encoding="arccos"),
)


#: Controls that noise does not change, since they have no circuit.
CLASSICAL = (Configuration("network", grid.NOISE_TRAINER), Configuration("gaussian", "adam"))
#: Ansatz, layers and variance of the random angles.
Setting = tuple[str, int, float]
#: The document's setting.
USUAL: Setting = ("clic8", 2, grid.VARIANCE)


def settings() -> list[Setting]:
    """The document's setting, and those with one change."""
    ansatz, layers, variance = USUAL
    found = [USUAL]
    found += [(other, layers, variance) for other in grid.TUNED_ANSATZE]
    found += [(ansatz, other, variance) for other in grid.TUNED_LAYERS]
    found += [(ansatz, layers, other) for other in grid.TUNED_VARIANCES]
    return found


def part(results: Results, name: str) -> Results:
    """The cells of a part of the study; none if the setting leaves it out."""
    return Results(result for result in results if result.cell.tags["part"] == name)


def seeds_of(results: Results, configuration: Configuration) -> Results:
    """The seeds of one configuration of the reproduction."""
    cells = part(results, "reproduction")
    if not cells:
        return cells
    return cells.where(
        model=configuration.model,
        trainer=configuration.trainer,
        layers=configuration.layers,
        encoding=configuration.encoding,
    )


def null_of(results: Results, encoding: str) -> Data | None:
    """The comparison of training with test events in an encoding."""
    found: Data | None = part(results, "null").where(encoding=encoding).first()
    return found


def scales_of(results: Results) -> list[float]:
    """The strengths of the noise that have cells, 0 among them."""
    found = {float(str(result.cell.tags["scale"])) for result in part(results, "noise")}
    return sorted(found)


def repeats(results: Results, trained: float, model: str = "qag") -> Results:
    """The trainings of a model of the noise study at one strength."""
    return part(results, "noise").where(scale=trained, model=model)


def drifts_of(results: Results, model: str, drift: float) -> Results:
    """The seeds of a model at calibrations that differ by so much from its own."""
    cells = part(results, "drift")
    if not cells:
        return cells
    return cells.where(model=model, drift=drift)


def tuned(results: Results, model: str, setting: Setting) -> Results:
    """The seeds of a model with one setting that differs; the document's are a reproduction's."""
    if setting == USUAL:
        return seeds_of(results, Configuration(model, "adam"))
    cells = part(results, "tuning")
    if not cells:
        return cells
    ansatz, layers, variance = setting
    return cells.where(model=model, ansatz=ansatz, layers=layers, variance=variance)
