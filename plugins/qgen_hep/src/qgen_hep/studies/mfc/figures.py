"""The figures of the study ``mfc``; cells that have not been run are left out."""

from __future__ import annotations

from typing import Any

from qgen_core.studies import Results
from qgen_hep.studies.mfc.curves import losses, ranges
from qgen_hep.studies.mfc.grid import HELD_OUT, MUON
from qgen_hep.studies.mfc.spectra import Model, Spectra, conditional, draw_nothing, draw_spectra
from qgen_hep.studies.shared.style import BLUE, RED


def all_beams(results: Results) -> Any:
    """The C-GAN at the energies it was trained at."""
    return _six_features(results, "cgan", "trained", "C-GAN, beams of the training")


def held_out(results: Results) -> Any:
    """The C-GAN at the energy it never saw."""
    return _six_features(results, "cgan", "held out", f"C-GAN at {HELD_OUT:g} GeV, held out")


def spectrum(results: Results) -> Any:
    """The C-GAN with measured incoming muons."""
    title = "C-GAN, incoming muons of a measured spectrum"
    return _six_features(results, "spectrum", "trained", title)


def _six_features(results: Results, case: str, group: str, title: str) -> Any:
    data = results.where(case=case).first()
    if data is None:
        return draw_nothing(title)
    found = data["groups"][group]
    models = [Model("C-GAN", RED, found["made"])]
    return draw_spectra(Spectra(data["columns"], data["edges"], found["truth"], models), title)


def at_125(results: Results) -> Any:
    """Born machine and GAN on the same bins."""
    title = f"outgoing muon at {HELD_OUT:g} GeV, 16 bins a feature"
    models = []
    bins: Any = None
    for case, name, colour in (("born-125", "Born machine", BLUE), ("gan-125", "GAN", RED)):
        data = results.where(case=case).first()
        if data is not None:
            models.append(Model(name, colour, data["made"]))
            bins = bins or data
    if bins is None:
        return draw_nothing(title)
    return draw_spectra(Spectra(MUON, bins["edges"], bins["truth"], models), title)


FIGURES = {
    1: all_beams,
    2: held_out,
    3: at_125,
    4: conditional,
    5: ranges,
    6: losses,
    7: spectrum,
}
