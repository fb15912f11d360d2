"""The encoder angle: ranges, bins, windows, and its inverse."""

from __future__ import annotations

import numpy as np
import pytest

from qgen_core.encoders.angle import AngleEncoder
from qgen_core.errors import BadOption, CheckpointError, DataError
from qgen_core.events import Events, Space

RNG = np.random.default_rng(1)


def test_the_ends_of_the_window_are_the_ends_of_the_range_and_differ_as_states() -> None:
    energy = np.array([[100.0], [125.0], [200.0]])
    angles = AngleEncoder().fit(energy).encode(energy)
    assert np.allclose(angles.ravel(), 0.9 * np.pi * np.array([-1.0, -0.5, 1.0]))
    paper = AngleEncoder(range=(-np.pi, np.pi)).fit(energy).encode(energy)

    def state(t: float) -> np.ndarray:
        return np.array([np.cos(t / 2), -1j * np.sin(t / 2)])

    def overlap(z: np.ndarray) -> float:
        return float(abs(np.vdot(state(z[0, 0]), state(z[2, 0]))))

    assert overlap(paper) == pytest.approx(1.0)
    assert overlap(angles) < 0.96


def test_decode_inverts_and_log_det_is_the_log_slope() -> None:
    x = RNG.normal(size=(50, 3)) * [1.0, 10.0, 0.1]
    encoder = AngleEncoder().fit(x)
    z = encoder.encode(x)
    assert encoder.space == Space("angles", 3)
    assert np.allclose(encoder.decode(z, rng=RNG), x)
    h, mid = 1e-6, np.tile(x.mean(axis=0), (1, 1))
    slopes = [
        (encoder.encode(mid + h * np.eye(3)[i]) - encoder.encode(mid - h * np.eye(3)[i]))[0, i]
        / (2 * h)
        for i in range(3)
    ]
    log_det = encoder.log_det(mid)
    assert log_det is not None and log_det[0] == pytest.approx(np.sum(np.log(slopes)), rel=1e-7)


def test_bins_give_few_distinct_conditions_at_the_centres() -> None:
    energy = RNG.uniform(100, 200, (500, 1))
    energy[:2, 0] = 100, 200
    encoder = AngleEncoder(bins=4, range=(0.0, 1.0)).fit(energy)
    z = encoder.encode(energy)
    assert np.allclose(np.unique(z), [0.125, 0.375, 0.625, 0.875])
    assert np.array_equal(
        np.unique(z, return_inverse=True)[1].ravel(), np.minimum((energy.ravel() - 100) // 25, 3)
    )
    conditions, target = Events(np.zeros((500, 1), dtype=np.int8), z).target(Space("bits", 1))
    assert conditions is not None and len(conditions) == len(target) == 4
    assert np.allclose(np.unique(encoder.decode(z, rng=RNG)), [112.5, 137.5, 162.5, 187.5])
    assert encoder.log_det(energy) is None


def test_values_outside_the_window_are_refused() -> None:
    encoder = AngleEncoder(window=[(0.1, 0.7)]).fit(np.array([[0.2], [0.3]]))
    x = np.array([[0.1], [0.7], [0.05]], dtype=np.float32)
    assert encoder.accepts(x).tolist() == [True, True, False]
    with pytest.raises(DataError, match=r"1 of 3 events, the first is event 2.*\[0.1, 0.7\]"):
        encoder.encode(x)


def test_state_restores_an_unfitted_encoder() -> None:
    x = RNG.normal(size=(20, 2))
    fitted, other = AngleEncoder(bins=8).fit(x), AngleEncoder(bins=8)
    other.load(fitted.state())
    assert other.space == fitted.space and np.array_equal(other.encode(x), fitted.encode(x))
    with pytest.raises(CheckpointError, match="needs the arrays"):
        other.load({"low": np.zeros(2)})
    with pytest.raises(CheckpointError, match="'high' of angle is not 2 finite numbers"):
        other.load(fitted.state() | {"high": np.zeros(3)})


def test_a_single_value_needs_a_window() -> None:
    single = np.full((5, 1), 125.0)
    with pytest.raises(DataError, match="the one value 125; give angle a window"):
        AngleEncoder().fit(single)
    assert AngleEncoder(window=[(100.0, 150.0)]).fit(single).encode(single)[0, 0] == 0.0


@pytest.mark.parametrize("options", [{"range": (1.0, 1.0)}, {"bins": 0}, {"window": [(2.0, 1.0)]}])
def test_bad_options(options: dict) -> None:
    with pytest.raises(BadOption):
        AngleEncoder(**options)
