"""Results of the study ``caloqvae`` selected by model, sampler and species."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from qgen_core.studies import Results

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """A model and the sampler that its latent states are drawn with."""

    model: str
    sampler: str
    text: str


GIBBS = "gibbs"
EMULATED = "emulated"
#: Rows of the tables, in order.
ROWS = (
    Row("rbm", GIBBS, "RBM, Gibbs"),
    Row("rbm", EMULATED, "RBM, annealer (emulated)"),
    Row("published-head", GIBBS, "RBM, published head"),
    Row("frozen", GIBBS, "RBM, frozen prior"),
    Row("factorised", GIBBS, "factorised prior"),
    Row("plain", GIBBS, "plain VAE"),
)
LABELS = {"e+": "e+", "gamma": "γ", "pi+": "π+"}


def part(results: Results, name: str) -> Results:
    """The cells of a part of the study; none if the setting leaves it out."""
    return Results(result for result in results if result.cell.tags["part"] == name)


def seeds_of(results: Results, row: Row) -> Results:
    """The seeds of a model, if they have the sampler of the row."""
    found = []
    for result in part(results, "models"):
        samplers = result.cell.measurements["compared"]["samplers"]
        if result.cell.tags["model"] == row.model and row.sampler in samplers:
            found.append(result)
    return Results(found)


def reference_of(results: Results, species: str) -> Data | None:
    """The held-out events of a species."""
    found: Data | None = part(results, "reference").where(species=species).first()
    return found


def shown_of(results: Results, row: Row, species: str) -> Data | None:
    """What a result keeps for figures of a row, from the seed that has it."""
    for data in seeds_of(results, row).values():
        found: Data = data["species"][species]["samplers"][row.sampler]
        if "shares" in found:
            return found
    return None


def of_sampler(row: Row, species: str) -> Callable[[Any], Any]:
    """The function that takes the part of a row and species out of the data of a cell."""
    return lambda data: data["species"][species]["samplers"][row.sampler]


def annealer_of(results: Results) -> Data | None:
    """The training through the emulated annealer."""
    found: Data | None = part(results, "annealer").first()
    return found


def temperatures_of(results: Results) -> Data | None:
    """The temperature of the emulated annealer at each incident energy."""
    found: Data | None = part(results, "temperatures").first()
    return found
