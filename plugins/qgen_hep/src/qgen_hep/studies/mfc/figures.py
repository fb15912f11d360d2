"""The figures of the study ``mfc``; what has not been run is left out of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgen_hep.studies.mfc.book import Book
from qgen_hep.studies.mfc.cases import HELD_OUT
from qgen_hep.studies.mfc.curves import losses, ranges
from qgen_hep.studies.mfc.spectra import Spectra, conditional, panels
from qgen_hep.studies.style import BLUE, RED, look, save


def all_beams(book: Book) -> Any:
    """The C-GAN at the energies it was trained at."""
    return _six(book, "cgan", "trained", "C-GAN, beams of the training")


def held_out(book: Book) -> Any:
    """The C-GAN at the energy it never saw."""
    return _six(book, "cgan", "held out", f"C-GAN at {HELD_OUT:g} GeV, held out")


def spectrum(book: Book) -> Any:
    """The C-GAN with measured incoming muons."""
    return _six(book, "spectrum", "trained", "C-GAN, incoming muons of a measured spectrum")


def _six(book: Book, case: str, group: str, title: str) -> Any:
    value = book.first(case)
    if value is None:
        return panels(None, title)
    found = value["groups"][group]
    model = [("C-GAN", RED, found["made"])]
    return panels(Spectra(value["columns"], value["edges"], found["truth"], model), title)


def at_125(book: Book) -> Any:
    """Born machine and GAN on the same bins."""
    title = f"outgoing muon at {HELD_OUT:g} GeV, 16 bins a feature"
    models = (("born-125", "Born machine", BLUE), ("gan-125", "GAN", RED))
    found = [
        (name, colour, value["made"])
        for case, name, colour in models
        if (value := book.first(case))
    ]
    some = book.first("born-125") or book.first("gan-125")
    if some is None:
        return panels(None, title)
    columns = ["muon_energy", "muon_pt", "muon_eta"]
    return panels(Spectra(columns, some["edges"], some["truth"], found), title)


FIGURES = {
    1: all_beams,
    2: held_out,
    3: at_125,
    4: conditional,
    5: ranges,
    6: losses,
    7: spectrum,
}


def draw(book: Book, folder: Path) -> list[Path]:
    """Draw all of them as PNG into a folder."""
    with look():
        return [save(make(book), folder, number) for number, make in FIGURES.items()]
