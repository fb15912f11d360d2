"""The tables of the study ``mfc``.

The document's numbers with ours beside them, and tables that explain them.
"""

from __future__ import annotations

from math import pi
from typing import Any

from qgen_core.studies import NONE, SPACE, Table
from qgen_hep.studies.mfc import published
from qgen_hep.studies.mfc.grid import BEAMS, HELD_OUT, MORE, RANGES, TAUGHT, TESTED
from qgen_hep.studies.mfc.reference import EVENTS
from qgen_hep.studies.mfc.texts import (
    Number,
    Quantity,
    Texts,
    at_energy,
    of_group,
    over_features,
)
from qgen_hep.studies.shared.summary import OVER_SEEDS, published_text

ENERGIES = (TAUGHT[0], TESTED, TAUGHT[1])
FLOOR = f"Floor: the same number between two samples of {EVENTS} events of the truth."
STAND_IN = (
    "Ours are of a stand-in for the document's MadGraph events (Weizsaecker-Williams cross "
    "section), which are not public: compare sizes, not digits."
)
GANS = {
    "cgan": "BCE, with the auxiliary loss",
    "cgan-without-aux": "BCE, without the auxiliary loss",
    "wgan": "Wasserstein, weights clipped",
    "wgan-gp": "Wasserstein, gradient penalty",
}
BINNED = {
    "born-125": "Born machine, three registers of 4",
    "gan-125": "GAN of bin centres",
    "gan-125-continuous": "GAN of the values in the bins",
}
NOISY = {
    "conditional-narrow": "trained and run exactly",
    "conditional-noisy": "trained exactly, run with noise",
    "conditional-noise-trained": "trained and run with noise",
    "conditional-frozen": "not trained, run exactly",
    "conditional-frozen-noisy": "not trained, run with noise",
    "conditional-twin": "classical twin, trained and run exactly",
}
#: Distances of distributions that need no model, by their key in the results.
WITHOUT_MODEL = {
    "nearest": "the nearest beam's distribution",
    "mixture": "half of each beam's",
}
ANGLES = {1.0: "pi", 0.9: "0.9 pi", 0.25: "pi/4"}


def tables(texts: Texts) -> list[Table]:
    """All of them."""
    return [
        _document(texts),
        _features(texts),
        _variants(texts),
        _binned(texts),
        _ranges(texts),
        _noise(texts),
        _spectrum(texts),
    ]


def _document(texts: Texts) -> Table:
    gan_125 = "GAN at 125 GeV, discretised"
    born_125 = "Born machine at 125 GeV, discretised"
    beams = of_group("trained")
    rows = [
        _row(texts, "C-GAN, six features, all beams", "cgan", published.TV["cgan"], beams),
        _row(texts, f"C-GAN at {HELD_OUT:g} GeV, held out", "cgan", None, of_group("held out")),
        _row(texts, gan_125, "gan-125", published.TV["gan-125"], over_features),
        _row(texts, born_125, "born-125", published.TV["born-125"], over_features),
    ]
    for case, suffix, numbers in (
        ("conditional-narrow", "", published.CONDITIONAL),
        ("conditional-noisy", ", with noise", published.NOISY),
    ):
        for energy, number in numbers.items():
            taught = "trained" if energy in TAUGHT else "tested"
            text = f"conditional Born machine, {taught} at {energy} GeV{suffix}"
            rows.append(_row(texts, text, case, number, at_energy(energy)))
    notes = (
        "TV is the mean over features of half the summed difference of the marginals; ours of "
        f"{EVENTS} generated events against as many others. {OVER_SEEDS}. {FLOOR}",
        f"{STAND_IN} The document gives neither its bins nor its sample sizes, on which the floor "
        "depends.",
        "Which of 0.09 and 0.03 belongs to which model at 125 GeV is our reading of damaged "
        "subscripts.",
        "The noise is emulated from a stored calibration of ibmq_casablanca; the circuit was "
        "trained without it.",
    )
    return Table("Total variation", ("what", "document", "ours", "floor"), tuple(rows), notes)


def _row(texts: Texts, text: str, case: str, number: float | None, of: Quantity) -> tuple[str, ...]:
    ours = texts.over_seeds(case, of("tv"))
    floor = texts.once(case, of("floor"))
    return text, published_text(number), ours, floor


def _features(texts: Texts) -> Table:
    data: Any = texts.of("cgan").first()
    rows: list[tuple[str, ...]] = []
    if data is None:
        state = texts.over_seeds("cgan", lambda data: 0.0)
        rows.append(("all", state, NONE, state, NONE))
    else:
        for i, column in enumerate(data["columns"]):
            rows.append(
                (
                    column,
                    texts.over_seeds("cgan", _feature("trained", "tv", i)),
                    texts.once("cgan", _feature("trained", "floor", i)),
                    texts.over_seeds("cgan", _feature("held out", "tv", i)),
                    texts.once("cgan", _feature("held out", "floor", i)),
                )
            )
    beams = ", ".join(f"{energy:g}" for energy in BEAMS)
    note = (
        f"Beams of {beams} GeV together; 50 bins, what lies outside is counted as well. "
        f"{OVER_SEEDS}."
    )
    columns = ("feature", "TV, beams", "floor", f"TV, {HELD_OUT:g} GeV held out", "floor")
    return Table("C-GAN by feature", columns, tuple(rows), (note,))


def _feature(group: str, key: str, i: int) -> Number:
    """The number of one feature."""
    return lambda data: float(data["groups"][group][key][i])


def _variants(texts: Texts) -> Table:
    trained = of_group("trained")
    held_out = of_group("held out")
    rows = []
    for case, text in GANS.items():
        rows.append(
            (
                text,
                texts.over_seeds(case, trained("tv")),
                texts.over_seeds(case, held_out("tv")),
                texts.over_seeds(case, trained("energy balance")),
                texts.count(case, "steps"),
            )
        )
    notes = (
        "Energy balance: the mean of |E(muon) + E(carrier) - E_in| / E_in, which is 0 for true "
        f"events and of which the marginals know nothing. {OVER_SEEDS}.",
        "A Wasserstein critic is updated five times a step, the others once.",
    )
    columns = ("C-GAN", "TV, beams", f"TV, {HELD_OUT:g} GeV held out", "energy balance", "steps")
    return Table("Variants of the C-GAN", columns, tuple(rows), notes)


def _binned(texts: Texts) -> Table:
    rows = []
    for case, text in BINNED.items():
        rows.append(
            (
                text,
                texts.count(case, "parameters"),
                texts.over_seeds(case, over_features("tv")),
                texts.once(case, over_features("floor")),
                texts.over_seeds(case, over_features("joint")),
                texts.once(case, over_features("joint floor")),
                texts.once(case, over_features("joint of the product")),
            )
        )
    columns = (
        "model",
        "parameters",
        "TV",
        "floor",
        "joint TV",
        "its floor",
        "without correlations",
    )
    inside = texts.once("born-125", lambda data: 100 * data["inside"])
    notes = (
        "Outgoing muon of E, pT and eta at 125 GeV, 16 bins each; pT to 1.6 GeV and eta from 2 to "
        f"8 hold {inside} % of the events. {OVER_SEEDS}.",
        "Joint TV: half the summed difference over all 4096 cells. Without correlations: that of "
        "events whose features are shuffled, each by itself.",
    )
    return Table("The outgoing muon at 125 GeV in bins", columns, tuple(rows), notes)


def _ranges(texts: Texts) -> Table:
    two_beams = "150, 200"
    rows: list[tuple[str, ...]] = []
    for name in RANGES:
        rows.append((*_encoding(name), two_beams, *_three(texts, f"conditional-{name}")))
    more = ", ".join(f"{energy:g}" for energy in MORE)
    rows.append((*_encoding("narrow"), more, *_three(texts, "conditional-more")))
    data = texts.of("conditional-narrow").first()
    if data is not None:
        for key, text in WITHOUT_MODEL.items():
            rows.append((text, NONE, two_beams, NONE, f"{data['without'][key]:.2g}", NONE))
    columns = ("angles", "of", "trained at", *_tv_columns())
    notes = (
        "Energies are scaled to these angles. A rotation by -pi and one by pi make the same "
        "state: in the first row 150 and 200 GeV are one condition, and the model learns the "
        "mixture of both. In the next two rows it tells them apart, but swings in between.",
        f"The last two rows need no model: what 175 GeV is away from its neighbours. {OVER_SEEDS}.",
    )
    return Table("Range of the encoding, conditional Born machine", columns, tuple(rows), notes)


def _encoding(name: str) -> tuple[str, str]:
    """The angles of a range of the encoding, and the energies that they stand for."""
    angle, (low, high) = RANGES[name]
    return f"±{SPACE}{ANGLES[round(angle / pi, 3)]}", f"{low:g}, {high:g} GeV"


def _tv_columns() -> list[str]:
    return [f"TV, {energy:g} GeV" for energy in ENERGIES]


def _three(texts: Texts, case: str) -> list[str]:
    """The total variation at each of the energies."""
    return [texts.over_seeds(case, at_energy(energy)("tv")) for energy in ENERGIES]


def _noise(texts: Texts) -> Table:
    rows: list[tuple[str, ...]] = []
    for text, numbers in (
        ("document, without noise", published.CONDITIONAL),
        ("document, with noise", published.NOISY),
    ):
        rows.append((text, *[published_text(numbers[int(energy)]) for energy in ENERGIES]))
    for case, text in NOISY.items():
        rows.append((text, *_three(texts, case)))
    note = (
        "Exact density matrices with the gate and readout errors of a stored calibration of "
        "ibmq_casablanca (an emulated device), the circuit in the gates of the device. "
        f"{OVER_SEEDS}."
    )
    parameters = (
        texts.count("conditional-narrow", "parameters"),
        texts.count("conditional-twin", "parameters"),
    )
    beside = (
        "Not trained: the parameters that the training starts from. Classical twin: `nade` on the "
        "same events and bins, with the same loss, the same trainer and as many steps; the Born "
        f"machine has {parameters[0]} parameters, the twin {parameters[1]}, the nearest number "
        "that it can have."
    )
    columns = ("conditional Born machine", *_tv_columns())
    return Table("Noise", columns, tuple(rows), (note, beside))


def _spectrum(texts: Texts) -> Table:
    trained = of_group("trained")
    row = (
        "C-GAN, six features",
        texts.over_seeds("spectrum", trained("tv")),
        texts.once("spectrum", trained("floor")),
        texts.over_seeds("spectrum", trained("energy balance")),
    )
    note = (
        "Incoming muons drawn from the measured ones, each with its own energy as condition. "
        f"{OVER_SEEDS}. {FLOOR}"
    )
    title = "Incoming muons of a measured spectrum"
    return Table(title, ("what", "TV", "floor", "energy balance"), (row,), (note,))
