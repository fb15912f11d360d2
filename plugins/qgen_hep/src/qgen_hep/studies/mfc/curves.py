"""Losses by step, and the effect of the range of the encoding between the training energies."""

from __future__ import annotations

from typing import Any

from qgen_core.studies import Results
from qgen_hep.studies.shared.style import BLACK, BLUE, GREEN, RED, figure, legend

RANGES = {
    "conditional-paper": ("[-pi, pi] of 150 to 200 GeV", RED),
    "conditional-inner": ("0.9 of it", BLUE),
    "conditional-narrow": ("[-pi/4, pi/4] of 50 to 200 GeV", GREEN),
}
BORN_MACHINES = {
    "born-125": ("three registers, 125 GeV", BLUE),
    "conditional-narrow": ("conditional", GREEN),
    "conditional-noise-trained": ("conditional, with noise", BLACK),
}


def losses(results: Results) -> Any:
    """Of the C-GAN, of the Wasserstein GANs, and of the Born machines."""
    made = figure(12.0, 3.9)
    adversarial, wasserstein, born = made.subplots(1, 3)
    _pair(adversarial, results, "cgan", "C-GAN", RED)
    _pair(adversarial, results, "gan-125", "GAN at 125 GeV", BLUE)
    adversarial.set_title("binary cross entropy", loc="left")
    _pair(wasserstein, results, "wgan", "clipped", RED)
    _pair(wasserstein, results, "wgan-gp", "gradient penalty", BLUE)
    wasserstein.set_title("Wasserstein", loc="left")
    for case, (name, colour) in BORN_MACHINES.items():
        _all_seeds(born, results, case, ("curves", "step", "loss"), name, colour)
    born.set_yscale("log")
    born.set_title("Born machines: MMD", loc="left")
    for axes in (adversarial, wasserstein, born):
        axes.set_xlabel("step")
        legend(axes)
    adversarial.set_ylabel("loss")
    return made


def _pair(axes: Any, results: Results, case: str, name: str, colour: str) -> None:
    """The generator's loss, and the critic's dashed."""
    data = results.where(case=case).first()
    if data is None:
        return
    found = data["curves"]
    axes.plot(found["step"], found["loss"], color=colour, label=f"{name}, generator")
    if "critic" in found:
        label = f"{name}, critic"
        axes.plot(found["step"], found["critic"], color=colour, ls="--", lw=1.0, label=label)


def _all_seeds(
    axes: Any, results: Results, case: str, keys: tuple[str, str, str], name: str, colour: str
) -> None:
    """One line a seed, of which the first has the label. ``keys`` name the curve, its x and y."""
    curve, x, y = keys
    label: str | None = name
    for data in results.where(case=case).values():
        axes.plot(data[curve][x], data[curve][y], color=colour, lw=0.9, label=label)
        label = None


def ranges(results: Results) -> Any:
    """The mean energy of the outgoing muon by incoming energy, for each range of the encoding."""
    made = figure(7.0, 4.8)
    axes = made.subplots()
    for case, (name, colour) in RANGES.items():
        _all_seeds(axes, results, case, ("scan", "energy", "mean"), name, colour)
    data = results.where(case="conditional-narrow").first()
    if data is not None:
        energies = [float(energy) for energy in data["energies"]]
        means = [at["true mean"] for at in data["energies"].values()]
        style = {"ls": "none", "marker": "o", "color": BLACK}
        axes.plot(energies, means, label="truth (stand-in)", **style)
    axes.set_xlabel("incoming energy [GeV]")
    axes.set_ylabel("mean energy of the outgoing muon [GeV]")
    axes.set_title("conditional Born machines trained at 150 and 200 GeV", loc="left")
    legend(axes, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    return made
