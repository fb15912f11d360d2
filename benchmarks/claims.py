"""The targets, each held against what was measured. Nothing here is written down in advance but the
targets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.catalog import COMPLEX

Results = dict[str, Any]
Claim = dict[str, Any]
NOT_MEASURED = "not measured in this mode"


def check(results: Results) -> list[Claim]:
    """Every claim as target, reached, met (None where it was not measured)."""
    cases = {case["id"]: case for case in results["cases"]}
    return [
        *_speed(cases),
        *_limit(cases),
        *_batch(cases),
        *_sampling(cases),
        *_whole(cases),
        *_threads(cases),
        *_parts(cases),
        *_adapters(cases),
        *_noise(cases),
        *_hybrid(cases),
        *_gan(cases),
        *_gibbs(cases),
        *_qag(cases),
        *_rbm(cases),
        *_iqp(cases),
        *_flows(cases),
        *_care(results),
    ]


def _claim(target: str, reached: str | None, met: bool | None) -> Claim:
    return {"target": target, "reached": reached or NOT_MEASURED, "met": met if reached else None}


def row_of(case: dict[str, Any] | None, label: str, precision: str = "") -> dict[str, Any] | None:
    """The measured row with this label."""
    rows = case["rows"] if case else []
    return next(
        (r for r in rows if r["label"] == label and r["precision"] == precision and "median" in r),
        None,
    )


def _speed(cases: dict[str, Any]) -> Iterator[Claim]:
    for ansatz, wires, factor in (
        ("brick", 8, 3),
        ("brick", 12, 3),
        ("brick", 16, 4),
        ("brick", 20, 6),
        ("tree", 8, 3),
        ("tree", 12, 3),
    ):
        case = cases.get(f"training/{ansatz}/{wires}")
        for precision, name in COMPLEX.items():
            target = (
                f"training step, {ansatz}, {wires} wires, {name}: "
                f"at least {factor} times the fastest peer"
            )
            mine = row_of(case, "qgen", precision)
            peers = [
                r
                for r in (case or {"rows": []})["rows"]
                if r["precision"] == precision
                and "median" in r
                and not r["label"].startswith("qgen")
            ]
            if mine is None or not peers:
                yield _claim(target, None, None)
                continue
            best = min(peers, key=lambda r: r["median"])
            ratio = best["median"] / mine["median"]
            yield _claim(target, f"{ratio:.1f} times {best['label']}", ratio >= factor)


def _limit(cases: dict[str, Any]) -> Iterator[Claim]:
    for wires, factor in ((12, 3), (16, 2), (20, 2)):
        case = cases.get(f"training/brick/{wires}")
        mine = row_of(case, "qgen", "single")
        target = (
            f"training step, brick, {wires} wires, complex64: "
            f"at most {factor} times the arithmetic limit"
        )
        if case is None or mine is None:
            yield _claim(target, None, None)
            continue
        ratio = mine["median"] / case["limit"]["single"]
        yield _claim(target, f"{ratio:.2f} times", ratio <= factor)


def _below(
    case: dict[str, Any] | None, label: str, precision: str, target: str, seconds: float
) -> Claim:
    row = row_of(case, label, precision)
    if row is None:
        return _claim(target, None, None)
    return _claim(target, duration(row["median"]), row["median"] < seconds)


def duration(seconds: float) -> str:
    """Seconds, milliseconds or microseconds with three digits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} us"


def _batch(cases: dict[str, Any]) -> Iterator[Claim]:
    for name, label, what, limit in (
        (
            "chain/forward",
            "qgen",
            "50 inputs, chain of 24 parameters, 8 wires, 8 expectations",
            1e-3,
        ),
        ("brick/forward", "qgen", "50 inputs, brick of 6 layers, 8 wires, 8 expectations", 6e-3),
        (
            "layer/backward",
            "qgen, engine only",
            "32 inputs, 6 wires, 2 layers, both ways inside the engine",
            3e-4,
        ),
    ):
        for precision, kind in COMPLEX.items():
            target = f"{what}, {kind}: under {duration(limit)}"
            yield _below(cases.get(f"batch/{name}"), label, precision, target, limit)


def _sampling(cases: dict[str, Any]) -> Iterator[Claim]:
    for kind, limit in (("counts", 1e-3), ("indices", 20e-3), ("bits", 40e-3)):
        target = f"1,000,000 samples of 12 wires as {kind}: under {duration(limit)}"
        yield _below(cases.get(f"sampling/{kind}"), "qgen", "", target, limit)


def _whole(cases: dict[str, Any]) -> Iterator[Claim]:
    for wires, limit in ((8, 0.5), (12, 2.0)):
        target = (
            f"300 steps of ansatz 1 through `qgen train`, {wires} wires, "
            f"without imports: under {limit} s"
        )
        yield _below(
            cases.get(f"whole/training/{wires}"),
            "qgen train, 300 steps, without imports",
            "",
            target,
            limit,
        )
    for kind, limit in (("cold", 10.0), ("warm", 0.3)):
        worst = [
            r["median"]
            for w in (8, 12)
            if (
                r := row_of(
                    cases.get(f"whole/first-call/{w}"),
                    f"first training step, {kind} cache",
                    "double",
                )
            )
        ]
        target = f"first call without imports, {kind} cache: under {limit} s"
        yield _claim(
            target, duration(max(worst)) if worst else None, max(worst, default=0.0) < limit
        )
    case = cases.get("whole/memory/20")
    above = max((r["megabytes_above_imports"] for r in case["rows"]), default=0.0) if case else 0.0
    target = "memory of a training step at 20 wires: under 200 MB above the process after imports"
    yield _claim(target, f"{above:.0f} MB" if case else None, above < 200)
    row = row_of(cases.get("whole/memory/24"), "training step, two threads", "double")
    reached = (
        f"{duration(row['median'])} a step, {row['megabytes_above_imports']:.0f} MB"
        if row
        else None
    )
    yield _claim("24 wires train on this machine", reached, row is not None)


def _threads(cases: dict[str, Any]) -> Iterator[Claim]:
    for name, what in (
        ("brick/20", "20 wires"),
        ("batch/50", "a batch of 50"),
        ("batch/1000", "a batch of 1000"),
    ):
        case = cases.get(f"threads/{name}")
        ratios, words = [], []
        for precision, kind in COMPLEX.items():
            one, two, pair = (
                row_of(case, label, precision)
                for label in ("qgen, 1 thread", "qgen, 2 threads", "qgen, two processes, each")
            )
            if one and two:
                ratios.append(one["median"] / two["median"])
                most = f", two processes {one['median'] / pair['median']:.2f}" if pair else ""
                rounds = (
                    ", round by round {median:.2f}".format(**two["gain"]) if "gain" in two else ""
                )
                words.append(f"{ratios[-1]:.2f} times ({kind}{rounds}{most})")
        target = f"two cores, {what}: at least 1.6 times one"
        yield _claim(target, ", ".join(words) or None, all(r >= 1.6 for r in ratios))


def _parts(cases: dict[str, Any]) -> Iterator[Claim]:
    """With and without; what has to hold is that the result is the same."""
    for wires in (8, 12):
        case = cases.get(f"training/tree/{wires}")
        words, differences = [], []
        for precision, name in COMPLEX.items():
            apart, whole = (
                row_of(case, "qgen (in parts)", precision),
                row_of(case, "qgen (not in parts)", precision),
            )
            if apart and whole:
                in_parts = duration(apart["median"])
                as_one = duration(whole["median"])
                times = f"{in_parts} in parts, {as_one} as one state"
                words.append(f"{times} ({name})")
                differences += [whole["agreement"]] if precision == "double" else []
        target = f"ansatz 2, {wires} wires, part by part: exact (1e-8), with and without reported"
        yield _claim(target, "; ".join(words) or None, all(d <= 1e-8 for d in differences))


def _adapters(cases: dict[str, Any]) -> Iterator[Claim]:
    for name in (
        "pennylane/probabilities",
        "pennylane/gradient",
        "lightning/probabilities",
        "lightning/gradient",
        "qiskit-statevector/probabilities",
        "aer/probabilities",
        "aer/noisy",
        "aer/shots",
        "cirq/probabilities",
        "qsim/probabilities",
    ):
        case = cases.get(f"adapters/{name}")
        precision = "single" if name.startswith("qsim") else "double"
        ours, hand = row_of(case, "qgen's adapter", precision), row_of(case, "by hand", precision)
        ratio = ours["median"] / hand["median"] if ours and hand else 0.0
        reached = f"{ratio:.2f} times" if ratio else None
        yield _claim(f"{name}: at most 1.1 times the SDK called by hand", reached, ratio <= 1.1)


def _noise(cases: dict[str, Any]) -> Iterator[Claim]:
    case = cases.get("noise/fez")
    for kind, limit in (("expectations", 0.1), ("distributions", 0.4)):
        target = f"50 inputs under the noise of ibm_fez, {kind}: at most {limit} s"
        yield _below(case, f"qgen density, {kind}, 2 threads", "double", target, limit)


def _hybrid(cases: dict[str, Any]) -> Iterator[Claim]:
    for precision, kind in COMPLEX.items():
        target = f"hybrid layer, 6 wires, 2 layers, batch 32, both ways, {kind}: at most 700 us"
        yield _below(cases.get("hybrid/6"), "qgen", precision, target, 7e-4)
    for name, what in (("hybrid/6", "6 wires, batch 32"), ("hybrid/8", "8 wires, batch 256")):
        case = cases.get(name)
        for precision, kind in COMPLEX.items():
            mine, engine = (
                row_of(case, "qgen", precision),
                row_of(case, "qgen, backend torch", precision),
            )
            ratio = engine["median"] / mine["median"] if mine and engine else 0.0
            target = f"hybrid layer, {what}, {kind}: the default is not slower than backend `torch`"
            yield _claim(target, f"{ratio:.1f} times faster" if ratio else None, ratio >= 1)
    case = cases.get("hybrid/qinn")
    mine = row_of(case, "qgen", "double")
    peer = row_of(case, "PennyLane TorchLayer, default.qubit", "double")
    ratio = peer["median"] / mine["median"] if mine and peer else 0.0
    target = "the circuit of `qinn`, 6 wires, batch 10: at least 20 times as fast as default.qubit"
    yield _claim(target, f"{ratio:.0f} times" if ratio else None, ratio >= 20)


def _gan(cases: dict[str, Any]) -> Iterator[Claim]:
    for name, what, limit in (
        ("gan/step/512", "step of the conditional GAN, batch 512", 1.15),
        ("gan/step/8192", "step of the conditional GAN, batch 8192", 1.05),
        ("gan/generation", "generation by the conditional GAN", 1.2),
    ):
        case = cases.get(name)
        mine, bare = row_of(case, "qgen", "single"), row_of(case, "bare torch loop", "single")
        ratio = mine["median"] / bare["median"] if mine and bare else 0.0
        target = f"{what}: at most {limit} times a bare loop of torch"
        yield _claim(target, f"{ratio:.2f} times" if ratio else None, ratio <= limit)


def _flows(cases: dict[str, Any]) -> Iterator[Claim]:
    for name, what, factor in (
        ("flows/step", "a training step of a spline flow", 1.5),
        ("flows/sampling", "10,000 events of a spline flow", 2.0),
    ):
        case = cases.get(name)
        mine, bare, peer = (
            row_of(case, label, "single") for label in ("qgen", "bare zuko", "normflows")
        )
        target = f"{what}: at least {factor} times as fast as normflows, at equal parameters"
        ratio = peer["median"] / mine["median"] if mine and peer else 0.0
        yield _claim(target, f"{ratio:.2f} times" if ratio else None, ratio >= factor)
        target = f"{what}: at most 1.05 times bare zuko"
        ratio = mine["median"] / bare["median"] if mine and bare else 0.0
        yield _claim(target, f"{ratio:.2f} times" if ratio else None, ratio <= 1.05)
    case = cases.get("flows/qinn")
    mine, twin = (row_of(case, label, "single") for label in ("qinn", "its classical twin"))
    target = "a step of `qinn`: at most 1.5 times its classical twin; beside 36 ms of the document"
    reached = None
    ratio = 0.0
    if mine and twin:
        ratio = mine["median"] / twin["median"]
        reached = f"{ratio:.2f} times, {duration(mine['median'])}"
    yield _claim(target, reached, ratio <= 1.5)
    for name, solver in (("cfm", "rk4, 20 steps"), ("dit", "rk4, 20 steps")):
        case = cases.get(f"flows/{name}")
        row = row_of(case, solver, "single")
        reached = None
        if case is not None and row is not None:
            each = duration(row["median"] / case["events"])
            reached = f"{row['note']}, {each} each ({solver}, {case['columns']} columns)"
        yield _claim(f"`{name}`: evaluations and time of an event are stated", reached, True)


def _gibbs(cases: dict[str, Any]) -> Iterator[Claim]:
    bipartite = cases.get("gibbs/bipartite-1024")
    mine = row_of(bipartite, "qgen")
    target = "Gibbs sweeps of 1024 + 1024 spins: at most 0.8 times their matrix products"
    if bipartite is None or mine is None:
        yield _claim(target, None, None)
    else:
        ratio = mine["median"] / bipartite["limit"][""]
        yield _claim(target, f"{ratio:.2f} times", ratio <= 0.8)
    mine = row_of(bipartite, "torch-gibbs")
    products = row_of(bipartite, "matrix products of torch alone")
    target = (
        "`torch-gibbs`, 1024 + 1024 spins, 4096 chains, float32, two threads: at most 1.2 times "
        "torch's matrix products"
    )
    if mine is None or products is None:
        yield _claim(target, None, None)
    else:
        ratio = mine["median"] / products["median"]
        yield _claim(target, f"{ratio:.2f} times", ratio <= 1.2)
    zephyr = cases.get("gibbs/zephyr-12")
    mine = row_of(zephyr, "qgen")
    target = "Gibbs sweeps of a Zephyr 12: at least 4.5 times as fast as the fastest peer"
    if zephyr is None or mine is None:
        yield _claim(target, None, None)
    else:
        peers = [row["median"] for row in zephyr["rows"] if row is not mine and "median" in row]
        if peers:
            ratio = min(peers) / mine["median"]
            yield _claim(target, f"{ratio:.1f} times", ratio >= 4.5)
        else:
            yield _claim(target, None, None)


#: Seconds that the 600 evaluations of the angle generator may take, by case and drawing.
ANGLE_SECONDS = {
    ("qag/noiseless", "binomial"): 1.0,
    ("qag/noiseless", "joint"): 2.0,
    ("qag/fez", "binomial"): 2.5,
    ("qag/fez", "joint"): 4.5,
}


def _qag(cases: dict[str, Any]) -> Iterator[Claim]:
    for (name, drawing), most in ANGLE_SECONDS.items():
        label = f"qgen, {drawing}, training of 600 evaluations"
        row = row_of(cases.get(name), label, "double")
        target = f"{name}, {drawing} shots: 600 evaluations of 50 images in at most {most:g} s"
        if row is None:
            yield _claim(target, None, None)
        else:
            yield _claim(target, f"{row['median']:.2f} s", row["median"] <= most)


def _rbm(cases: dict[str, Any]) -> Iterator[Claim]:
    case = cases.get("rbm/784x256")
    for kind in ("float32", "float64"):
        mine = row_of(case, f"qgen, a sixth of an epoch, {kind}")
        peer = row_of(case, f"scikit-learn, {kind}")
        target = (
            f"a 784 x 256 machine, {kind}: at least 3 times as fast as scikit-learn to the "
            "likelihood that it reaches after an epoch"
        )
        if case is None or mine is None or peer is None:
            yield _claim(target, None, None)
        else:
            reached = case["log pseudo-likelihood"]
            ratio = peer["median"] / mine["median"]
            no_less = reached[mine["label"]] >= reached[peer["label"]]
            yield _claim(target, f"{ratio:.2f} times", ratio >= 3 and no_less)


#: Seconds that a step of diagonal circuits may take, by wires.
DIAGONAL_SECONDS = {64: 0.002, 256: 0.010, 1000: 0.050}


def _iqp(cases: dict[str, Any]) -> Iterator[Claim]:
    for wires, most in DIAGONAL_SECONDS.items():
        case = cases.get(f"iqp/{wires}")
        mine = row_of(case, "qgen")
        products = row_of(case, "two matrix products")
        target = (
            f"a step of diagonal circuits of {wires} wires: at most {1000 * most:g} ms, and 2.5 "
            "times two matrix products"
        )
        if mine is None or products is None:
            yield _claim(target, None, None)
        else:
            ratio = mine["median"] / products["median"]
            reached = f"{1000 * mine['median']:.2f} ms, {ratio:.2f} times"
            yield _claim(target, reached, mine["median"] <= most and ratio <= 2.5)
        peer = row_of(case, "Phox")
        if mine is not None and peer is not None:
            ratio = peer["median"] / mine["median"]
            target = f"a step of diagonal circuits of {wires} wires: at least 200 times Phox"
            yield _claim(target, f"{ratio:.0f} times", ratio >= 200)


def _care(results: Results) -> Iterator[Claim]:
    rows = [row for case in results["cases"] for row in case["rows"]]
    for precision, tolerance in (("double", 1e-8), ("single", 1e-4)):
        found = [
            row["agreement"] for row in rows if row["precision"] == precision and "agreement" in row
        ]
        target = (
            f"all contestants agree, {COMPLEX[precision]}: "
            f"within {tolerance:g} of the largest gradient"
        )
        yield _claim(
            target,
            f"{max(found):.1e} at most" if found else None,
            max(found, default=0.0) <= tolerance,
        )
    against = [
        r
        for case in results["cases"]
        if case["id"].startswith(("training/", "batch/", "sampling/"))
        for r in case["rows"]
        if "repeats" in r
    ]
    fewest = min((r["repeats"] for r in against), default=0)
    reached = f"{fewest} at least" if against and results["mode"] != "quick" else None
    yield _claim("20 repeats of every contestant", reached, fewest >= 20)
    if results["mode"] == "quick":
        yield _claim(
            "quick mode: under 5 minutes",
            f"{results['minutes']:.1f} minutes",
            results["minutes"] < 5,
        )
