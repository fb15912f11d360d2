"""The numbers of document 001, to stand beside ours (Delgado and Hamilton, arXiv:2203.03578)."""

from __future__ import annotations

#: D by features, ansatz and start state: Tables I and III. (The text gives 0.02226 for the first of
#: III.)
D = {
    (2, 1, "zero"): 0.007153,
    (2, 1, "bell"): 0.006767,
    (2, 2, "zero"): 0.005452,
    (2, 2, "bell"): 0.005696,
    (3, 1, "zero"): 0.0226,
    (3, 1, "bell"): 0.0138,
    (3, 1, "ghz"): 0.0187,
    (3, 2, "zero"): 0.0108,
    (3, 2, "bell"): 0.0090,
    (3, 2, "ghz"): 0.0106,
}
#: Pearson correlations by ansatz and start state, pairs in the order (pT, m), (pT, eta), (m, eta).
TABLE_II: dict[tuple[int, str], tuple[str, ...]] = {
    (1, "zero"): ("0.19",),
    (1, "bell"): ("0.12",),
    (2, "zero"): ("-1.0e-3",),
    (2, "bell"): ("-9.1e-3",),
}
TABLE_IV: dict[tuple[int, str], tuple[str, ...]] = {
    (1, "zero"): ("0.16", "8.2e-3", "-0.014"),
    (1, "bell"): ("0.16", "1.2e-3", "4.4e-3"),
    (1, "ghz"): ("0.18", "-1.3e-3", "7.7e-3"),
    (2, "zero"): ("-4.1e-3", "-3.7e-3", "6.3e-3"),
    (2, "bell"): ("4.6e-3", "-9.1e-3", "4.9e-3"),
    (2, "ghz"): ("0.019", "1.6e-3", "2.2e-3"),
}
CORRELATION: dict[int, dict[tuple[int, str], tuple[str, ...]]] = {2: TABLE_II, 3: TABLE_IV}
#: Those of its Monte Carlo events.
TARGET: dict[int, tuple[str, ...]] = {2: ("0.2",), 3: ("0.2", "7.3e-12", "2.7e-11")}
