"""What a result keeps of showers for figures: histograms, profiles, and one shower."""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.typing import Floats
from qgen_hep.calorimeters.features import high_level_features
from qgen_hep.calorimeters.showers import Showers
from qgen_hep.studies.shared.six_digits import six_digits

#: Bins of a histogram, between these quantiles of the reference; what lies outside is left out, so
#: that shares add up to less than 1.
BINS = 40
QUANTILES = (0.002, 0.998)
#: The features whose histograms are kept, by calorimeter.
FEATURES: dict[str, tuple[str, ...]] = {
    "ds1-photons-layers": ("E_tot/E_inc", *[f"E_layer_{number}" for number in (1, 2, 3, 12)]),
    "calogan-layers": ("E_tot/E_inc", "E_layer_0", "E_layer_1", "E_layer_2"),
    "ds1-photons": (
        "E_tot/E_inc",
        "E_layer_1",
        "E_layer_2",
        "E_layer_12",
        "EC_eta_2",
        "width_eta_2",
        "width_r_1",
        "sparsity_1",
    ),
    "calogan": (
        "E_tot/E_inc",
        "E_layer_0",
        "E_layer_1",
        "E_layer_2",
        "EC_eta_1",
        "width_eta_0",
        "width_phi_1",
        "sparsity_1",
    ),
}
#: The shower that is shown is that of the incident energy nearest to this one, in MeV.
SHOWN_ENERGY = 50_000.0


class Kept:
    """What is kept of samples that are drawn in one figure, in bins that fit the reference.

    >>> from qgen_hep.calorimeters import DS1_PHOTONS
    >>> draw = np.random.default_rng(0)
    >>> showers = Showers(draw.exponential(180.0, (200, 368)), np.full(200, 65536.0), DS1_PHOTONS)
    >>> found = Kept(showers).of(showers)
    >>> len(found["shares"]["E_layer_2"]), len(found["mean shower"]), len(found["layers"][0])
    (40, 368, 5)
    """

    def __init__(self, reference: Showers) -> None:
        features = high_level_features(reference)
        self.edges: dict[str, Floats] = {}
        for name in FEATURES[reference.calorimeter.name]:
            low, high = np.quantile(features[name], QUANTILES)
            self.edges[name] = np.linspace(low, high, BINS + 1)

    def of(self, showers: Showers) -> dict[str, Any]:
        """Edges and shares of each feature, mean and deviation of layers, and showers.

        Layers are in units of the incident energy.
        """
        features = high_level_features(showers)
        shares = {}
        for name, edges in self.edges.items():
            counts, _ = np.histogram(features[name], edges)
            shares[name] = six_digits(counts / len(showers))
        layers = showers.calorimeter.layer_energies(showers.voxels) / showers.incident[:, None]
        shown = int(np.argmin(np.abs(showers.incident - SHOWN_ENERGY)))
        return {
            "edges": {name: six_digits(edges[[0, -1]]) for name, edges in self.edges.items()},
            "shares": shares,
            "layers": six_digits([layers.mean(axis=0), layers.std(axis=0)]),
            "mean shower": six_digits(np.mean(showers.voxels, axis=0, dtype=np.float64)),
            "shower": six_digits(showers.voxels[shown]),
            "shower energy": six_digits(showers.incident[shown]),
        }
