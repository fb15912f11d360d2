"""The grid of the study ``mfc``: a case is one configuration, a cell of it one seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import pi
from typing import Any

import qgen_core as qgen
from qgen_core.studies import Cell
from qgen_hep.studies.shared.grid import one_thread

#: Beam energies in GeV that the C-GAN is trained at, and the one that is held out.
BEAMS = (50.0, 75.0, 100.0, 150.0, 175.0, 200.0)
HELD_OUT = 125.0
#: Energies that the conditional Born machine is trained and tested at.
TAUGHT = (150.0, 200.0)
TESTED = 175.0
MORE = (50.0, 75.0, 100.0, 125.0, 150.0, 200.0)
MUON = ("muon_energy", "muon_pt", "muon_eta")
#: Windows of the outgoing muon's features at 125 GeV: 16 bins each.
WINDOW_125 = ((0.0, 125.0), (0.0, 1.6), (2.0, 8.0))
BITS = 4
#: The components that GANs and noise need, and the packages that provide them.
TORCH = (("trainer", "torch"), ("loss", "adversarial"), ("generator", "mlp-generator"))
NOISE = (("noise", "ibm_casablanca"),)
PACKAGES = {TORCH: "qgen-torch", NOISE: "qgen-qiskit"}
Needs = tuple[tuple[str, str], ...]

#: Ranges of the encoding of the conditional Born machine: angles of the ends of a window in GeV.
RANGES: dict[str, tuple[float, tuple[float, float]]] = {
    "paper": (pi, TAUGHT),
    "inner": (0.9 * pi, TAUGHT),
    "wide": (pi, (50.0, 200.0)),
    "narrow": (pi / 4, (50.0, 200.0)),
}


def offered(kind: str, name: str) -> bool:
    """Whether an installed package has this component."""
    return name in qgen.names(kind)


@dataclass(frozen=True)
class Case:
    """One configuration: a recipe without its seed, a measurement and its options."""

    name: str
    recipe: Mapping[str, Any]
    measurement: str
    options: Mapping[str, Any] = field(default_factory=dict)
    needs: Needs = ()

    def cell(self, seed: int) -> Cell:
        """Train with a seed, and measure."""
        options = {"case": self.name, **self.options}
        tags: dict[str, Any] = {"case": self.name, "seed": seed}
        return Cell({"seed": seed, **self.recipe}, {self.measurement: options}, tags)

    @property
    def is_gan(self) -> bool:
        """Whether it is a GAN, which takes minutes."""
        return self.needs == TORCH

    @property
    def package(self) -> str | None:
        """The package that has to be installed to run the case; None: it can be run."""
        if all(offered(kind, name) for kind, name in self.needs):
            return None
        return PACKAGES[self.needs]


@dataclass(frozen=True)
class Sizes:
    """How much is trained."""

    steps: int
    wasserstein_steps: int
    binned_steps: int
    born_steps: int = 600
    events: int = 100_000


FULL = Sizes(steps=5000, wasserstein_steps=1200, binned_steps=2500)
QUICK = Sizes(steps=2000, wasserstein_steps=400, binned_steps=1000)


def all_cases(sizes: Sizes, spectrum: Mapping[str, Any] | None = None) -> Iterator[Case]:
    """All of them, in the order of the document.

    ``spectrum`` names a file of incoming muons by its content.
    """
    yield from conditional_gans(sizes)
    yield from at_125(sizes)
    yield from conditional_born(sizes)
    if spectrum is not None:
        yield spectrum_gan(sizes, spectrum)


def _recipe(dataset: Mapping[str, Any], **tables: Any) -> dict[str, Any]:
    return {"split": [1.0, 0.0, 0.0], "dataset": {"name": "mfc", **dataset}, **tables}


def _gan(steps: int, *, rate: float = 5e-4, final: str = "none", **loss: Any) -> dict[str, Any]:
    optimizer = {"optimizer": "RMSprop", "learning_rate": rate}
    return {
        "generator": {"name": "mlp-generator", "final": final},
        "loss": {"name": "adversarial", **optimizer, **loss},
        "trainer": {
            "name": "torch",
            **optimizer,
            "scheduler": "CosineAnnealingLR",
            "batch_size": 512,
            "steps": steps,
        },
    }


def _six_features(
    sizes: Sizes, dataset: Mapping[str, Any], condition: list[dict[str, Any]], **gan: Any
) -> dict[str, Any]:
    """All features with the document's preprocessing: E / E_in, pT^0.2, standard scaling."""
    links = [
        {"name": "ratio", "columns": [0, 3]},
        {"name": "power", "exponent": 0.2, "columns": [1, 4]},
        {"name": "standard"},
    ]
    return _recipe(
        {**dataset, "events": sizes.events},
        encoder={"name": "chain", "encoders": links},
        condition_encoder={"name": "chain", "encoders": condition},
        **gan,
    )


def conditional_gans(sizes: Sizes) -> Iterator[Case]:
    """The document's C-GAN, without its auxiliary loss, and as a Wasserstein GAN."""
    beams = {"energies": list(BEAMS)}
    scaled = [{"name": "min-max", "range": [-1.0, 1.0]}]
    trainings = {
        "cgan": _gan(sizes.steps, energy_weight=1.0),
        "cgan-without-aux": _gan(sizes.steps),
        "wgan": _gan(
            sizes.wasserstein_steps, rate=5e-5, variant="wgan", updates=5, energy_weight=1.0
        ),
        "wgan-gp": _gan(sizes.wasserstein_steps, variant="wgan-gp", updates=5, energy_weight=1.0),
    }
    for name, gan in trainings.items():
        recipe = _six_features(sizes, beams, scaled, **gan)
        yield Case(name, recipe, "samples", {"beams": [*BEAMS], "held_out": HELD_OUT}, TORCH)


def spectrum_gan(sizes: Sizes, spectrum: Mapping[str, Any]) -> Case:
    """The C-GAN with incoming muons of a measured spectrum, each event with its own energy."""
    scaled: list[dict[str, Any]] = [{"name": "log"}, {"name": "min-max", "range": [-1.0, 1.0]}]
    recipe = _six_features(sizes, spectrum, scaled, **_gan(sizes.steps, energy_weight=1.0))
    return Case("spectrum", recipe, "samples", {}, TORCH)


def at_125(sizes: Sizes) -> Iterator[Case]:
    """Born machine and GAN on the same discretised events of the outgoing muon at 125 GeV."""
    dataset = {
        "energies": [HELD_OUT],
        "columns": list(MUON),
        "condition_columns": [],
        "events": sizes.events,
    }
    window = [list(w) for w in WINDOW_125]
    born = _recipe(
        dataset,
        encoder={"name": "binning", "bits": BITS, "window": window},
        backend=one_thread("statevector"),
        generator={"name": "qcbm", "ansatz": {"name": "ising", "layers": 6}},
        loss={"name": "mmd"},
        trainer={"name": "adam", "learning_rate": 0.05, "steps": sizes.born_steps},
    )
    options = {"window": window, "bins": 2**BITS}
    yield Case("born-125", born, "binned", options)
    # The encoder of conditions scales the centres of bins to [-1, 1], the range of a tanh.
    continuous = {"name": "angle", "range": [-1.0, 1.0], "window": window}
    encoders = {"gan-125": {**continuous, "bins": 2**BITS}, "gan-125-continuous": continuous}
    for name, encoder in encoders.items():
        recipe = _recipe(dataset, encoder=encoder, **_gan(sizes.binned_steps, final="tanh"))
        yield Case(name, recipe, "binned", options, TORCH)


def conditional_born(sizes: Sizes) -> Iterator[Case]:
    """The outgoing muon's energy by incoming energy.

    Ranges of the encoding, more beams, and noise.
    """
    for name in RANGES:
        yield _conditional(f"conditional-{name}", sizes, name, TAUGHT)
    yield _conditional("conditional-more", sizes, "narrow", MORE)
    noise = NOISE[0][1]
    yield _conditional("conditional-noisy", sizes, "narrow", TAUGHT, measured_under=noise)
    yield _conditional("conditional-noise-trained", sizes, "narrow", TAUGHT, trained_under=noise)
    yield from _beside(sizes)


def _beside(sizes: Sizes) -> Iterator[Case]:
    """What stands beside the rows with noise.

    A classical model trained alike, with the number of parameters nearest to that of the Born
    machine, and the Born machine with the parameters that its training starts from.
    """
    born = _conditional("conditional-narrow", sizes, "narrow", TAUGHT)
    ansatz = qgen.build("ansatz", born.recipe["generator"]["ansatz"])
    generator = {"name": "nade", "parameters": ansatz(BITS, inputs=1).num_params}
    recipe = {**born.recipe, "generator": generator}
    del recipe["backend"]
    yield Case("conditional-twin", recipe, "tabulated", born.options)
    yield Case("conditional-frozen", born.recipe, "frozen", born.options)
    (_, noise) = NOISE[0]
    options = {**born.options, "noise": noise}
    yield Case("conditional-frozen-noisy", born.recipe, "frozen", options, NOISE)


def _conditional(
    name: str,
    sizes: Sizes,
    encoding: str,
    beams: tuple[float, ...],
    *,
    measured_under: str | None = None,
    trained_under: str | None = None,
) -> Case:
    angle, window = RANGES[encoding]
    columns = {"columns": [MUON[0]]}
    recipe = _recipe(
        {"energies": list(beams), **columns, "events": sizes.events},
        encoder={"name": "binning", "bits": BITS, "window": [[0.0, 200.0]]},
        condition_encoder={"name": "angle", "range": [-angle, angle], "window": [list(window)]},
        backend=one_thread("density" if trained_under else "statevector"),
        generator={"name": "qcbm", "ansatz": {"name": "ising", "layers": 2}},
        loss={"name": "mmd"},
        trainer={"name": "adam", "learning_rate": 0.05, "steps": sizes.born_steps},
    )
    if trained_under:
        recipe["noise"] = {"name": trained_under}
    options: dict[str, Any] = {
        "energies": [TAUGHT[0], TESTED, TAUGHT[1]],
        "noise": measured_under or "",
    }
    needs: Needs = ()
    if measured_under or trained_under:
        needs = NOISE
    return Case(name, recipe, "tabulated", options, needs)
