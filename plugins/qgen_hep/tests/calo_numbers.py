"""Golden values of distances between showers, made by independent programs, and their inputs.

``python calo_numbers.py`` writes ``calo_numbers.json``, in an environment of its own with numpy,
scipy, scikit-learn and jetnet 0.2.5. jetnet's other dependencies are not needed for these
functions, and stand-ins are put in their places.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).with_suffix(".json")
#: Square roots of primes: multiples of them fill the unit cube evenly, on any machine alike.
STEPS = np.sqrt([2.0, 3.0, 5.0, 7.0, 11.0])
#: The subsets of the Frechet distance, and the seed of jetnet's draws.
SMALLEST, LARGEST, SEED = 80, 400, 42
#: The number of neighbours.
NEIGHBOURS = 5


def features(count: int, *, first: int = 1, stretch: float = 1.0) -> NDArray[np.float64]:
    """Correlated features (count, 5) that look random."""
    numbers = np.arange(first, first + count, dtype=np.float64)
    cube = np.mod(numbers[:, None] * STEPS, 1.0)
    skewed = np.log(cube + 0.05)
    skewed[:, 1] += 0.7 * skewed[:, 0]
    skewed[:, 2] *= 100.0
    return np.asarray(skewed * stretch)


def samples(kind: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two samples: ``far`` apart, or ``near`` to each other."""
    if kind == "far":
        return features(500), features(400, first=1000, stretch=1.3)
    return features(500), features(500, first=1000)


def sizes() -> NDArray[np.int64]:
    """The sizes of jetnet's subsets."""
    steps = np.linspace(1 / SMALLEST, 1 / LARGEST, 10)
    return np.asarray((1 / steps).astype("int32"), dtype=np.int64)


def small_points() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """1/N and distances that meet 0 at 1e-4, as those of very good generators do."""
    places = np.linspace(1 / 10_000, 1 / 50_000, 10)
    scatter = np.mod(np.arange(1, 11) * STEPS[0], 1.0) - 0.5
    return places, 1e-4 + 3 * places + 1e-6 * scatter


def _jetnet() -> Any:
    """jetnet's module of metrics, without what it needs for other metrics."""
    for name in ("torch", "torch.utils.data", "energyflow.emd", "numba", "jetnet.datasets"):
        sys.modules[name] = ModuleType(name)
    modules: dict[str, Any] = dict(sys.modules)
    modules["torch"].Tensor = type("Tensor", (), {})
    modules["torch.utils.data"].DataLoader = None
    modules["energyflow.emd"].emds = None
    modules["numba"].njit = lambda *given, **_: given[0] if given else lambda function: function
    modules["numba"].prange = range
    modules["numba"].set_num_threads = None
    modules["jetnet.datasets"].JetNet = None
    package = ModuleType("jetnet")
    folders = [Path(path) / "jetnet" for path in sys.path if (Path(path) / "jetnet").is_dir()]
    vars(package).update(__path__=[str(folders[0])], utils=None, datasets=None)
    sys.modules["jetnet"] = package
    evaluation = ModuleType("jetnet.evaluation")
    vars(evaluation)["__path__"] = [str(folders[0] / "evaluation")]
    sys.modules["jetnet.evaluation"] = evaluation
    from jetnet.evaluation import gen_metrics  # type: ignore[import-not-found]

    return gen_metrics


def _bounded_fit() -> float:
    """The intercept of jetnet's fit to :func:`small_points`."""
    metrics = _jetnet()
    bounds = ([0, 0], [np.inf, np.inf])
    found, _ = metrics.curve_fit(metrics._linear, *small_points(), bounds=bounds)
    return float(found[0])


def _distances(kind: str) -> dict[str, Any]:
    """jetnet's distances of two samples."""
    metrics = _jetnet()
    first, second = samples(kind)
    scaled = metrics._normalise_features(first, second)
    points: list[Any] = []
    fit = metrics.curve_fit

    def watched(line: Any, x: Any, y: Any, **options: Any) -> Any:
        points.append(np.array(y).tolist())
        return fit(line, x, y, **options)

    metrics.curve_fit = watched
    value, _ = metrics.fpd(
        first, second, min_samples=SMALLEST, max_samples=LARGEST, num_batches=20, seed=SEED
    )
    metrics.curve_fit = fit
    batches = metrics._kpd_batches(*scaled, 10, 50, SEED)
    median, spread = metrics.kpd(first, second, num_batches=10, batch_size=50, seed=SEED)
    moments = []
    for sample in scaled:
        moments += [sample.mean(axis=0), np.cov(sample, rowvar=False)]
    return {
        "frechet distance": float(metrics._calculate_frechet_distance(*moments)),
        "points": points[0],
        "fpd": float(value),
        "kernel distance": float(metrics._mmd_poly_quadratic_unbiased(*scaled)),
        "batches": [float(one) for one in batches],
        "kpd": [float(median), float(spread)],
    }


def _neighbours(kind: str) -> dict[str, float]:
    """Precision, recall, density and coverage by scikit-learn's nearest neighbours."""
    from sklearn.neighbors import NearestNeighbors

    first, second = samples(kind)
    reaches = []
    for sample in (first, second):
        search = NearestNeighbors(algorithm="brute").fit(sample)
        reaches.append(search.kneighbors(n_neighbors=NEIGHBOURS)[0][:, -1])
    distances, which = (
        NearestNeighbors(algorithm="kd_tree").fit(first).kneighbors(second, n_neighbors=len(first))
    )
    within = distances < reaches[0][which]
    back, other = (
        NearestNeighbors(algorithm="kd_tree").fit(second).kneighbors(first, n_neighbors=len(second))
    )
    return {
        "precision": float(np.mean(within.any(axis=1))),
        "recall": float(np.mean((back < reaches[1][other]).any(axis=1))),
        "density": float(within.sum() / (NEIGHBOURS * len(second))),
        "coverage": float(np.mean(back[:, 0] < reaches[0])),
    }


def _isotonic() -> dict[str, list[float]]:
    """scikit-learn's isotonic regression of labels on scores, some of them equal."""
    from sklearn.isotonic import IsotonicRegression

    scores, labels, places = calibration()
    fitted = IsotonicRegression(out_of_bounds="clip", y_min=1e-6, y_max=1 - 1e-6)
    fitted.fit(scores, labels)
    return {"values": fitted.predict(places).tolist()}


def calibration() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Scores and labels to fit, and places to evaluate the fit."""
    scores = np.round(np.mod(np.arange(1, 201) * STEPS[0], 1.0), 2)
    labels = (np.mod(np.arange(1, 201) * STEPS[1], 1.0) < scores).astype(np.float64)
    return scores, labels, np.linspace(-0.2, 1.2, 57)


if __name__ == "__main__":
    found: dict[str, Any] = {"isotonic": _isotonic()}
    # scikit-learn comes first: it would take the stand-ins for the true packages.
    found |= {sort: {"neighbours": _neighbours(sort)} for sort in ("far", "near")}
    for sort in ("far", "near"):
        found[sort] |= _distances(sort)
    found["bounded fit"] = _bounded_fit()
    FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
