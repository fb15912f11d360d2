"""Test accuracies of document 002 in percent, of CaloQVAE and, in the same table, of CaloGAN."""

from __future__ import annotations

#: By pair of species, (trained on, tested on): CaloQVAE, CaloGAN. "generated" is "QPU" there.
ACCURACIES: dict[tuple[str, str], dict[tuple[str, str], tuple[float, float]]] = {
    ("e+", "pi+"): {
        ("reference", "reference"): (99.83, 99.6),
        ("reference", "generated"): (99.85, 96.5),
        ("generated", "reference"): (94.26, 98.2),
        ("generated", "generated"): (100.0, 99.9),
    },
    ("e+", "gamma"): {
        ("reference", "reference"): (66.78, 66.1),
        ("reference", "generated"): (74.07, 70.6),
        ("generated", "reference"): (53.73, 54.3),
        ("generated", "generated"): (99.93, 100.0),
    },
}
#: Events of each species in the document.
EVENTS = 100_000
