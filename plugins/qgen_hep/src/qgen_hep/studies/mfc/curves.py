"""Losses by step, and what the range of the encoding does between the energies of the training."""

from __future__ import annotations

from typing import Any

from qgen_hep.studies.mfc.book import Book
from qgen_hep.studies.style import BLACK, BLUE, GREEN, RED, figure, legend

RANGES = {
    "conditional-paper": ("[-pi, pi] of 150 to 200 GeV", RED),
    "conditional-inner": ("0.9 of it", BLUE),
    "conditional-narrow": ("[-pi/4, pi/4] of 50 to 200 GeV", GREEN),
}


def losses(book: Book) -> Any:
    """Of the C-GAN, of the Wasserstein GANs, and of the Born machines."""
    made = figure(12.0, 3.9)
    adversarial, wasserstein, born = made.subplots(1, 3)
    _pair(adversarial, book, "cgan", "C-GAN", RED)
    _pair(adversarial, book, "gan-125", "GAN at 125 GeV", BLUE)
    adversarial.set_title("binary cross entropy", loc="left")
    _pair(wasserstein, book, "wgan", "clipped", RED)
    _pair(wasserstein, book, "wgan-gp", "gradient penalty", BLUE)
    wasserstein.set_title("Wasserstein", loc="left")
    for case, name, colour in (
        ("born-125", "three registers, 125 GeV", BLUE),
        ("conditional-narrow", "conditional", GREEN),
        ("conditional-noise-trained", "conditional, with noise", BLACK),
    ):
        for i, value in enumerate(book.whole(case)):
            label = {} if i else {"label": name}
            born.plot(
                value["curves"]["step"], value["curves"]["loss"], color=colour, lw=0.9, **label
            )
    born.set_yscale("log")
    born.set_title("Born machines: MMD", loc="left")
    for axes in (adversarial, wasserstein, born):
        axes.set_xlabel("step")
        legend(axes)
    adversarial.set_ylabel("loss")
    return made


def _pair(axes: Any, book: Book, case: str, name: str, colour: str) -> None:
    """The generator's loss, and the critic's dashed."""
    value = book.first(case)
    if value is None:
        return
    found = value["curves"]
    axes.plot(found["step"], found["loss"], color=colour, label=f"{name}, generator")
    if "critic" in found:
        axes.plot(
            found["step"], found["critic"], color=colour, ls="--", lw=1.0, label=f"{name}, critic"
        )


def ranges(book: Book) -> Any:
    """The mean energy of the outgoing muon by incoming energy, for each range of the encoding."""
    made = figure(7.0, 4.8)
    axes = made.subplots()
    for case, (name, colour) in RANGES.items():
        for i, value in enumerate(book.whole(case)):
            label = {} if i else {"label": name}
            axes.plot(value["scan"]["energy"], value["scan"]["mean"], color=colour, lw=0.9, **label)
    some = book.first("conditional-narrow")
    if some is not None:
        points = [(float(e), value["true mean"]) for e, value in some["energies"].items()]
        axes.plot(
            *zip(*points, strict=True), ls="none", marker="o", color=BLACK, label="truth (stand-in)"
        )
    axes.set_xlabel("incoming energy [GeV]")
    axes.set_ylabel("mean energy of the outgoing muon [GeV]")
    axes.set_title("conditional Born machines trained at 150 and 200 GeV", loc="left")
    legend(axes, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    return made
