"""The tables of the study ``qag``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qgen_core.studies import MISSING, NONE, SPACE, Results, Table, plus_minus
from qgen_hep.studies.qag import grid
from qgen_hep.studies.qag.published import MMD, MMD_ERROR
from qgen_hep.studies.qag.readings import MEDIAN, NAMES, biased_null, root
from qgen_hep.studies.qag.selection import (
    CLASSICAL,
    CONFIGURATIONS,
    MODEL_NAMES,
    Configuration,
    Data,
    drifts_of,
    null_of,
    part,
    repeats,
    scales_of,
    seeds_of,
    settings,
    tuned,
)
from qgen_hep.studies.shared.summary import OVER_SEEDS, absent, of_first

PUBLISHED = f"{MMD:g}{SPACE}±{SPACE}{MMD_ERROR:g}"
#: Configurations in the table of readings: what stands for the document, and the best of each kind.
READ = {
    "circuit, cobyla": ("qag", "cobyla, common", 2),
    "circuit, adam": ("qag", "adam", 2),
    "network, adam": ("network", "adam", 2),
    "circuit, frozen": ("frozen", "adam", 2),
    "Gaussian": ("gaussian", "adam", 2),
}
OF_CONTROLS = (
    "Network, by the same trainer, and Gaussian: of the first table, which noise of a circuit does "
    "not change."
)


def tables(results: Results) -> list[Table]:
    """All of them."""
    return [
        _reproduction(results),
        _readings(results),
        _noise(results),
        _drift(results),
        _tunings(results),
        _differences(results),
    ]


def _measure(which: str, name: str) -> Callable[[Any], float]:
    return lambda data: float(data[which][name])


def _reproduction(results: Results) -> Table:
    rows: list[tuple[str, ...]] = []
    for configuration in CONFIGURATIONS:
        found = seeds_of(results, configuration)
        rows.append(
            (
                configuration.text,
                configuration.trainer if configuration.model in grid.TRAINED else NONE,
                configuration.encoding,
                found.summary(_parameters).text(".0f") if found else NONE,
                found.summary(_evaluations(configuration)).text(".0f") if found else NONE,
                found.summary(_measure("encoded", "mmd2")).text(),
                found.summary(_measure("decoded", "mmd2")).text(),
                found.summary(_measure("encoded", "correlation loss")).text(),
                found.summary(_measure("encoded", "mse")).text(),
                found.summary(_measure("decoded", "chi2/ndf")).text(),
            )
        )
    for encoding in grid.ENCODERS:
        rows.append(_null_row(results, encoding))
    rows.append(("document 004", "cobyla", NONE, NONE, "600", PUBLISHED, *[NONE] * 4))
    columns = (
        "model",
        "trainer",
        "encoding",
        "parameters",
        "evaluations",
        "MMD²",
        "MMD², decoded",
        "correlation loss",
        "MSE of mean images",
        "chi2/ndf of energy sum",
    )
    notes = (
        "MMD²: unbiased, kernel exp(-d² / (2 b²)), b the median distance of training events; of "
        "encoded images, or of energies in standard deviations of each pixel. All against the test "
        f"events. {OVER_SEEDS}.",
        f"The document gives MMD = {PUBLISHED} and says neither its kernel, bandwidth, estimator "
        "and encoding nor whether it is squared; clic8 and the events are stand-ins. The next "
        "table has every reading.",
        "Training against test: mean and standard deviation over 40 draws of as many training as "
        "test events.",
        "Circuit and network are given the same random numbers: normal, of variance "
        f"{grid.VARIANCE:g}, one a pixel. Network: tanh of a local linear layer, as many "
        "parameters as the circuit. Frozen: the circuit at its start values. Gaussian: mean and "
        "covariance of the encoded training events. cobyla draws new images in each evaluation; "
        "common: always the same 50 and the same random numbers. adam, long: "
        f"{grid.LONG['steps']} steps of {grid.LONG_IMAGES} images without shots.",
    )
    return Table("The document's training and its controls", columns, tuple(rows), notes)


def _null_row(results: Results, encoding: str) -> tuple[str, ...]:
    data = null_of(results, encoding)
    text = MISSING
    if data is not None:
        mean, deviation = data["sizes"][str(data["test events"])][MEDIAN]
        text = plus_minus(mean[0], deviation[0])
    return ("training against test", NONE, encoding, NONE, NONE, text, *[NONE] * 4)


def _parameters(data: Data) -> float:
    return float(data["parameters"])


def _evaluations(configuration: Configuration) -> Callable[[Any], float]:
    if configuration.model not in grid.TRAINED:
        return lambda data: 0.0
    of_step = grid.EVALUATIONS_OF[configuration.trainer]
    return lambda data: float(data["steps"] * of_step)


def _readings(results: Results) -> Table:
    rows = []
    for encoding in grid.ENCODERS:
        data = null_of(results, encoding)
        for kernel in NAMES:
            for estimator, size in (("unbiased", None), ("biased", None), ("biased", grid.IMAGES)):
                rows.append(_reading(results, data, (encoding, kernel, estimator, size)))
    columns = (
        "encoding",
        "kernel",
        "estimator",
        "training against test",
        *READ,
        "2.41e-3 as MMD²",
        "as MMD",
    )
    notes = (
        "Kernel: b of exp(-d² / (2 b²)) in the units of the encoding, the median distance "
        f"({_medians(results)}), or the mixture: the mean of exp(-d² / s), s = 0.1, 1, 10, 100. "
        "All numbers are squared; on all test events, or for sets of 50 images, where the biased "
        "estimate of larger sets is corrected for its bias.",
        "As MMD², as MMD: how the published number compares if it is squared, or a root. Below, at "
        "the null: less than, or within one standard deviation of, what the data themselves give, "
        "training against test. Reached by: models whose mean over seeds is not above it. Not "
        "reached: by none of these. Circuit, cobyla: with common random numbers.",
    )
    return Table("Readings of the published MMD", columns, tuple(rows), notes)


def _medians(results: Results) -> str:
    found = []
    for encoding in grid.ENCODERS:
        data = null_of(results, encoding)
        if data is not None:
            found.append(f"{encoding} {data['median']:.3g}")
    return ", ".join(found) or MISSING


def _reading(
    results: Results, null: Data | None, reading: tuple[str, str, str, int | None]
) -> tuple[str, ...]:
    encoding, kernel, estimator, size = reading
    which = ("unbiased", "biased").index(estimator)
    text = MISSING
    of_null = (np.nan, np.nan)
    values: dict[str, float] = {}
    if null is not None:
        count = size or null["test events"]
        mean, deviation = null["sizes"][str(count)][kernel]
        text = plus_minus(mean[which], deviation[which])
        of_null = (mean[which] - deviation[which], mean[which] + deviation[which])
    texts = []
    for name, (model, trainer, layers) in READ.items():
        found = seeds_of(results, Configuration(model, trainer, layers, encoding))
        number = _number_of(kernel, which, size, null)
        texts.append(found.summary(number).text() if null is not None else absent(found))
        data = found.values()
        if data and null is not None:
            values[name] = float(np.mean([number(one) for one in data]))
    label = estimator if size is None else f"{estimator}, {size} images"
    return (
        encoding,
        kernel,
        label,
        text,
        *texts,
        _verdict(of_null, values, float),
        _verdict(of_null, values, root),
    )


def _number_of(
    kernel: str, which: int, size: int | None, null: Data | None
) -> Callable[[Any], float]:
    """The estimate of a model's data, for sets of ``size`` images or of all test events."""

    def number(data: Any) -> float:
        unbiased, biased = data["readings"][kernel]
        if size is not None and null is not None:
            return biased_null(size, unbiased, biased, null["test events"])
        return float((unbiased, biased)[which])

    return number


def _verdict(
    of_null: tuple[float, float], values: dict[str, float], form: Callable[[float], float]
) -> str:
    """How the published number compares with the range of the null and with the models.

    >>> _verdict((0.0, 0.001), {"Gaussian": 0.002, "network": 0.004}, float)
    'reached by Gaussian'
    >>> _verdict((0.002, 0.003), {"Gaussian": 0.004}, float)
    'at the null'
    """
    low, high = of_null
    if np.isnan(low):
        return MISSING
    if form(low) > MMD:
        return "below the null"
    if form(high) >= MMD:
        return "at the null"
    names = []
    for name, value in values.items():
        if form(value) <= MMD:
            names.append(name)
    if names:
        return f"reached by {'; '.join(names)}"
    return "not reached"


def _at(scale: float, name: str = "mmd2") -> Callable[[Any], float]:
    return lambda data: float(data["scales"][f"{scale:g}"][name])


def _noise(results: Results) -> Table:
    rows = []
    for scale in scales_of(results):
        clean = repeats(results, 0.0)
        noisy = repeats(results, scale)
        rows.append(
            (
                MODEL_NAMES["qag"],
                f"{scale:g}",
                noisy.summary(_at(scale)).text(),
                clean.summary(_at(scale)).text(),
                _difference(results, scale),
                noisy.summary(_at(scale, "correlation loss")).text(),
                clean.summary(_at(scale, "correlation loss")).text(),
            )
        )
    for scale in scales_of(results):
        frozen = repeats(results, 0.0, "frozen")
        rows.append(
            (
                MODEL_NAMES["frozen"],
                f"{scale:g}",
                NONE,
                frozen.summary(_at(scale)).text(),
                NONE,
                NONE,
                frozen.summary(_at(scale, "correlation loss")).text(),
            )
        )
    for configuration in CLASSICAL:
        distance, loss = _distance_and_loss(seeds_of(results, configuration))
        rows.append((configuration.text, NONE, NONE, distance, NONE, NONE, loss))
    columns = (
        "model",
        "x",
        "trained and evaluated under noise",
        "trained without, evaluated under noise",
        "difference",
        "correlation loss, trained under noise",
        "trained without",
    )
    notes = (
        f"The noise of {grid.DEVICE} (emulated) times x (mode semigroup), trainer cobyla with "
        "common random numbers, 2048 shots a pixel, drawn from its exact expectation. MMD² as in "
        "the first table, ± is the standard deviation over repeats. The document's x are only in "
        "its figure; these are ours.",
        "Difference: trained under noise minus trained without, mean over pairs of the same seed, "
        "with its standard error.",
        f"{OF_CONTROLS} Frozen circuits have as many repeats as the trained ones.",
    )
    return Table("Noise (figure 6)", columns, tuple(rows), notes)


def _difference(results: Results, scale: float) -> str:
    """The mean over seeds of the difference of the two scenarios, with its standard error."""
    pairs = []
    for result in repeats(results, scale):
        partner = repeats(results, 0.0).where(seed=result.cell.tags["seed"]).first()
        noisy = result.data()
        if partner is not None and noisy is not None:
            pairs.append(_at(scale)(noisy) - _at(scale)(partner))
    if not scale:
        return NONE
    if len(pairs) < 2:
        return MISSING
    error = np.std(pairs, ddof=1) / np.sqrt(len(pairs))
    return plus_minus(float(np.mean(pairs)), float(error))


def _drift(results: Results) -> Table:
    rows = []
    for size in (grid.UNCHANGED, *grid.DRIFTS):
        rows.append(_drift_row(results, "qag", size))
    for size in grid.DRIFTS:
        rows.append(_drift_row(results, "frozen", size))
    for configuration in CLASSICAL:
        found = seeds_of(results, configuration)
        level = found.summary(_measure("encoded", "mmd2")).text()
        rows.append((configuration.text, NONE, level, NONE, NONE, NONE, NONE))
    columns = (
        "model",
        "drift",
        "at the calibration",
        "change at others",
        "largest change",
        "change when trained again",
        "draws",
    )
    notes = (
        "MMD² of trainings under the noise of the device (x = 1). Rates of each other calibration "
        "differ by up to this fraction. Changes: from the value at the calibration, mean over "
        "draws; the largest is that of all draws, without its sign. Trained again from the trained "
        f"parameters with rhobeg = {grid.RETRAINING_RADIUS:g}; at drift 0 the calibration is the "
        f"same, so that the training only goes on. {OVER_SEEDS}.",
        OF_CONTROLS,
    )
    return Table("Drift of the calibration", columns, tuple(rows), notes)


def _drift_row(results: Results, model: str, size: float) -> tuple[str, ...]:
    found = drifts_of(results, model, size)
    again = NONE
    if model in grid.TRAINED:
        again = found.summary(_change("after")).text()
    draws = of_first(found, lambda data: len(data["before"]))
    return (
        MODEL_NAMES[model],
        f"{size:g}",
        found.summary(lambda data: float(data["at the calibration"])).text(),
        found.summary(_change("before")).text(),
        found.summary(_largest_change).text(),
        again,
        draws or absent(found),
    )


def _change(when: str) -> Callable[[Any], float]:
    return lambda data: float(np.mean(data[when]) - data["at the calibration"])


def _largest_change(data: Any) -> float:
    return float(np.abs(np.array(data["before"]) - data["at the calibration"]).max())


def _tunings(results: Results) -> Table:
    rows = []
    for setting in settings():
        ansatz, layers, variance = setting
        row = [ansatz, NONE if ansatz == "mera-up" else f"{layers}", f"{variance:g}"]
        for model in ("qag", "network"):
            found = tuned(results, model, setting)
            row += [_fixed(found), *_distance_and_loss(found)]
        row += _distance_and_loss(tuned(results, "frozen", setting))
        rows.append(tuple(row))
    gaussian = _distance_and_loss(seeds_of(results, Configuration("gaussian", "adam")))
    rows.append(("Gaussian", NONE, NONE, NONE, *gaussian, *[NONE] * 5))
    columns = (
        "ansatz",
        "layers",
        "variance",
        "parameters",
        "MMD²",
        "correlation loss",
        "parameters, network",
        "MMD², network",
        "correlation loss, network",
        "MMD², frozen",
        "correlation loss, frozen",
    )
    notes = (
        "One setting changed at a time, adam. Network: of the same random numbers and as many "
        f"parameters as the circuit, or of the nearest number. {OVER_SEEDS}.",
    )
    return Table("Tunings", columns, tuple(rows), notes)


def _fixed(found: Results) -> str:
    """The number of parameters, the same for all seeds."""
    return of_first(found, _parameters, ".0f") or absent(found)


def _distance_and_loss(found: Results) -> list[str]:
    return [
        found.summary(_measure("encoded", "mmd2")).text(),
        found.summary(_measure("encoded", "correlation loss")).text(),
    ]


def _differences(results: Results) -> Table:
    seeds_text = _count(seeds_of(results, Configuration("qag", "cobyla")))
    repeats_text = NONE
    if part(results, "noise"):
        repeats_text = _count(repeats(results, scales_of(results)[-1]))
    rows = (
        ("events", "electrons of 225 to 275 GeV, CLIC", "the same energies, geometry of our own"),
        ("ansatz", "clic8, in a figure only", "stand-in: RY and CNOT chain, 2 layers"),
        ("images, shots, sigma²", "50, 2048, 0.5", "the same"),
        ("shots", "joint on a simulator", "binomial from exact expectations"),
        ("cobyla", "tol 0.004, rhobeg 5.593, 600 epochs", "the same, ends by its tolerance"),
        ("MMD", "kernel not given", "unbiased, median; all readings in a table"),
        ("encoding", "not given", "min-max to expectations, or arccos"),
        ("noise", "ibm_fez, rescaled, x in a figure", f"x = {', '.join(_scales(results))}"),
        ("repeats of figure 6", "30", repeats_text),
        ("seeds", "not given", seeds_text),
        ("left out of this setting", NONE, _left_out(results)),
    )
    return Table("Against the document", ("what", "document 004", "here"), rows)


def _scales(results: Results) -> list[str]:
    return [f"{scale:g}" for scale in scales_of(results)] or [NONE]


def _count(results: Results) -> str:
    """How many of the cells have been run."""
    if not results:
        return NONE
    run = len(results) - results.missing
    if results.missing:
        return f"{run} of {len(results)}"
    return str(run)


def _left_out(results: Results) -> str:
    absent_parts = []
    for name in ("reproduction", "noise", "drift", "tuning"):
        if not part(results, name):
            absent_parts.append(name)
    return ", ".join(absent_parts) or "nothing"
