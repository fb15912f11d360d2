"""Pages and plots of docs/benchmarks/ from a full run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import opening, plots, tables
from benchmarks.catalog import PEERS, QGEN

#: The figure that opens the page.
FIGURE = "ten-rows.png"
SECTIONS = (
    (
        "training/",
        "Training steps against peers, one thread",
        "All 2^Q probabilities, the Jensen-Shannon divergence, and the gradient of all "
        "parameters. `brick` is ansatz 1 "
        "with 6 layers, `tree` ansatz 2 with 12. First call: building, compiling and one step. "
        "The limit is the "
        "arithmetic one: 116 flops a pair of amplitudes and three-angle rotation (28 forward, 28 "
        "to un-compute, 28 for "
        "the adjoint state, 32 for the overlap) at the peak rate of one core, measured in the "
        "same rounds.",
    ),
    (
        "batch/",
        "Batches of inputs, one thread",
        "Expectations of Z on every wire; `backward` adds gradients of parameters and inputs. "
        "`chain`: RY by the "
        "inputs and 24 parameters on 8 wires; `brick`: 6 layers on 8 wires; `layer`: 2 strongly "
        "entangling layers on 6 "
        "wires.",
    ),
    (
        "sampling/",
        "A million samples of 12 wires from given probabilities, one thread",
        "As counts, as outcome numbers, as columns of bits. Every sampler's draws passed a "
        "chi-square test first.",
    ),
    (
        "whole/",
        "Whole trainings, first calls, memory",
        "`qgen train` with the recipe of the demo: reading and encoding events, 300 steps, "
        "history, checkpoints; only "
        "imports are left out. Each repeat is a process of its own.",
    ),
    (
        "threads/",
        "Threads",
        "The same work with one thread, with two, and with the engine's own choice.",
    ),
    (
        "adapters/",
        "Backends against their SDK called by hand, one thread",
        "64 inputs of the chain of 24 parameters on 8 wires: all probabilities, or the gradients "
        "of parameters and "
        "inputs for expectations of Z; `noisy` with depolarizing channels after every gate; "
        "`shots`: 1,000,000 of one "
        "circuit. Outputs are compared before timing.",
    ),
    (
        "noise/",
        "The noise of a device, two threads",
        "50 inputs of the same chain under the stored calibration of ibm_fez, on the 8 qubits and "
        "with the 1- and "
        "2-wire gates that our noise model chooses; Aer takes its own errors for them. Emulation, "
        "no device.",
    ),
    (
        "qag/",
        "A Quantum Angle Generator, one thread",
        "The loss of 50 images of 8 pixels with 2048 shots each, 24 parameters: an evaluation, and "
        "our whole training of 600 evaluations with COBYLA. `joint` measures all pixels together, "
        "`binomial` draws the shots of each from its exact expectation. The peers are given the "
        "same random angles each time, and no optimiser. `fez`: the stored calibration of ibm_fez; "
        "Aer has its gate errors, without readout errors. Emulation, no device.",
    ),
    (
        "hybrid/",
        "Layers in networks of torch, one thread",
        "A layer of strongly entangling gates, 2 deep, after a rotation by an input on every "
        "wire: torch tensors in "
        "and out, gradients of parameters and inputs. 6 wires for 32 inputs, 8 wires for 256. "
        "`jax alone` never "
        "enters torch, so a network around it would be jax's.",
    ),
    (
        "gan/",
        "A conditional GAN against a bare loop of torch, one thread",
        "The same networks, optimisers and batches: 6 features and a condition, three hidden "
        "layers of 128. Time of a "
        "step in a short training; generation of 200,000 events.",
    ),
    (
        "gibbs/",
        "Gibbs sampling, two threads",
        "All contestants update every spin of as many chains as often. `bipartite-1024`: 1024 + "
        "1024 spins, all coupled; the limit is the time of the matrix products of floats, in "
        "float32. `gibbs` looks sums of four products up in tables; `torch-gibbs` (float32) is "
        "held against torch's products alone, in the last row. thrml and D-Wave's torch plugin "
        "hold a number for each edge of each chain, about 18 and 32 GiB here, and were left out. "
        "`zephyr-12`: the graph of a Zephyr 12 chip, 4800 spins of degree 20. Each sampler was "
        "checked by a chi-square against all states of 11 spins. D-Wave's samplers have one "
        "thread.",
    ),
    (
        "rbm/",
        "An epoch of a restricted Boltzmann machine, two threads",
        "784 visible and 256 hidden units, 60,000 events of a fixed machine, batches of 100 and as "
        "many persistent chains. Each side has the best of a few learning rates. Compare times at "
        "equal pseudo-likelihoods: that of a sixth of an epoch of ours with that of a whole one of "
        "scikit-learn.",
    ),
    (
        "iqp/",
        "A training step of diagonal circuits, one thread",
        "All one- and two-body angles: 200 words of 1, 2 and 4 wires on average against 500 "
        "events, value and all gradients. `qgen` is exact, the others draw 500 sign vectors; "
        "`two matrix products` (float64) are those of the sign vectors with the matrix of all "
        "pairs. Phox computes in float32; at 1000 wires it takes 22 GiB, at 4000 it is left out. "
        "iqpopt is not on the package index.",
    ),
    (
        "flows/",
        "Flows, one thread",
        "`step` and `sampling`: 10 columns, 8 couplings of splines with 8 bins, batches of 512, "
        "10,000 events drawn in blocks of 2048. The numbers of parameters are matched before "
        "anything is compared. `qinn`: steps with batches of 10, and 2 layers on 6 wires in each "
        "of 2 couplings; the twin has a classical network of equal parameters in the place of each "
        "circuit. `cfm`: 10,000 events of 10 columns; `dit`: 50 events of 368 "
        "columns in 23 tokens. Their networks are not trained; what they take does not depend on "
        "it, except for the evaluations of `dopri5`.",
    ),
)


def write(results: dict[str, Any], folder: Path) -> None:
    """opening.md for docs/engine-benchmarks.md, results.md with all tables and claims for
    docs/benchmark-tables.md, and the plots of both.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_opening(results, folder)
    images = plots.draw(results, folder)
    parts = [
        "# Tables of the benchmarks",
        "Made by `make bench`; the run, its machine and its versions are named here.",
        tables.facts(results),
        "## Targets",
        tables.claims(results),
        "## Curves",
    ]
    parts += [f"![{title}]({name})" for name, title in images]
    for prefix, title, words in SECTIONS:
        parts += [f"## {title}", words]
        if prefix == "training/":
            parts += ["\n".join(f"- **{p.label}**: {p.how}" for p in (QGEN, *PEERS))]
        for case in results["cases"]:
            if case["id"].startswith(prefix):
                parts += [f"### {case['id'].removeprefix(prefix)}", tables.case(case)]
    if results["problems"]:
        parts += ["## Problems of this run", "\n".join(f"- {p}" for p in results["problems"])]
    (folder / "results.md").write_text("\n\n".join(parts) + "\n")


def write_opening(results: dict[str, Any], folder: Path) -> None:
    """opening.md with the ten rows that matter, and their figure ten-rows.png."""
    opening.draw(results, folder / FIGURE)
    met = [claim["met"] for claim in results["claims"]]
    parts = [
        "# Benchmarks",
        "How many times as long as qgen its fastest peer takes, measured in the same session. "
        "Lines reach from the ratio with the quartiles that are worst for qgen to that with the "
        "best ones. The tables say how many threads a case has and how its results were compared.",
        f"![Times of the fastest peers over those of qgen]({FIGURE})",
        opening.table(results),
        f"Targets: {met.count(True)} met, {met.count(False)} missed, {met.count(None)} not "
        "measured. `make bench` repeats all of it, and `make bench CASE=flows/` one group.",
    ]
    (folder / "opening.md").write_text("\n\n".join(parts) + "\n")
