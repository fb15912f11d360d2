"""``shower-selection``: chi2 and shapes against numbers that are computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from qgen_core.errors import BadOption
from qgen_core.events import Events
from qgen_hep.metrics.shower_selection import _chi_square, _shapes, shower_selection

LAYERS = [(1, 3), (4, 2)]


def showers(n: int, seed: int, scale: float = 1.0) -> np.ndarray:
    return scale * np.random.default_rng(seed).gamma(2.0, 1.0, size=(n, 11))


def test_chi_square_by_hand() -> None:
    """Bins of the contents (2, 2) and (1, 3), all weights 1: 2 * (4 - 8)^2 / (16 * (2 + 1)) etc."""
    x = np.array([0.0, 0.1, 0.9, 1.0])
    y = np.array([0.2, 0.8, 0.9, 5.0])  # beyond the last edge: in the last bin
    ones = np.ones(4)
    square, degrees = _chi_square(x, y, ones, ones, 2)
    expected = (4 * 1 - 4 * 2) ** 2 / (16 * (1 + 2)) + (4 * 3 - 4 * 2) ** 2 / (16 * (3 + 2))
    assert square == pytest.approx(expected)
    assert degrees == 1
    assert _chi_square(x, y, 3 * ones, 7 * ones, 2)[0] == pytest.approx(expected)


def test_chi_square_of_one_distribution_is_about_its_degrees() -> None:
    found = []
    for seed in range(12):
        first, second = Events(showers(4000, seed)), Events(showers(4000, seed + 50))
        found.append(shower_selection(first, second, layers=LAYERS)["chi2/ndf"])
    assert np.mean(found) == pytest.approx(1.0, abs=0.25)


def test_incident_energies_are_compared_one_by_one() -> None:
    """Totals that are exchanged between two energies have the same sum over both."""
    x = np.concatenate([showers(300, 1), showers(300, 2, scale=3.0)])
    energy = np.repeat([[1.0], [3.0]], 300, axis=0)
    right = shower_selection(Events(x, energy), Events(x, energy), layers=LAYERS)
    wrong = shower_selection(Events(x, energy), Events(x, energy[::-1]), layers=LAYERS)
    blind = shower_selection(Events(x), Events(x), layers=LAYERS)
    assert right["chi2/ndf"] == blind["chi2/ndf"] == 0
    assert wrong["chi2/ndf"] > 20
    # Too many energies to compare one by one: all together, so the order does not matter.
    continuous = np.random.default_rng(3).normal(size=(600, 1))
    found = shower_selection(Events(x, continuous), Events(x, continuous[::-1]), layers=LAYERS)
    assert found["chi2/ndf"] == 0


def test_centres_and_widths_by_hand() -> None:
    """A layer of one angle, and one of four angles and two radii."""
    x = np.zeros((1, 11))
    x[0, [0, 2]] = 1.0, 3.0
    x[0, 3 + np.array([1, 5])] = 1.0, 1.0  # the outer cells of two opposite angles
    found = np.ravel(_shapes(x, LAYERS))
    root = 1.5 * np.sqrt(0.5)
    expected = [2.0, np.sqrt(0.75), 1.5, 0.0, 0.0, root, 0.0, root]
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_shapes_see_what_the_total_does_not() -> None:
    x = showers(3000, 4)
    turned = x.copy()
    turned[:, [3, 4]] += turned[:, [7, 8]]  # the cells of one angle take those of the opposite one
    turned[:, [7, 8]] = 0
    found = shower_selection(Events(x), Events(turned), layers=LAYERS, shape_weight=10.0)
    assert found["chi2/ndf"] < 1e-9
    assert found["shape"] > 0.02
    assert found["selection"] == pytest.approx(found["chi2/ndf"] + 10 * found["shape"])


def test_what_does_not_fit_is_refused() -> None:
    events = Events(showers(5, 1))
    with pytest.raises(BadOption, match="have 3 cells, and the events 11 columns"):
        shower_selection(events, events, layers=[(1, 3)])
    with pytest.raises(BadOption, match="at least 2 bins"):
        shower_selection(events, events, layers=LAYERS, bins=1)
