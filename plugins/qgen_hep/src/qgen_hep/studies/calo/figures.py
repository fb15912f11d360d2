"""Figures of the study ``calo``: showers, profiles, and features with their ratios."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qgen_core.studies import Results
from qgen_core.typing import Floats
from qgen_hep.calorimeters.geometry import Calorimeter, voxels_of
from qgen_hep.calorimeters.showers import CALORIMETERS
from qgen_hep.figures.ratio_panels import RatioPanels
from qgen_hep.studies.calo import grid
from qgen_hep.studies.calo.distributions import BINS, FEATURES
from qgen_hep.studies.calo.selection import (
    MODEL_LABELS,
    SAMPLE_LABELS,
    TRUTH,
    Data,
    Place,
    shown_of,
)
from qgen_hep.studies.shared.style import BLACK, BLUE, GREEN, RED, figure, legend_below

COLOURS = {
    "inn": BLUE,
    "affine": "#7fb2e5",
    "cfm": RED,
    "dit": GREEN,
    "staged-cfm": "#e08a3c",
    "staged-dit": "#3fa7c4",
    "wgan": "#8a5fb0",
    "gaussian": "#b58b00",
}
DASHES: dict[str, Any] = {"affine": "--", "staged-cfm": "--", "staged-dit": "--", "gaussian": ":"}
STAND_IN = "stand-in"
SIMULATED = "Geant4"
#: Models whose showers are shown as pictures.
PICTURED = ("inn", "cfm", "dit", "staged-dit", "wgan", "gaussian")
#: The range of ratios.
RATIOS = (0.5, 1.5)
#: So many bins are drawn as one.
TOGETHER = 2
#: No ratio is drawn where the reference is below this part of its highest bin.
LEAST = 0.03
UNITS = {"E_layer": " [MeV]", "EC": " [mm]", "width": " [mm]"}
#: The layers whose lateral profile is shown, by sample.
PROFILED = {"photons": 2, "positrons": 1}


def figure_1(results: Results) -> Any:
    """One photon, layer by layer."""
    return _rings(results, "shower")


def figure_2(results: Results) -> Any:
    """The mean photon, layer by layer."""
    return _rings(results, "mean shower")


def figure_3(results: Results) -> Any:
    """One positron of about 50 GeV, layer by layer."""
    return _cells(results, "shower")


def figure_4(results: Results) -> Any:
    """The mean positron, layer by layer."""
    return _cells(results, "mean shower")


def figure_5(results: Results) -> Any:
    """Profiles of full showers: energy by layer, and by the distance from the axis."""
    made = figure(12.0, 8.6)
    columns = made.subplots(2, 4, height_ratios=[2.4, 1.0], sharex="col")
    for number, sample in enumerate(grid.SAMPLES):
        place = Place(sample, "showers")
        _layer_profile(columns[:, 2 * number], results, place)
        _lateral_profile(columns[:, 2 * number + 1], results, place)
    legend_below(made, columns[0, 0], columns=5)
    return made


def figure_6(results: Results) -> Any:
    """Layer energies of photons."""
    return _features(results, Place("photons", "energies"))


def figure_7(results: Results) -> Any:
    """Layer energies of positrons."""
    return _features(results, Place("positrons", "energies"))


def figure_8(results: Results) -> Any:
    """High-level features of full photons."""
    return _features(results, Place("photons", "showers"))


def figure_9(results: Results) -> Any:
    """High-level features of full positrons."""
    return _features(results, Place("positrons", "showers"))


FIGURES = {
    1: figure_1,
    2: figure_2,
    3: figure_3,
    4: figure_4,
    5: figure_5,
    6: figure_6,
    7: figure_7,
    8: figure_8,
    9: figure_9,
}


def _samples(results: Results, place: Place, models: tuple[str, ...]) -> dict[str, Data | None]:
    """What is shown of the stand-in, of Geant4 and of models, by label."""
    found = {
        STAND_IN: shown_of(results, place, TRUTH),
        SIMULATED: shown_of(results, place, TRUTH, "shown simulated"),
    }
    for model in models:
        found[MODEL_LABELS[model]] = shown_of(results, place, model)
    return found


def _calorimeter(place: Place) -> Calorimeter:
    return CALORIMETERS[grid.SAMPLES[place.sample].calorimeter_of(place.task)]


def _norm(samples: dict[str, Data | None], what: str, place: Place) -> Any:
    """One scale of energies for all pictures: from the threshold to the most of the stand-in."""
    from matplotlib.colors import LogNorm

    threshold = grid.SAMPLES[place.sample].threshold
    data = samples[STAND_IN]
    top = 10 * threshold
    if data is not None:
        top = float(np.max(data[what]))
    return LogNorm(threshold, top)


def _rings(results: Results, what: str) -> Any:
    """Photons: a row for each sample, a column for each layer, rings of equal width."""
    place = Place("photons", "showers")
    calorimeter = _calorimeter(place)
    samples = _samples(results, place, PICTURED)
    norm = _norm(samples, what, place)
    made = figure(10.0, 1.85 * len(samples))
    axes = made.subplots(
        len(samples), len(calorimeter.layers), subplot_kw={"projection": "polar"}, squeeze=False
    )
    drawn = None
    for row, (label, data) in zip(axes, samples.items(), strict=True):
        for one in row:
            one.set_xticks([])
            one.set_yticks([])
            one.grid(visible=False)
        row[0].set_ylabel(label, fontsize=9, labelpad=12)
        if data is None:
            continue
        layers = calorimeter.by_layer(np.array([data[what]]))
        for one, layer, values in zip(row, calorimeter.layers, layers, strict=True):
            angles, rings = layer.shape
            # A ring that is not cut needs many points, or it would be drawn as a line.
            fine = max(angles, 60)
            shown = np.repeat(values[0], fine // angles, axis=0).T
            edges = (np.linspace(-np.pi, np.pi, fine + 1), np.arange(rings + 1))
            shown = np.ma.masked_less_equal(shown, 0.0)
            drawn = one.pcolormesh(*edges, shown, norm=norm, cmap="viridis", rasterized=True)
    for one, layer in zip(axes[0], calorimeter.layers, strict=True):
        one.set_title(f"layer {layer.number}")
    if drawn is not None:
        made.colorbar(drawn, ax=axes, label="MeV", shrink=0.5, pad=0.02)
    return made


def _cells(results: Results, what: str) -> Any:
    """Positrons: a row for each sample, a column for each layer."""
    place = Place("positrons", "showers")
    calorimeter = _calorimeter(place)
    samples = _samples(results, place, PICTURED)
    norm = _norm(samples, what, place)
    made = figure(10.0, 1.45 * len(samples))
    axes = made.subplots(len(samples), 3, width_ratios=[2.4, 1.0, 1.0], squeeze=False)
    drawn = None
    for row, (label, data) in zip(axes, samples.items(), strict=True):
        for one in row:
            one.set_xticks([])
            one.set_yticks([])
        row[0].set_ylabel(label, fontsize=9)
        if data is None:
            continue
        if what == "shower":
            row[0].set_ylabel(f"{label}\n{data['shower energy'] / 1000:.1f} GeV", fontsize=9)
        layers = calorimeter.by_layer(np.array([data[what]]))
        for one, values in zip(row, layers, strict=True):
            shown = np.ma.masked_less_equal(values[0], 0.0)
            drawn = one.imshow(shown, norm=norm, cmap="viridis", aspect="auto")
    for one, layer in zip(axes[0], calorimeter.layers, strict=True):
        one.set_title(f"layer {layer.number}")
    if drawn is not None:
        made.colorbar(drawn, ax=axes, label="MeV", shrink=0.5, pad=0.02)
    return made


def _layer_profile(pair: Any, results: Results, place: Place) -> None:
    """The mean energy of each layer over the incident energy, and its ratio to the stand-in."""
    layers = _calorimeter(place).layers

    def profile(data: Data) -> Floats:
        return np.array(data["layers"][0], dtype=np.float64)

    _profile(pair, results, place, len(layers), profile)
    pair[0].set_title(SAMPLE_LABELS[place.sample], loc="left")
    pair[0].set_ylabel("mean energy / incident energy")
    pair[1].set_xticks(np.arange(len(layers)), [str(layer.number) for layer in layers])
    pair[1].set_xlabel("layer")


def _lateral_profile(pair: Any, results: Results, place: Place) -> None:
    """The mean energy of each ring, or of each column of cells, of the main layer."""
    number = PROFILED[place.sample]
    (layer,) = [one for one in _calorimeter(place).layers if one.number == number]
    across = layer.shape[1]

    def profile(data: Data) -> Floats:
        values = np.array(data["mean shower"], dtype=np.float64)[voxels_of(layer)]
        return np.asarray(values.reshape(layer.shape).sum(axis=0))

    _profile(pair, results, place, across, profile)
    pair[0].set_title(f"{SAMPLE_LABELS[place.sample]}, layer {number}", loc="left")
    pair[0].set_ylabel("mean energy [MeV]")
    pair[1].locator_params(axis="x", integer=True)
    name = "column of cells"
    if place.sample == "photons":
        name = "ring"
    pair[1].set_xlabel(name)


def _profile(
    pair: Any, results: Results, place: Place, number: int, profile: Callable[[Data], Floats]
) -> None:
    """A profile (number,) of the stand-in, of Geant4 and of all models, on a logarithmic axis."""
    edges = np.arange(number + 1, dtype=np.float64) - 0.5
    samples = _samples(results, place, grid.MODELS[place.task])
    panels = RatioPanels(pair[0], pair[1], edges, RATIOS, inset=0.06, triangle=4)
    pair[0].set_yscale("log")
    data = samples[STAND_IN]
    reference = None
    if data is not None:
        reference = profile(data)
        panels.fill_reference(reference, STAND_IN)
    _lines(panels, samples, reference, profile)
    pair[1].set_ylabel("ratio")


def _features(results: Results, place: Place) -> Any:
    """Histograms of features: distributions with their ratios to the stand-in below."""
    names = FEATURES[_calorimeter(place).name]
    columns = (len(names) + 1) // 2
    if len(names) <= 5:
        columns = len(names)
    rows = -(-len(names) // columns)
    made = figure(3.1 * columns, 4.2 * rows + 0.7)
    axes = made.subplots(2 * rows, columns, height_ratios=[2.4, 1.0] * rows, squeeze=False)
    samples = _samples(results, place, grid.MODELS[place.task])
    data = samples[STAND_IN]
    for number, name in enumerate(names):
        row, column = divmod(number, columns)
        pair = axes[2 * row : 2 * row + 2, column]
        low, high = 0.0, 1.0
        reference = None
        if data is not None:
            low, high = data["edges"][name]
            reference = _shares_of(name)(data)
        edges = np.linspace(low, high, BINS // TOGETHER + 1)
        panels = RatioPanels(pair[0], pair[1], edges, RATIOS, inset=0.06, triangle=3)
        least = 0.0
        if reference is not None:
            panels.fill_reference(reference, STAND_IN)
            least = LEAST * float(reference.max())
        _lines(panels, samples, reference, _shares_of(name), least)
        for one in pair:
            one.locator_params(axis="x", nbins=4)
        pair[0].tick_params(labelbottom=False)
        pair[1].set_xlabel(_text(name))
        if not column:
            pair[0].set_ylabel("share of showers")
            pair[1].set_ylabel("ratio")
    legend_below(made, axes[0, 0], columns=5)
    return made


def _shares_of(name: str) -> Callable[[Data], Floats]:
    """The function that takes the histogram of a feature out of what is kept."""
    return lambda data: _together(data["shares"][name])


def _together(shares: list[float]) -> Floats:
    """The shares of wider bins."""
    return np.asarray(np.reshape(shares, (-1, TOGETHER)).sum(axis=1))


def _lines(
    panels: RatioPanels,
    samples: dict[str, Data | None],
    reference: Floats | None,
    values: Callable[[Data], Floats],
    least: float = 0.0,
) -> None:
    """Each sample but the stand-in above, and its ratio to the stand-in below.

    Ratios beyond the panel are drawn at its edge, and none where the reference is not above
    ``least``.
    """
    styles = {SIMULATED: (BLACK, "-")}
    for model, colour in COLOURS.items():
        styles[MODEL_LABELS[model]] = (colour, DASHES.get(model, "-"))
    for label, data in samples.items():
        if label == STAND_IN or data is None:
            continue
        colour, dashes = styles[label]
        found = values(data)
        panels.top.stairs(found, panels.edges, color=colour, ls=dashes, lw=1.1, label=label)
        if reference is not None:
            ratio = np.full(len(found), np.nan)
            np.divide(found, reference, out=ratio, where=reference > least)
            shown = np.clip(ratio, *RATIOS)
            style = {"color": colour, "ls": dashes, "lw": 1.0}
            panels.bottom.stairs(shown, panels.edges, baseline=None, **style)
    panels.guides(lw=0.8)


def _text(name: str) -> str:
    """The name of a feature with its unit."""
    family, _, layer = name.rpartition("_")
    if not layer.isdigit():
        return "E_tot / E_inc"
    unit = UNITS.get(family.split("_")[0], UNITS.get(family, ""))
    return f"{family}, layer {layer}{unit}"
