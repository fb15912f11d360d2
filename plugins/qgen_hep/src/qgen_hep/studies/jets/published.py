"""The numbers of document 001 (Delgado and Hamilton, arXiv:2203.03578)."""

from __future__ import annotations

#: D by wires, ansatz and start state: Tables I and III. The text gives 0.02226 for the first of
#: Table III.
D = {
    (8, "brick", "zero"): 0.007153,
    (8, "brick", "bell"): 0.006767,
    (8, "tree", "zero"): 0.005452,
    (8, "tree", "bell"): 0.005696,
    (12, "brick", "zero"): 0.0226,
    (12, "brick", "bell"): 0.0138,
    (12, "brick", "ghz"): 0.0187,
    (12, "tree", "zero"): 0.0108,
    (12, "tree", "bell"): 0.0090,
    (12, "tree", "ghz"): 0.0106,
}
#: Pearson correlations by ansatz and start state, pairs in the order (pT, m), (pT, eta), (m, eta).
TABLE_II: dict[tuple[str, str], tuple[str, ...]] = {
    ("brick", "zero"): ("0.19",),
    ("brick", "bell"): ("0.12",),
    ("tree", "zero"): ("-1.0e-3",),
    ("tree", "bell"): ("-9.1e-3",),
}
TABLE_IV: dict[tuple[str, str], tuple[str, ...]] = {
    ("brick", "zero"): ("0.16", "8.2e-3", "-0.014"),
    ("brick", "bell"): ("0.16", "1.2e-3", "4.4e-3"),
    ("brick", "ghz"): ("0.18", "-1.3e-3", "7.7e-3"),
    ("tree", "zero"): ("-4.1e-3", "-3.7e-3", "6.3e-3"),
    ("tree", "bell"): ("4.6e-3", "-9.1e-3", "4.9e-3"),
    ("tree", "ghz"): ("0.019", "1.6e-3", "2.2e-3"),
}
CORRELATION = {8: TABLE_II, 12: TABLE_IV}
#: The correlations of its simulated events.
TARGET: dict[int, tuple[str, ...]] = {8: ("0.2",), 12: ("0.2", "7.3e-12", "2.7e-11")}
