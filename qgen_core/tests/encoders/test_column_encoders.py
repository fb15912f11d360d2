"""Encoders of columns, binarise and chain: maps, inverses, densities and states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qgen_core.encoders.angle import AngleEncoder
from qgen_core.encoders.binarise import BinariseEncoder
from qgen_core.encoders.binning import BinningEncoder
from qgen_core.encoders.chain import ChainEncoder
from qgen_core.encoders.hit_standard import HitStandardEncoder
from qgen_core.encoders.log import LogEncoder
from qgen_core.encoders.logit import LogitEncoder
from qgen_core.encoders.min_max import MinMaxEncoder
from qgen_core.encoders.power import PowerEncoder
from qgen_core.encoders.ratio import RatioEncoder
from qgen_core.encoders.standard import StandardEncoder
from qgen_core.errors import BadOption, CheckpointError, DataError
from qgen_core.events import Space
from qgen_core.interfaces import Encoder

RNG = np.random.default_rng(1)
FRACTIONS = RNG.uniform(0.02, 0.98, (40, 3))
ENERGY = RNG.uniform(50.0, 200.0, (40, 2))


def mfc() -> Encoder:
    """E / E_in, pT^0.2, a logarithm, and standard scaling of all."""
    return ChainEncoder(
        encoders=[
            RatioEncoder(columns=[0]),
            PowerEncoder(columns=[1]),
            LogEncoder(columns=[2]),
            StandardEncoder(),
        ]
    )


INVERTIBLE: dict[str, Callable[[], Encoder]] = {
    "min-max": MinMaxEncoder,
    "min-max-expectation": lambda: MinMaxEncoder(range=(1.0, -1.0), start="zero", margin=1.05),
    "min-max-column": lambda: MinMaxEncoder(columns=[1]),
    "standard": StandardEncoder,
    "power": PowerEncoder,
    "power-negative": lambda: PowerEncoder(exponent=-1.5, columns=[0, 2]),
    "log": LogEncoder,
    "log2": lambda: LogEncoder(offset=1e-3, base=2.0),
    "log-half": lambda: LogEncoder(base=0.5, columns=[2]),
    "logit": LogitEncoder,
    "logit-zero": lambda: LogitEncoder(alpha=1e-3, zero=True),
    "logit-open": lambda: LogitEncoder(alpha=0.0),
    "ratio": lambda: RatioEncoder(by=1, columns=[0, 2]),
    "angle": AngleEncoder,
    "chain": mfc,
}


@pytest.fixture(params=list(INVERTIBLE))
def make(request: pytest.FixtureRequest) -> Callable[[], Encoder]:
    return INVERTIBLE[request.param]


def test_decode_inverts_encode(make: Callable[[], Encoder]) -> None:
    encoder = make().fit(FRACTIONS, ENERGY)
    z = encoder.encode(FRACTIONS, ENERGY)
    assert z.shape == FRACTIONS.shape and z.dtype == np.float64 and encoder.space.width == 3
    assert encoder.accepts(FRACTIONS, ENERGY).all()
    assert np.max(np.abs(z - FRACTIONS)) > 1e-3
    assert np.allclose(encoder.decode(z, ENERGY, rng=RNG), FRACTIONS, rtol=1e-11, atol=1e-13)


def test_log_det_is_that_of_the_jacobian(make: Callable[[], Encoder]) -> None:
    encoder = make().fit(FRACTIONS, ENERGY)
    inside = (FRACTIONS.min(axis=0) < FRACTIONS).all(axis=1) & (
        FRACTIONS.max(axis=0) > FRACTIONS
    ).all(axis=1)
    x, c = FRACTIONS[inside][:10], ENERGY[inside][:10]
    jacobian = np.empty((len(x), 3, 3))
    for column in range(3):
        h = 1e-6 * np.eye(3)[column]
        jacobian[:, :, column] = (encoder.encode(x + h, c) - encoder.encode(x - h, c)) / 2e-6
    log_det = encoder.log_det(x, c)
    assert log_det is not None and log_det.shape == (len(x),)
    assert np.allclose(log_det, np.linalg.slogdet(jacobian)[1], rtol=1e-7, atol=1e-7)


def test_an_unfitted_encoder_takes_back_everything(make: Callable[[], Encoder]) -> None:
    fitted, other = make().fit(FRACTIONS, ENERGY), make()
    with pytest.raises(DataError, match="call fit or load first"):
        other.encode(FRACTIONS, ENERGY)
    state = fitted.state()
    assert all(isinstance(v, np.ndarray) for v in state.values())
    other.load(state)
    assert other.space == fitted.space
    assert np.array_equal(other.encode(FRACTIONS, ENERGY), fitted.encode(FRACTIONS, ENERGY))
    with pytest.raises(CheckpointError):
        make().load({"nonsense": np.zeros(3)})
    for name, value in state.items():
        with pytest.raises(CheckpointError):
            make().load(state | {name: np.zeros((*value.shape, 2))})


def test_float32_events_are_encoded_in_double_precision(make: Callable[[], Encoder]) -> None:
    x = FRACTIONS.astype(np.float32)
    encoder = make().fit(x, ENERGY)
    assert np.array_equal(encoder.encode(x, ENERGY), encoder.encode(x.astype(np.float64), ENERGY))


def test_min_max_expectations_of_the_angle_generator() -> None:
    pixels = np.array([[0.0, 1.0], [4.0, 2.0], [2.0, 3.0]])
    encoder = MinMaxEncoder(range=(1.0, -1.0), start="zero", margin=1.05).fit(pixels)
    most = 1.05 * pixels.max(axis=0)
    assert np.allclose(encoder.encode(pixels), 1 - 2 * pixels / most, atol=1e-15)
    ends = encoder.decode(np.array([[1.0, 1.0], [-1.0, -1.0]]), rng=RNG)
    assert np.allclose(ends, [[0, 0], most])


def test_min_max_ends_and_constant_columns() -> None:
    x = np.array([[1.0, 7.0], [3.0, 7.0], [2.0, 7.0]])
    encoder = MinMaxEncoder(range=(-1.0, 1.0)).fit(x)
    assert encoder.encode(x)[:, 0].tolist() == [-1.0, 1.0, 0.0] and np.all(
        encoder.encode(x)[:, 1] == -1.0
    )
    assert encoder.encode(np.array([[5.0, 7.0]]))[0, 0] == 3.0
    assert np.isfinite(encoder.log_det(x)).all()  # type: ignore[arg-type]


def test_standard_scaling() -> None:
    z = StandardEncoder().fit(ENERGY).encode(ENERGY)
    assert np.allclose(z.mean(axis=0), 0, atol=1e-14) and np.allclose(z.std(axis=0), 1)
    constant = np.full((5, 1), 0.1)
    encoder = StandardEncoder().fit(constant)
    assert np.allclose(encoder.encode(constant + 2.0), 2.0) and encoder.log_det(constant)[0] == 0.0  # type: ignore[index]


def test_rounding_is_not_scaled_to_the_size_of_the_other_columns() -> None:
    rounded = np.where(np.arange(50) % 2, 0.3, 0.1 + 0.2)
    x = np.column_stack([rounded, np.linspace(1.0, 2.0, 50)])
    for encoder in (StandardEncoder(), MinMaxEncoder(), HitStandardEncoder()):
        z = encoder.fit(x).encode(x)
        assert np.ptp(z[:, 0]) < 1e-15, encoder.name
        assert np.ptp(z[:, 1]) >= 1.0, encoder.name
    with pytest.raises(DataError, match="column 0 has the one value 0.3"):
        AngleEncoder().fit(x)


def test_power_takes_negative_numbers_of_a_model_as_zero() -> None:
    encoder = PowerEncoder().fit(np.array([[1.0]]))
    assert encoder.decode(np.array([[2.0], [-0.3]]), rng=RNG).ravel().tolist() == [
        pytest.approx(32.0),
        0.0,
    ]


def test_logit_keeps_empty_cells_empty() -> None:
    cells = np.array([[0.0], [1e-9], [0.3], [1.0]])
    for zero in (False, True):
        encoder = LogitEncoder(alpha=1e-7, zero=zero).fit(cells)
        z = encoder.encode(cells)
        back = encoder.decode(z, rng=RNG)
        assert (
            back[0, 0] == 0.0
            and back[3, 0] == 1.0
            and np.allclose(back, cells, rtol=1e-6, atol=1e-16)
        )
        assert encoder.decode(z[[0, 3]] + [[-3.0], [3.0]], rng=RNG).ravel().tolist() == [0.0, 1.0]
    assert z[0, 0] == 0.0
    r, x = 1e-7, 1e-7 + (1 - 2e-7) * 0.3
    assert z[2, 0] == pytest.approx(np.log(x * (1 - r) / (r * (1 - x))), rel=1e-13)


@pytest.mark.parametrize("alpha", [1e-6, 1e-4, 1e-3, 0.05, 0.3])
def test_logit_gives_back_zero_and_one_without_rounding(alpha: float) -> None:
    ends = np.array([[0.0], [1.0]])
    encoder = LogitEncoder(alpha=alpha).fit(ends)
    assert np.array_equal(encoder.decode(encoder.encode(ends), rng=RNG), ends)


def test_ratio_divides_by_the_condition_and_needs_it() -> None:
    x, energy = np.array([[30.0, 1.0], [40.0, 2.0]]), np.array([[120.0], [80.0]])
    encoder = RatioEncoder(columns=[0]).fit(x, energy)
    assert encoder.encode(x, energy).tolist() == [[0.25, 1.0], [0.5, 2.0]]
    other = np.array([[200.0], [100.0]])
    assert np.allclose(
        encoder.decode(encoder.encode(x, energy), other, rng=RNG), [[50, 1], [50, 2]]
    )
    with pytest.raises(DataError, match="there is none"):
        encoder.encode(x)
    with pytest.raises(DataError, match="1 of 2 events, the first is event 1.*above 0 in column 0"):
        encoder.encode(x, np.array([[100.0], [0.0]]))
    assert encoder.accepts(x, np.array([[100.0], [-1.0]])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("encoder", "bad", "message"),
    [
        (PowerEncoder(columns=[1]), -0.1, "values of 0 or more"),
        (PowerEncoder(exponent=-1.0, columns=[1]), 0.0, "values above 0"),
        (LogEncoder(columns=[1]), 0.0, "values above 0"),
        (LogEncoder(offset=0.5, columns=[1]), -0.5, "values above -0.5"),
        (LogitEncoder(columns=[1]), 1.1, "values from 0 to 1"),
        (LogitEncoder(alpha=0.0, columns=[1]), 1.0, "without the ends"),
        (StandardEncoder(columns=[1]), np.nan, "finite"),
    ],
)
def test_events_without_an_image_are_refused(encoder: Encoder, bad: float, message: str) -> None:
    encoder.fit(FRACTIONS)
    x = FRACTIONS[:4].copy()
    x[2, 1] = bad
    x[0, 0] = -7.0  # not a chosen column
    assert encoder.accepts(x).tolist() == [True, True, False, True]
    for method in (encoder.encode, encoder.log_det):
        with pytest.raises(DataError, match=f"1 of 4 events, the first is event 2.*{message}"):
            method(x)


def test_binarise_by_threshold() -> None:
    x = np.array([[0.0, 1.0], [1.0, 5.0], [2.0, 6.0], [9.0, 0.0]])
    median = BinariseEncoder().fit(x)
    assert (
        median.encode(x).tolist() == [[0, 0], [0, 1], [1, 1], [1, 0]]
        and median.encode(x).dtype == np.int8
    )
    assert median.space == Space("bits", 2)
    assert median.decode(np.array([[0, 1], [1, 0]]), rng=RNG).tolist() == [[0.5, 5.5], [5.5, 0.5]]
    spins = BinariseEncoder(threshold=[0.0, 5.0], kind="spins").fit(x)
    assert (
        spins.encode(x).tolist() == [[-1, -1], [1, -1], [1, 1], [1, -1]]
        and spins.space.kind == "spins"
    )
    assert spins.decode(np.array([[-1, 1], [1, -1]]), rng=RNG).tolist() == [[0.0, 6.0], [4.0, 2.0]]
    assert BinariseEncoder(threshold="mean").fit(x).encode(x).tolist() == [
        [0, 0],
        [0, 1],
        [0, 1],
        [1, 0],
    ]
    assert median.log_det(x) is None


def test_binarise_is_exact_for_two_values_and_saved() -> None:
    x = RNG.integers(0, 2, (30, 4)) * 3.0
    fitted, other = BinariseEncoder(threshold=0.0).fit(x), BinariseEncoder(threshold=0.0)
    other.load(fitted.state())
    assert other.space == fitted.space
    assert np.array_equal(other.decode(other.encode(x), rng=RNG), x)
    with pytest.raises(CheckpointError):
        BinariseEncoder(threshold=[0.0, 1.0]).load(fitted.state())
    with pytest.raises(DataError, match="not finite|finite values"):
        other.encode(np.array([[0.0, np.inf, 0.0, 0.0]]))


def test_a_side_without_training_events_decodes_to_the_threshold() -> None:
    encoder = BinariseEncoder(threshold=10.0).fit(np.array([[1.0], [3.0]]))
    assert encoder.decode(np.array([[0], [1]]), rng=RNG).ravel().tolist() == [2.0, 10.0]


def test_chain_accepts_what_every_link_accepts() -> None:
    x = np.array([[1.0], [-1.0], [np.e**3], [np.e]])
    chain = ChainEncoder(encoders=[LogEncoder(), BinningEncoder(bits=2, window=[(0.0, 2.0)])])
    chain.fit(x[[0, 3]])
    assert chain.space == Space("bits", 2, (2,))
    assert chain.accepts(x).tolist() == [True, False, False, True]
    assert chain.encode(x[[0, 3]]).tolist() == [[0, 0], [1, 0]]
    with pytest.raises(DataError, match="chain cannot encode 2 of 4 events, the first is event 1"):
        chain.encode(x)
    log_det = chain.log_det(x[[0, 3]])
    assert log_det is not None and np.allclose(log_det, [0 - np.log(0.5), -1 - np.log(0.5)])
    back = chain.decode(chain.encode(x[[3]]), rng=RNG)
    assert np.e <= back[0, 0] < np.exp(1.5)


def test_chain_fits_later_links_on_what_earlier_ones_accept_and_make() -> None:
    x = np.array([[-5.0], [1.0], [100.0]])
    chain = ChainEncoder(encoders=[LogEncoder(base=10.0), MinMaxEncoder()]).fit(x)
    assert np.allclose(chain.encode(x[1:]).ravel(), [0.0, 1.0])
    energy = np.array([[10.0], [0.0], [20.0]])
    by = ChainEncoder(encoders=[RatioEncoder(), StandardEncoder()]).fit(
        np.array([[10.0], [9.0], [60.0]]), energy
    )
    assert np.allclose(by.encode(np.array([[20.0]]), np.array([[10.0]])), 0.0)


def test_chain_has_no_density_where_a_link_has_none() -> None:
    x = FRACTIONS[:, :1]
    assert ChainEncoder(encoders=[MinMaxEncoder(), BinariseEncoder()]).fit(x).log_det(x) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: MinMaxEncoder(range=(1.0, 1.0)),
        lambda: MinMaxEncoder(margin=0.0),
        lambda: PowerEncoder(exponent=0.0),
        lambda: LogEncoder(offset=-1.0),
        lambda: LogEncoder(base=1.0),
        lambda: LogitEncoder(alpha=0.5),
        lambda: LogitEncoder(alpha=0.0, zero=True),
        lambda: RatioEncoder(by=-1),
        lambda: StandardEncoder(columns=[]),
        lambda: StandardEncoder(columns=[0, 0]),
        lambda: StandardEncoder(columns=[3]).fit(FRACTIONS),
        lambda: BinariseEncoder(threshold=float("nan")),
        lambda: BinariseEncoder(threshold=[1.0, 2.0]).fit(FRACTIONS),
        lambda: ChainEncoder(encoders=[]),
    ],
)
def test_bad_options(make: Callable[[], Any]) -> None:
    with pytest.raises(BadOption):
        make()


def test_a_checkpoint_of_too_few_columns_is_refused() -> None:
    state = StandardEncoder().fit(FRACTIONS).state()
    with pytest.raises(CheckpointError, match="3 features"):
        StandardEncoder(columns=[5]).load(state)
