"""The tables of the study ``mfc``.

The document's numbers with ours beside them, and what explains them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi

from qgen_core.studies import Table
from qgen_hep.studies.mfc import published
from qgen_hep.studies.mfc.book import Book, Quantity, at_energy, of_group, over_features
from qgen_hep.studies.mfc.cases import BEAMS, HELD_OUT, MORE, RANGES, TAUGHT, TESTED
from qgen_hep.studies.mfc.truth import EVENTS
from qgen_hep.studies.seeds import NONE, PM, SPACE, Value

ENERGIES = (TAUGHT[0], TESTED, TAUGHT[1])
FLOOR = f"Floor: the same number between two samples of {EVENTS} events of the truth."
STAND_IN = (
    "Ours are of a stand-in for the document's MadGraph events (Weizsaecker-Williams cross "
    "section), which are not "
    "public: compare sizes, not digits."
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
}


def tables(book: Book) -> list[Table]:
    """All of them."""
    return [
        _document(book),
        _features(book),
        _variants(book),
        _binned(book),
        _ranges(book),
        _noise(book),
        _spectrum(book),
    ]


def _document(book: Book) -> Table:
    rows = [
        _row(
            book,
            "C-GAN, six features, all beams",
            "cgan",
            published.TV["cgan"],
            of_group("trained"),
        ),
        _row(book, f"C-GAN at {HELD_OUT:g} GeV, held out", "cgan", None, of_group("held out")),
        _row(
            book, "GAN at 125 GeV, discretised", "gan-125", published.TV["gan-125"], over_features
        ),
        _row(
            book,
            "Born machine at 125 GeV, discretised",
            "born-125",
            published.TV["born-125"],
            over_features,
        ),
    ]
    for case, under, numbers in (
        ("conditional-narrow", "", published.CONDITIONAL),
        ("conditional-noisy", ", with noise", published.NOISY),
    ):
        for energy, number in numbers.items():
            taught = "trained" if energy in TAUGHT else "tested"
            text = f"conditional Born machine, {taught} at {energy} GeV{under}"
            rows.append(_row(book, text, case, number, at_energy(energy)))
    notes = (
        "TV is the mean over features of half the summed difference of the marginals; ours of "
        f"{EVENTS} generated "
        f"events against as many others. {PM}. {FLOOR}",
        f"{STAND_IN} The document gives neither its bins nor its sample sizes, on which the floor "
        "depends.",
        "Which of 0.09 and 0.03 belongs to which model at 125 GeV is our reading of damaged "
        "subscripts.",
        "The noise is emulated from a stored calibration of ibmq_casablanca; the circuit was "
        "trained without it.",
    )
    return Table("Total variation", ("what", "document", "ours", "floor"), tuple(rows), notes)


def _row(book: Book, text: str, case: str, number: float | None, of: Quantity) -> tuple[str, ...]:
    paper = NONE if number is None else f"{number:g}"
    return text, paper, book.number(case, of("tv")), book.once(case, of("floor"))


def _features(book: Book) -> Table:
    value = book.first("cgan")
    columns = [] if value is None else list(value["columns"])
    rows = []
    for i, column in enumerate(columns):
        row = [column]
        for group in ("trained", "held out"):
            row += [
                book.number("cgan", _entry(group, "tv", i)),
                book.once("cgan", _entry(group, "floor", i)),
            ]
        rows.append(tuple(row))
    if not rows:
        state = book.number("cgan", lambda value: 0.0)
        rows = [("all", state, NONE, state, NONE)]
    beams = ", ".join(f"{e:g}" for e in BEAMS)
    return Table(
        "C-GAN by feature",
        ("feature", "TV, beams", "floor", f"TV, {HELD_OUT:g} GeV held out", "floor"),
        tuple(rows),
        (f"Beams of {beams} GeV together; 50 bins, what lies outside is counted as well. {PM}.",),
    )


def _entry(group: str, key: str, i: int) -> Callable[[Value], float]:
    return lambda value: float(value["groups"][group][key][i])


def _variants(book: Book) -> Table:
    rows = [
        (
            text,
            book.number(case, of_group("trained")("tv")),
            book.number(case, of_group("held out")("tv")),
            book.number(case, of_group("trained")("energy balance")),
            book.count(case, "steps"),
        )
        for case, text in GANS.items()
    ]
    notes = (
        "Energy balance: the mean of |E(muon) + E(carrier) - E_in| / E_in, which is 0 for true "
        "events and of which "
        f"the marginals know nothing. {PM}.",
        "A Wasserstein critic is updated five times a step, the others once.",
    )
    columns = ("C-GAN", "TV, beams", f"TV, {HELD_OUT:g} GeV held out", "energy balance", "steps")
    return Table("Variants of the C-GAN", columns, tuple(rows), notes)


def _binned(book: Book) -> Table:
    rows = []
    for case, text in BINNED.items():
        rows.append(
            (
                text,
                book.count(case, "parameters"),
                book.number(case, over_features("tv")),
                book.once(case, over_features("floor")),
                book.number(case, over_features("joint")),
                book.once(case, over_features("joint floor")),
                book.once(case, over_features("joint of the product")),
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
    notes = (
        "Outgoing muon of E, pT and eta at 125 GeV, 16 bins each; pT to 1.6 GeV and eta from 2 to "
        "8 "
        f"hold {book.once('born-125', lambda value: 100 * value['inside'])} % of the events. {PM}.",
        "Joint TV: half the summed difference over all 4096 cells. Without correlations: that of "
        "events whose "
        "features are shuffled, each by itself.",
    )
    return Table("The outgoing muon at 125 GeV in bins", columns, tuple(rows), notes)


def _ranges(book: Book) -> Table:
    rows = []
    for name, (angle, window) in RANGES.items():
        rows.append(
            (
                _angles(angle),
                f"{window[0]:g}, {window[1]:g} GeV",
                "150, 200",
                *_three(book, f"conditional-{name}"),
            )
        )
    angle, window = RANGES["narrow"]
    more = ", ".join(f"{e:g}" for e in MORE)
    rows.append(
        (
            _angles(angle),
            f"{window[0]:g}, {window[1]:g} GeV",
            more,
            *_three(book, "conditional-more"),
        )
    )
    some = book.first("conditional-narrow")
    if some is not None:
        for what, text in (
            ("nearest", "the nearest beam's distribution"),
            ("mixture", "half of each beam's"),
        ):
            rows.append((text, NONE, "150, 200", NONE, f"{some['without'][what]:.2g}", NONE))
    columns = ("angles", "of", "trained at", *(f"TV, {e:g} GeV" for e in ENERGIES))
    notes = (
        "Energies are scaled to these angles. A rotation by -pi and one by pi make the same "
        "state: in the first row "
        "150 and 200 GeV are one condition, and the model learns the mixture of both. In the next "
        "two rows it tells "
        "them apart, but swings in between.",
        f"The last two rows need no model: what 175 GeV is away from its neighbours. {PM}.",
    )
    return Table("Range of the encoding, conditional Born machine", columns, tuple(rows), notes)


def _angles(angle: float) -> str:
    parts = {1.0: "pi", 0.9: "0.9 pi", 0.25: "pi/4"}
    return f"±{SPACE}{parts[round(angle / pi, 3)]}"


def _three(book: Book, case: str) -> list[str]:
    return [book.number(case, at_energy(e)("tv")) for e in ENERGIES]


def _noise(book: Book) -> Table:
    rows = [(text, *_three(book, case)) for case, text in NOISY.items()]
    paper = [
        tuple(f"{numbers[int(e)]:g}" for e in ENERGIES)
        for numbers in (published.CONDITIONAL, published.NOISY)
    ]
    rows = [("document, without noise", *paper[0]), ("document, with noise", *paper[1]), *rows]
    note = (
        "Exact density matrices with the gate and readout errors of a stored calibration of "
        "ibmq_casablanca (an "
        "emulated device), the circuit in the gates of the device on the qubits of least error. "
        f"{PM}."
    )
    return Table(
        "Noise",
        ("conditional Born machine", *(f"TV, {e:g} GeV" for e in ENERGIES)),
        tuple(rows),
        (note,),
    )


def _spectrum(book: Book) -> Table:
    of = of_group("trained")
    row = (
        "C-GAN, six features",
        book.number("spectrum", of("tv")),
        book.once("spectrum", of("floor")),
        book.number("spectrum", of("energy balance")),
    )
    note = (
        "Incoming muons drawn from the measured ones, each with its own energy as condition. "
        f"{PM}. {FLOOR}"
    )
    return Table(
        "Incoming muons of a measured spectrum",
        ("what", "TV", "floor", "energy balance"),
        (row,),
        (note,),
    )
