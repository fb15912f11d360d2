"""The metric ``separation-power``: histograms of high-level features of calorimeter showers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from qgen_core.events import Events
from qgen_core.interfaces import Estimate
from qgen_core.metrics.score import score
from qgen_core.typing import Rng
from qgen_hep.calorimeters.separation import Histograms
from qgen_hep.calorimeters.showers import Choice, calorimeter_of, showers_of


def separation_power(
    reference: Events,
    generated: Events,
    *,
    rng: Rng,
    calorimeter: Choice = "ds1-photons",
    threshold: float | None = None,
    by_layer: bool = False,
    resamples: int = 50,
) -> Mapping[str, Estimate]:
    """``S2(feature)``: the separation power of the histograms of the CaloChallenge.

    ``1/2 sum_i (p_i - q_i)^2 / (p_i + q_i)`` over the bins, with the shares p and q of the values
    inside the histogram: 0 for equal and 1 for disjoint histograms. The features are E_tot/E_inc
    (also at each energy, if all energies are powers of 2 MeV), the energy of a layer, its centres
    and widths in eta, phi and r, its sparsity, and the energies of all voxels; of features of a
    layer it is the mean over the layers, or with ``by_layer`` one number for each. The bins are
    those of the CaloChallenge (``docs/calo-metrics.md``). Values outside the bins do not count in
    S2; the note says which share of both samples they are.

    ``calorimeter`` is ``"ds1-photons"``, ``"ds1-pions"``, ``"ds2"``, ``"ds3"``, ``"calogan"``, or
    ``{xml = "binning.xml", particle = "photon"}`` for a binning file. Voxels below ``threshold`` in
    MeV count as 0; by default 1 MeV for data set 1, 0.5 keV / 0.033 for data sets 2 and 3, and 0
    for others. Uncertainties and floors come from ``resamples`` resamples.

    Raises DataError for events that are not showers in the calorimeter.

    Source: Krause et al., arXiv:2410.21611; Diefenbacher et al., arXiv:2009.03796, eq. 15.

    >>> from qgen_hep.calorimeters import DS1_PHOTONS
    >>> draw = np.random.default_rng(0)
    >>> energy = np.full((200, 1), 65536.0)
    >>> names = {"columns": DS1_PHOTONS.column_names, "condition_columns": ("energy",)}
    >>> showers = Events(draw.exponential(180.0, (200, 368)), energy, **names)
    >>> hotter = Events(2 * draw.exponential(180.0, (200, 368)), energy, **names)
    >>> found = separation_power(showers, hotter, rng=draw, resamples=5)
    >>> found["S2(E_tot/E_inc)"].value > 0.9, found["S2(EC_eta)"].value < 0.3
    (True, True)
    """
    place = calorimeter_of(calorimeter)
    used = place.threshold if threshold is None else threshold
    samples = [showers_of(events, place, threshold=used) for events in (reference, generated)]
    histograms = Histograms(samples[0], used)
    binned = [Events(histograms.binned(one)) for one in samples]
    numbers = partial(_numbers, histograms=histograms, by_layer=by_layer)
    found = {}
    for one in score(numbers, binned[0], binned[1], rng=rng, resamples=resamples):
        found[one.name] = Estimate(
            one.value, one.uncertainty, one.floor, one.floor_spread, note=one.note
        )
    return found


def _numbers(
    reference: Events, generated: Events, *, histograms: Histograms, by_layer: bool
) -> dict[str, Estimate]:
    """The separation powers of binned showers, with what lies outside the histograms."""
    every = histograms.separations(reference.x, generated.x)
    groups = {name: [one] for name, one in every.items()}
    if not by_layer:
        families = histograms.families().items()
        groups = {family: [every[name] for name in names] for family, names in families}
    found = {}
    for name, group in groups.items():
        power, first, second = np.mean(group, axis=0).tolist()
        note = f"outside the bins: {first:.2%} of the reference, {second:.2%} generated"
        found[f"S2({name})"] = Estimate(power, note=note)
    return found
