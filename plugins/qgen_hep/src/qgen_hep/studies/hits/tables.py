"""Tables of the study ``hits``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qgen_core.studies import MISSING, NONE, Results, Summary, Table, plus_minus
from qgen_hep.studies.hits import grid
from qgen_hep.studies.shared.summary import OVER_SEEDS

#: How a window is run.
RUNS = {"exact": "without noise", "device": "noisy device", "mitigated": "readout mitigated"}
#: The windows: a model, and the measurement of it.
WINDOWS = ((grid.IQP, "window"), (grid.NEIGHBOURS, "window"), (grid.NEIGHBOURS, "device"))
SAMPLE_LABELS = {"positrons": "Positrons", "photons": "Photons"}
SOURCES = {
    "positrons": "Geant4, `calogan`: e+ of 1 to 100 GeV, 504 cells, hit above 1 MeV",
    "photons": "Geant4, `calo-photons`: photons of 65.536 GeV, 368 voxels, hit above 5 MeV",
}
KINDS = ("pairs", "neighbours", "triples", "quadruples")
LABELS = {grid.TRUTH: "true events (floor)"}


def tables(results: Results) -> list[Table]:
    """All of them."""
    found = [_measures(results, sample) for sample in grid.SAMPLES]
    found += [_curves(results, sample) for sample in grid.SAMPLES]
    return [*found, _windows(results), _cells(results), _costs(results)]


def label_of(model: str) -> str:
    """The name of a row."""
    return LABELS.get(model, model)


def compared_of(results: Results, sample: str, model: str) -> list[Any]:
    """The data of each seed of a row that has been run."""
    found = []
    for result in results.where(sample=sample, model=model):
        data = result.data("compared")
        if data is not None:
            found.append(data)
    return found


def explained(numbers: Any) -> float | None:
    """The share of the squared correlations that a model has right.

    It is 1 - (rms^2 - floor^2) / size^2: 1 for a perfect model, 0 for independent cells with the
    right rates, and below 0 for correlations that are wrong. None where the correlations of
    held-out events are smaller than chance.

    >>> explained({"rms": 0.5, "floor": 0.0, "size": 1.0})
    0.75
    """
    if numbers["size"] <= numbers["floor"]:
        return None
    return float(1 - (numbers["rms"] ** 2 - numbers["floor"] ** 2) / numbers["size"] ** 2)


def _summary(results: Results, sample: str, model: str, number: Callable[[Any], float]) -> Summary:
    """The summary of a number over the seeds of a row."""
    return results.where(sample=sample, model=model).summary(number, measurement="compared")


def _whole(summary: Summary) -> str:
    """A number that is the same for all seeds."""
    if not summary.count:
        return summary.text()
    return f"{summary.mean:.0f}"


def _measures(results: Results, sample: str) -> Table:
    rows = []
    for model in (grid.TRUTH, *grid.MODELS):
        texts = [label_of(model)]
        if model == grid.TRUTH:
            texts.append(NONE)
        else:
            texts.append(_whole(_summary(results, sample, model, _parameters)))
        texts.append(_summary(results, sample, model, _of("cells", "rms")).text(".4f"))
        texts.append(_summary(results, sample, model, _of("cells", "floor")).text(".4f"))
        for kind in KINDS:
            texts.append(_summary(results, sample, model, _of(kind, "rms")).text(".4f"))
        for kind in KINDS:
            texts.append(_explained(results, sample, model, kind))
        rows.append(tuple(texts))
    columns = ["events", "parameters", "rates: rms", "rates: chance"]
    columns += [f"{kind}: rms" for kind in KINDS]
    columns += [f"{kind}: explained" for kind in KINDS]
    notes = (
        f"{SOURCES[sample]}. Cells with hit rates from 0.01 to 0.99. Rates are means of Z, +1 for "
        "no hit and -1 for a hit; pairs, neighbouring pairs, triples and quadruples are means of "
        "products of Z less its mean at this energy. rms: of the model less held-out events, over "
        f"cells or sets; chance: what an exact model would have. {_sizes(results, sample)}"
        "Explained: the share of the squared correlations that the model has right, chance "
        "subtracted; 1 for a perfect model, 0 for independent cells, below 0 for wrong "
        "correlations, a dash where held-out events have less than chance. "
        f"{OVER_SEEDS}.",
    )
    return Table(
        f"{SAMPLE_LABELS[sample]}: hit rates and correlations", tuple(columns), rows, notes
    )


def _sizes(results: Results, sample: str) -> str:
    """What held-out events have, with chance subtracted, as a sentence."""
    texts = []
    for kind in KINDS:
        size = _summary(results, sample, grid.TRUTH, _of(kind, "size"))
        floor = _summary(results, sample, grid.TRUTH, _of(kind, "floor"))
        texts.append(f"{kind} {size.text('.4f')} (chance {floor.text('.4f')})")
    return f"Held-out events have, chance subtracted: {', '.join(texts)}. "


def _parameters(data: Any) -> float:
    return float(data["parameters"])


def _of(kind: str, number: str) -> Callable[[Any], float]:
    return lambda data: float(data["numbers"][kind][number])


def _explained(results: Results, sample: str, model: str, kind: str) -> str:
    found = compared_of(results, sample, model)
    if not found:
        return MISSING
    shares = [explained(data["numbers"][kind]) for data in found]
    return Summary.of([share for share in shares if share is not None]).text(".2f")


def _curves(results: Results, sample: str) -> Table:
    rows = []
    for model in (grid.TRUTH, *grid.MODELS):
        texts = [label_of(model)]
        for place in range(len(grid.WORD_SIZES)):
            texts.append(_summary(results, sample, model, _point(place)).text(".2g"))
        rows.append(tuple(texts))
    columns = ("events", *(f"{size:g} wires" for size in grid.WORD_SIZES))
    notes = (
        "Squared MMD, unbiased, of kernels exp(-d / D) on hits, d the number of cells that differ; "
        "the columns say how many wires the words of the kernel have on average. With energies the "
        "kernel is times one of the energy. Against held-out events; for true events it is 0 but "
        f"for chance. {OVER_SEEDS}.",
    )
    return Table(f"{SAMPLE_LABELS[sample]}: MMD over bandwidths", columns, rows, notes)


def _point(place: int) -> Callable[[Any], float]:
    return lambda data: float(data["mmd"][place])


def window_of(results: Results, sample: str, model: str, measurement: str) -> Any:
    """The data of a window of a model, without or with a noisy device; None without."""
    return results.where(sample=sample, model=model, seed=1).first(measurement)


def _windows(results: Results) -> Table:
    rows = []
    for sample, label in SAMPLE_LABELS.items():
        for model, measurement in WINDOWS:
            data = window_of(results, sample, model, measurement)
            texts = [label, model]
            if data is None:
                rows.append((*texts, *[MISSING] * 7))
                continue
            texts += [str(data["wires"]), str(data["pairs"]), _transpiled(data)]
            for name in RUNS:
                texts.append(_share(data, name))
            seconds = [data[name]["seconds"] for name in RUNS if name in data]
            texts.append(", ".join(f"{value:.2g}" for value in seconds))
            rows.append(tuple(texts))
    columns = (
        "sample",
        "model",
        "wires",
        "two-body gates",
        "on the device: gates of two qubits, depth",
        "without noise",
        "on the noisy device",
        "readout mitigated",
        "processor s: without noise, device, mitigated",
    )
    notes = (
        "The share of the covariances of the trained model in the window that its events have: the "
        "slope of their covariances on the exact ones, with its standard error over sign vectors "
        f"of the cells outside. The device is `{grid.DEVICE}`, the noise of a real device in "
        "simulation; no real device was used. Gates of two qubits and depth are those of the "
        "circuit transpiled for it. Positrons: at one energy. Only windows of neighbours are run "
        "with noise.",
    )
    return Table("A window of the trained model on a device", columns, rows, notes)


def _transpiled(data: Any) -> str:
    """The size of the circuit after it is transpiled; a dash without a device."""
    if "transpiled" not in data:
        return NONE
    found = data["transpiled"]
    return f"{found['two_qubit_gates']}, {found['depth']}"


def _share(data: Any, name: str) -> str:
    if name not in data:
        return NONE
    share, error = data[name]["share"]
    return plus_minus(share, error, ".2f", ".2f")


def _cells(results: Results) -> Table:
    rows = []
    for sample, label in SAMPLE_LABELS.items():
        data = results.where(sample=sample, model=grid.TRUTH, seed=1).first("compared")
        if data is None:
            rows.append((label, *[MISSING] * 6))
            continue
        told = data["rates"]
        count = sum(rows_ * columns for rows_, columns in grid.SAMPLES[sample].lattice)
        left = count - len(told["rare"]) - len(told["usual"])
        texts = [label, "/".join(map(str, data["events"])), str(count), f"{told['hits']:.1f}"]
        texts += [str(left), _ranges(told["rare"]), _ranges(told["usual"])]
        rows.append(tuple(texts))
    columns = (
        "sample",
        "training/held-out events",
        "cells",
        "hits a shower",
        "cells compared",
        "cells below 0.01",
        "cells above 0.99",
    )
    notes = ("Hit rates of the training events of seed 1; cells by their number.",)
    return Table("Cells by hit rate", columns, rows, notes)


def _ranges(numbers: Sequence[int]) -> str:
    """Whole numbers in short: 3-5, 9; a dash without any.

    >>> _ranges([3, 4, 5, 9])
    '3-5, 9'
    """
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    texts = []
    for part in parts:
        text = str(part[0])
        if len(part) > 1:
            text += f"-{part[-1]}"
        texts.append(text)
    return ", ".join(texts) or NONE


def _costs(results: Results) -> Table:
    rows = []
    for model in grid.MODELS:
        texts = [model]
        for sample in grid.SAMPLES:
            texts.append(_whole(_summary(results, sample, model, _steps)))
            texts.append(_summary(results, sample, model, _seconds(0)).text(".3g"))
            texts.append(_summary(results, sample, model, _seconds(1)).text(".3g"))
        rows.append(tuple(texts))
    columns = ["model"]
    for label in SAMPLE_LABELS.values():
        columns += [f"{label}: {what}" for what in ("steps", "training", "comparing")]
    notes = (
        "Processor seconds: of the training, and of all that is compared here, the drawing of "
        "events by the twins included. Learning rates were chosen by hand for seed 1. "
        f"{OVER_SEEDS}. {_setting(results)}",
    )
    return Table("Trainings", tuple(columns), rows, notes)


def _steps(data: Any) -> float:
    return float(data["steps"])


def _seconds(place: int) -> Callable[[Any], float]:
    return lambda data: float(data["seconds"][place])


def _setting(results: Results) -> str:
    """What the full setting has."""
    full = grid.FULL
    parts = [f"{name} {'/'.join(map(str, numbers))}" for name, numbers in full.parts.items()]
    return (
        f"The full setting has {full.seeds} seeds, {full.steps[0]} steps of quantum models and "
        f"{full.steps[1]} of Boltzmann machines, and windows of "
        f"{full.window[0] * full.window[1]} cells, {full.device_window[0] * full.device_window[1]} "
        f"on the device; training/validation/held-out events: "
        f"{', '.join(parts)}."
    )
