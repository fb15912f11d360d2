"""Results of the study ``claims`` selected by part, capacity and model."""

from __future__ import annotations

from qgen_core.studies import Results
from qgen_hep.studies.claims import grid
from qgen_hep.studies.shared.summary import absent, of_first

PART_LABELS: dict[grid.Part, str] = {
    "angle": "Angle generator under noise",
    "style": "style-qGAN",
    "latent": "Latent quantum GAN",
}
#: What the capacity of a part is.
CAPACITY_LABELS: dict[grid.Part, str] = {"angle": "layers", "style": "layers", "latent": "wires"}
MODEL_LABELS = {
    grid.CIRCUIT: "circuit",
    grid.TWIN: "network (twin)",
    grid.FROZEN: "circuit, frozen",
    grid.TRUTH: "true events (floor)",
    grid.GAUSSIAN: "Gaussian",
}


def of_part(results: Results, part: grid.Part) -> Results:
    """The cells of a part; none if the setting leaves it out."""
    return Results(result for result in results if result.cell.tags["part"] == part)


def seeds_of(results: Results, part: grid.Part, capacity: int, model: str) -> Results:
    """The seeds of a row."""
    found = of_part(results, part)
    if not found:
        return found
    return found.where(capacity=capacity, model=model)


def capacities(results: Results, part: grid.Part) -> list[int]:
    """The capacities of the circuits of a part."""
    circuits = of_part(results, part).where(model=grid.CIRCUIT)
    return sorted({int(str(result.cell.tags["capacity"])) for result in circuits})


def control_capacities(results: Results, part: grid.Part) -> list[int]:
    """The capacities of the controls without circuits; 0 if they have none."""
    controls = of_part(results, part).where(model=grid.TRUTH)
    return sorted({int(str(result.cell.tags["capacity"])) for result in controls})


def strengths(results: Results) -> list[float]:
    """The strengths of the noise, ascending."""
    circuits = of_part(results, "angle").where(model=grid.CIRCUIT)
    found: set[float] = set()
    for result in circuits:
        found.update(result.cell.measurements["resilient"]["strengths"])
    return sorted(found)


def parameters_of(found: Results) -> str:
    """The number of parameters, the same for all seeds, as text."""
    return of_first(found, lambda data: data["parameters"]) or absent(found)
