"""The measures of the CaloChallenge on two samples of showers, as a result stores them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from qgen_core.support.random_streams import stream
from qgen_core.typing import Floats
from qgen_hep.calorimeters.distances import (
    batch_for,
    frechet_physics_distance,
    kernel_physics_distance,
)
from qgen_hep.calorimeters.features import Level, network_inputs
from qgen_hep.calorimeters.neighbours import log_voxels, neighbours
from qgen_hep.calorimeters.separation import Histograms
from qgen_hep.calorimeters.showers import Showers
from qgen_hep.calorimeters.telling_apart import shrunk, tell_apart
from qgen_hep.studies.shared.six_digits import six_digits

#: What the networks see.
LEVELS: tuple[Level, ...] = ("low", "high")


class Judge:
    """The measures with the sizes of a setting; floors are those of the row of true showers.

    Args:
        options: ``widths`` and ``epochs`` of the networks, ``neighbours``, the events in which
            nearest neighbours are searched, and ``draws`` of subsets of each size.
        threshold: the least energy of a hit in MeV, where histograms of energies begin.
        seed: of subsets and networks.
    """

    def __init__(self, options: Mapping[str, Any], threshold: float, seed: int) -> None:
        self.options = options
        self.threshold = threshold
        self.seed = seed

    def distances(self, reference: Showers, generated: Showers) -> dict[str, Any]:
        """Separation powers, Frechet and kernel distance, and the four numbers of neighbours.

        ``S2`` has, for each family of histograms, the mean separation power, and the mean shares of
        reference and generated values outside of the bins.
        """
        rng = stream(self.seed, "calo-distances")
        size = min(len(reference), len(generated))
        inputs = [network_inputs(showers, "high") for showers in (reference, generated)]
        frechet = frechet_physics_distance(
            inputs[0], inputs[1], rng=rng, draws=self.options["draws"]
        )
        kernel = kernel_physics_distance(inputs[0], inputs[1], rng=rng)
        near = min(size, self.options["neighbours"])
        places = [self._logarithms(showers, near, rng) for showers in (reference, generated)]
        return {
            "S2": self._separations(reference, generated),
            "FPD": six_digits(frechet.line.intercept),
            "KPD": six_digits([kernel.median, kernel.spread]),
            **six_digits(neighbours(places[0], places[1]).numbers()),
            "subsets": [int(frechet.sizes[0]), int(frechet.sizes[-1])],
            "kernel batch": batch_for(size),
            "neighbours": near,
        }

    def told_apart(self, reference: Showers, generated: Showers) -> dict[str, Any]:
        """How well the networks of cells and of high-level features tell the samples apart."""
        size = min(len(reference), len(generated))
        split, protocol = shrunk(reference.calorimeter.particle, size)
        settings = replace(
            protocol,
            widths=tuple(self.options["widths"]),
            epochs=self.options["epochs"],
            patience=self.options["epochs"],
            precision="float32",
        )
        found: dict[str, Any] = {"split": list(split), "batch": settings.batch_size}
        for level in LEVELS:
            told = tell_apart(
                network_inputs(reference, level),
                network_inputs(generated, level),
                split=split,
                settings=settings,
                seed=self.seed,
            )
            found[f"AUC {level}"] = six_digits([told.auc, told.auc_error])
            found[f"JSD {level}"] = six_digits([told.jsd, told.jsd_error])
        return found

    def _separations(self, reference: Showers, generated: Showers) -> dict[str, list[float]]:
        """Of each family: mean separation power, and mean shares outside of the bins."""
        histograms = Histograms(reference, self.threshold)
        binned = [histograms.binned(showers) for showers in (reference, generated)]
        every = histograms.separations(binned[0], binned[1])
        found = {}
        for family, names in histograms.families().items():
            found[family] = six_digits(np.mean([every[name] for name in names], axis=0))
        return found

    def _logarithms(self, showers: Showers, number: int, rng: np.random.Generator) -> Floats:
        """Random showers (number, voxels) as logarithms."""
        return log_voxels(showers.take(rng.permutation(len(showers))[:number]))
