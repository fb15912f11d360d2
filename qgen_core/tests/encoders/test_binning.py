"""The encoder binning: edges, bits, densities, saving, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qgen_core.encoders.binning import BinningEncoder
from qgen_core.errors import BadOption, CheckpointError, DataError
from qgen_core.events import Events, bits_to_index


def sample(n: int = 4000, seed: int = 3) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    return np.stack(
        [rng.exponential(50.0, n) + 10.0, rng.normal(5.0, 2.0, n), rng.random(n)], axis=1
    )


def histogram_index(x: Any, edges: Any) -> np.ndarray[Any, Any]:
    """Bin numbers by a plain loop over edges."""
    out = np.full(x.shape, -1)
    for row in range(len(x)):
        for i, e in enumerate(edges):
            for k in range(len(e) - 1):
                last = k == len(e) - 2
                if e[k] <= x[row, i] and (x[row, i] < e[k + 1] or (last and x[row, i] == e[k + 1])):
                    out[row, i] = k
    return out


@pytest.mark.parametrize("spacing", ["equal-width", "quantile", "logarithmic"])
def test_bits_are_bin_numbers_first_feature_and_most_significant_first(spacing: Any) -> None:
    x = np.abs(sample(300)) + 0.1
    encoder = BinningEncoder(bits=[3, 2, 1], spacing=spacing).fit(x)
    z = encoder.encode(x)
    assert z.dtype == np.int8 and set(np.unique(z)) == {0, 1}
    assert encoder.space.registers == (3, 2, 1) and encoder.space.kind == "bits"
    index = histogram_index(x, encoder.edges)
    expected = np.ravel_multi_index(tuple(index.T), (8, 4, 2))
    assert np.array_equal(bits_to_index(z), expected)


def test_target_is_the_normalised_histogram() -> None:
    x = sample()[:, :2]
    encoder = BinningEncoder(bits=4, window=[(10.0, 200.0), (0.0, 10.0)]).fit(x)
    inside = x[encoder.accepts(x)]
    assert 0 < len(inside) < len(x)
    _, target = Events(encoder.encode(inside)).target(encoder.space)
    counts = np.histogramdd(x, [np.linspace(10, 200, 17), np.linspace(0, 10, 17)])[0]
    assert np.allclose(target.reshape(16, 16), counts / counts.sum(), rtol=0, atol=1e-15)


def test_quantile_bins_hold_equal_numbers_of_the_events_in_the_window() -> None:
    x = sample(4096)[:, :1]
    free = BinningEncoder(bits=3, spacing="quantile").fit(x)
    assert np.all(np.abs(np.bincount(bits_to_index(free.encode(x))) - 512) <= 1)
    cut = BinningEncoder(bits=3, spacing="quantile", window=[(20.0, 100.0)]).fit(x)
    inside = x[cut.accepts(x)]
    assert np.all(np.abs(np.bincount(bits_to_index(cut.encode(inside))) - len(inside) / 8) <= 1)
    assert cut.edges[0][0] == 20.0 and cut.edges[0][-1] == 100.0


def test_logarithmic_edges_have_equal_ratios() -> None:
    edges = (
        BinningEncoder(bits=3, spacing="logarithmic", window=[(1.0, 256.0)])
        .fit(sample()[:, :1])
        .edges[0]
    )
    assert np.allclose(edges, 2.0 ** np.arange(9))


def test_given_edges_and_a_spacing_for_each_feature() -> None:
    x = np.array([[0.0, 1.0], [0.9, 2.0], [1.0, 3.0], [5.0, 4.0], [7.0, 5.0]])
    encoder = BinningEncoder(bits=2, spacing=[[0.0, 1.0, 2.0, 4.0, 8.0], "equal-width"]).fit(x)
    assert bits_to_index(encoder.encode(x)[:, :2]).tolist() == [0, 0, 1, 3, 3]
    assert np.array_equal(encoder.edges[1], [1, 2, 3, 4, 5])


def test_decoding_stays_in_the_bin_and_is_uniform_there() -> None:
    x = sample(2000)
    encoder = BinningEncoder(bits=3, spacing="quantile").fit(x)
    z = np.tile(encoder.encode(x), (5, 1))
    rng = np.random.default_rng(5)
    back = encoder.decode(z, rng=rng)
    assert np.array_equal(encoder.encode(back), z)
    from scipy.stats import kstest

    for i, edges in enumerate(encoder.edges):
        index = np.searchsorted(edges[1:-1], back[:, i], side="right")
        place = (back[:, i] - edges[index]) / np.diff(edges)[index]
        assert kstest(place, "uniform").pvalue > 1e-3


def test_the_upper_edge_of_a_bin_is_never_drawn() -> None:
    class AlmostOne:
        def random(self, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
            return np.full(shape, np.nextafter(1.0, 0.0))

    x = np.array([[1e6], [1e6 + 1e-9 * 4]])
    encoder = BinningEncoder(bits=1).fit(x)
    z = np.array([[0], [1]], dtype=np.int8)
    back = encoder.decode(z, rng=AlmostOne())  # type: ignore[arg-type]
    assert np.array_equal(encoder.encode(back), z)


def test_the_same_seed_decodes_the_same() -> None:
    x = sample(50)
    encoder = BinningEncoder(bits=2).fit(x)
    z = encoder.encode(x)
    first, second = (encoder.decode(z, rng=np.random.default_rng(9)) for _ in range(2))
    assert np.array_equal(first, second)


def test_log_det_makes_a_normalised_density() -> None:
    x = sample(5000)[:, :2]
    encoder = BinningEncoder(bits=[2, 3], spacing=["quantile", "equal-width"]).fit(x)
    _, target = Events(encoder.encode(x)).target(encoder.space)
    # three cells in each bin, so that no cell is cut by an edge
    cuts = [np.interp(np.arange(3 * len(e) - 2) / 3, np.arange(len(e)), e) for e in encoder.edges]
    grid = np.stack(
        np.meshgrid(*[(c[1:] + c[:-1]) / 2 for c in cuts], indexing="ij"), axis=-1
    ).reshape(-1, 2)
    volume = np.outer(*[np.diff(c) for c in cuts]).ravel()
    density = target[0, bits_to_index(encoder.encode(grid))] * np.exp(encoder.log_det(grid))
    assert density @ volume == pytest.approx(1.0, rel=1e-12)
    assert encoder.log_det(grid[:1])[0] == -sum(
        np.log(np.diff(e)[np.searchsorted(e, v, side="right") - 1])
        for e, v in zip(encoder.edges, grid[0], strict=True)
    )


def test_float32_events_are_compared_with_edges_in_their_precision() -> None:
    edges = [0.1 * k for k in range(9)]
    x = np.array(edges, dtype=np.float32)[:, None]
    encoder = BinningEncoder(bits=3, spacing=[edges]).fit(x)
    assert encoder.accepts(x).all()
    assert bits_to_index(encoder.encode(x)).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 7]
    window = BinningEncoder(bits=3, window=[(0.1, 0.7)]).fit(x)
    assert window.accepts(x).tolist() == [False] + [True] * 7 + [False]


def test_window_none_keeps_all_training_events_in_either_precision() -> None:
    for dtype in (np.float32, np.float64):
        x = sample(1000).astype(dtype)
        encoder = BinningEncoder(bits=4).fit(x)
        assert encoder.accepts(x).all()
        assert [(e[0], e[-1]) for e in encoder.edges] == [
            (float(c.min()), float(c.max())) for c in x.T
        ]


def test_events_outside_are_refused_with_count_and_first_index() -> None:
    encoder = BinningEncoder(bits=2, window=[(0.0, 1.0)]).fit(np.array([[0.2], [0.7]]))
    x = np.array([[0.5], [1.5], [-0.1], [np.nan], [1.0]])
    assert encoder.accepts(x).tolist() == [True, False, False, False, True]
    with pytest.raises(DataError, match=r"3 of 5 events, the first is event 1 \(1.5\).*\[0, 1\]"):
        encoder.encode(x)
    with pytest.raises(DataError, match="3 of 5 events"):
        encoder.log_det(x)


def test_integers_are_events_too() -> None:
    x = np.arange(8)[:, None]
    encoder = BinningEncoder(bits=3).fit(x)
    assert bits_to_index(encoder.encode(x)).tolist() == [0, 1, 2, 3, 4, 5, 6, 7]


def test_an_unfitted_encoder_takes_back_everything() -> None:
    x = sample()
    options: dict[str, Any] = {
        "bits": [4, 3, 2],
        "spacing": ["logarithmic", "quantile", "equal-width"],
    }
    fitted = BinningEncoder(**options).fit(x)
    state = fitted.state()
    assert all(isinstance(v, np.ndarray) for v in state.values())
    other = BinningEncoder(**options)
    with pytest.raises(DataError, match="call fit or load first"):
        other.encode(x)
    other.load(state)
    assert other.space == fitted.space
    assert all(np.array_equal(a, b) for a, b in zip(other.edges, fitted.edges, strict=True))
    assert np.array_equal(other.encode(x), fitted.encode(x))
    state["edges0"][:] = 0
    assert fitted.edges[0][-1] > 0  # a state is a copy


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"edges0": np.arange(9.0)},
        {"edges1": np.arange(5.0)},
        {"edges0": np.zeros(5)},
        {"edges0": np.arange(5.0), "edges1": np.arange(5.0)},
    ],
)
def test_a_state_that_does_not_fit_is_refused(state: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError):
        BinningEncoder(bits=2, window=[(0.0, 1.0)]).load(state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bits": 0}, "1 to 20 bits"),
        ({"bits": [2, 3]}, "2 features, the events have 1"),
        ({"window": [(1.0, 1.0)]}, "min < max"),
        ({"spacing": [[0.0, 1.0, 1.0, 3.0, 4.0]], "bits": 2}, "increase"),
        ({"spacing": [[0.0, 1.0, 2.0]], "bits": 2}, "needs 5 edges, not 3"),
        ({"spacing": [[0.0, 1.0, 2.0]], "bits": 1, "window": [(0.0, 3.0)]}, "another window"),
    ],
)
def test_contradicting_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        BinningEncoder(**options).fit(np.array([[0.5], [1.5]]))


@pytest.mark.parametrize(
    ("options", "x", "message"),
    [
        (
            {"bits": 2, "spacing": "quantile"},
            [0.0] * 9 + [1.0],
            "3 of 4 bins have no width.*fewer bits",
        ),
        ({"spacing": "logarithmic"}, [-1.0, 2.0], "above 0"),
        ({}, [3.0, 3.0], "no width.*wider window"),
        ({"window": [(5.0, 6.0)]}, [1.0, 2.0], "none of 2 training events"),
        ({}, [], "no training events"),
        ({}, [1.0, np.inf], "1 values are not finite, the first in feature 0 of event 1"),
    ],
)
def test_training_events_that_give_no_bins(
    options: dict[str, Any], x: list[float], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        BinningEncoder(**{"bits": 1} | options).fit(np.array(x, dtype=np.float64).reshape(-1, 1))


def test_shapes_are_checked() -> None:
    encoder = BinningEncoder(bits=2).fit(sample())
    with pytest.raises(DataError, match=r"\(N, 3\)"):
        encoder.encode(np.zeros((2, 2)))
    with pytest.raises(DataError, match=r"\(N, 6\)"):
        encoder.decode(np.zeros((2, 5), dtype=np.int8), rng=np.random.default_rng(0))


def test_clipped_events_lie_in_the_outermost_bins_and_have_no_density() -> None:
    train = np.linspace(0.0, 4.0, 101)[:, None]
    encoder = BinningEncoder(bits=2, outside="clip").fit(train)
    x = np.array([[-5.0], [0.5], [9.0]])
    assert encoder.accepts(x).all()
    assert not encoder.accepts(np.array([[np.nan]])).any()
    assert encoder.encode(x).tolist() == [[0, 0], [0, 0], [1, 1]]
    np.testing.assert_allclose(encoder.log_det(x), [-np.inf, 0.0, -np.inf])
    drawn = encoder.decode(encoder.encode(x), rng=np.random.default_rng(1))
    assert np.all((drawn >= 0.0) & (drawn <= 4.0))
