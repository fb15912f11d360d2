"""Numbers in the prose of the studies' pages are those of the tables beside them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qgen_hep.studies.shared.paired import quantile

ROOT = Path(__file__).parents[2]
STUDIES = ROOT / "docs" / "studies"
Rows = list[dict[str, str]]


def table(study: str, title: str) -> Rows:
    """The rows of the table whose title begins so, each a mapping of column to text."""
    text = (STUDIES / study / "tables.md").read_text(encoding="utf-8")
    text = text.replace("\u00a0", " ")  # no-break spaces
    (section,) = (part for part in text.split("\n### ") if part.startswith(title))
    lines = [line for line in section.splitlines() if line.startswith("|")]
    names = [cell.strip() for cell in lines[0].strip("|").split("|")]
    rows = []
    for line in lines[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows.append(dict(zip(names, cells, strict=True)))
    return rows


def number(text: str) -> float:
    """The value of "1.5 ± 0.1"."""
    return float(text.split("±")[0])


def spread(text: str) -> float:
    """The deviation of "1.5 ± 0.1"."""
    return float(text.split("±")[1])


def rows_of(rows: Rows, **values: str) -> Rows:
    return [row for row in rows if all(row[name] == value for name, value in values.items())]


def ratios_of_d(title: str, ansatz: str, drawn: str) -> list[float]:
    """How many times the paper's D is larger than ours of as many shots."""
    ratios = []
    for row in rows_of(table("jets", title), ansatz=ansatz):
        if row["paper"] != "–":
            ratios.append(number(row["paper"]) / number(row[drawn]))
    return ratios


def the_size_of_d() -> list[str]:
    eight = ("Table I:", "the same, 8192 shots drawn")
    twelve = ("Table III:", "the same, 20000 shots drawn")
    second = ratios_of_d(eight[0], "2", eight[1])
    first = ratios_of_d(eight[0], "1", eight[1])
    large = ratios_of_d(twelve[0], "1", twelve[1]) + ratios_of_d(twelve[0], "2", twelve[1])
    every = [*second, *first, *large]
    assert min(every) > 1
    return [
        "Ours is smaller than the paper's throughout.",
        f"a factor of {min(second):.1f} to {max(second):.1f} for ansatz 2 at 8 qubits, of "
        f"{min(first):.1f} to {max(first):.1f} for ansatz 1, and of {min(large):.1f} to "
        f"{max(large):.1f} at 12 qubits",
    ]


def which_marginals() -> list[str]:
    means = []
    for title, column in (
        ("Table I:", "trained from 8192 shots"),
        ("Table III:", "trained from 20000 shots"),
    ):
        for ansatz in ("1", "2"):
            rows = rows_of(table("jets", title), ansatz=ansatz)
            values = [number(row[column]) for row in rows if row["start"] in ("zero", "Bell")]
            means.append(sum(values) / len(values))
    return [
        f"ansatz 1 is better at 8 qubits, with a D of {means[0]:.4f} against {means[1]:.4f}",
        f"they are equal at 12 qubits, with {means[2]:.4f} and {means[3]:.4f}",
    ]


def share_of_the_correlation() -> list[str]:
    ours = []
    paper = []
    exact = []
    for title, column in (
        ("Table II:", "ours, trained from 8192 shots"),
        ("Table IV:", "ours, trained from 20000 shots"),
    ):
        rows = rows_of(table("jets", title), pair="pt, mass")
        (events,) = rows_of(rows, of="events")
        target = number(events["ours, trained exactly"])
        for row in rows_of(rows, of="ansatz 1"):
            exact.append(number(row["ours, trained exactly"]) / target)
            if row["paper"] != "–":
                ours.append(number(row[column]) / target)
                paper.append(number(row["paper"]) / number(events["paper"]))
    below = sum(one < other for one, other in zip(ours, paper, strict=True))
    return [
        f"a share of {min(ours):.2f} to {max(ours):.2f} when trained from shots",
        f"a share of {min(paper):.2f} to {max(paper):.2f} of its own",
        f"below the paper's in {below} of the {len(ours)} rows",
        f"Trained exactly, the share is {min(exact):.2f} to {max(exact):.2f}",
    ]


def treatment_of_empty_bins() -> list[str]:
    rows = table("jets", "What becomes of bins without shots")
    factors: dict[str, list[float]] = {"8": [], "12": []}
    for qubits, found in factors.items():
        for ansatz in ("1", "2"):
            of_ansatz = rows_of(rows, qubits=qubits, ansatz=ansatz)
            values = [number(row["D exact"]) for row in of_ansatz]
            found.append(max(values) / min(values))
    return [
        f"a factor of up to {max(factors['8']):.1f}; at 12 qubits, by {min(factors['12']):.0f} to "
        f"{max(factors['12']):.0f}"
    ]


JS_OF_THE_DEVICES = "Jensen-Shannon divergence before and after tuning"
GAINS = "What noise costs and tuning regains"
#: The three configurations of the study jets-noise.
ONE, TWO, LARGE = (
    {"qubits": "8", "ansatz": "1"},
    {"qubits": "8", "ansatz": "2"},
    {"qubits": "12", "ansatz": "2"},
)
CONFIGURATIONS = (ONE, TWO, LARGE)


def text_of(number_text: str) -> str:
    """The mean of "1.5 ± 0.1" as it stands there."""
    return number_text.split("±")[0].strip()


def cell(title: str, column: str, moves: str = "single", **configuration: str) -> str:
    """A text of a table of the study jets-noise."""
    (row,) = rows_of(table("jets-noise", title), moves=moves, **configuration)
    return row[column]


def column_of(title: str, column: str) -> list[str]:
    """The means of the three configurations."""
    return [text_of(cell(title, column, **configuration)) for configuration in CONFIGURATIONS]


def least_after(configuration: dict[str, str]) -> str:
    """The least JS on the device after tuning, over both modes."""
    texts = []
    for moves in ("jacobi", "single"):
        texts.append(text_of(cell(JS_OF_THE_DEVICES, "after, noisy", moves, **configuration)))
    return min(texts, key=float)


def which_ansatz_on_the_device() -> list[str]:
    ideal = [float(text) for text in column_of(JS_OF_THE_DEVICES, "before, ideal")]
    noisy = [float(text) for text in column_of(JS_OF_THE_DEVICES, "before, noisy")]
    return [
        f"the difference of the JS grows from {ideal[1] - ideal[0]:.4f} to "
        f"{noisy[1] - noisy[0]:.4f}, and the ratio shrinks from {ideal[1] / ideal[0]:.1f} to "
        f"{noisy[1] / noisy[0]:.1f}"
    ]


def the_twin_of_the_jets() -> list[str]:
    rows = table("jets-noise", GAINS)
    ideal = [float(row["before, ideal / twin"]) for row in rows]
    noisy = [float(row["after, noisy / twin"]) for row in rows]
    assert min(ideal) > 1
    of_twin = column_of(JS_OF_THE_DEVICES, "twin")
    without_noise = column_of(JS_OF_THE_DEVICES, "before, ideal")
    after = [least_after(configuration) for configuration in CONFIGURATIONS]
    correlation = "Correlation of pT and mass before and after tuning"
    learned = column_of(correlation, "twin")
    marginals = "D of the marginals before and after tuning"
    of_born = [float(text) for text in column_of(marginals, "before, ideal")]
    d_of_twin = [float(text) for text in column_of(marginals, "twin")]
    on_device = [number(row["after, noisy"]) for row in table("jets-noise", marginals)]
    assert {f"{value:.4f}" for value in of_born} == {"0.0015"}
    return [
        f"have {min(ideal):g} to {max(ideal):g} times its JS, on the device after tuning "
        f"{min(noisy):g} to {max(noisy):g} times",
        f"a JS of {of_twin[0]}, {of_twin[1]} and {of_twin[2]} in the three configurations, where "
        f"the Born machines have {without_noise[0]}, {without_noise[1]} and {without_noise[2]} "
        f"without noise and at best {after[0]}, {after[1]} and {after[2]} on the device",
        f"the correlation of pT and mass, {min(learned)} to {max(learned)} of 0.303",
        f"D of the marginals is 0.0015 for all three, that of the twin {min(d_of_twin):.4f} to "
        f"{max(d_of_twin):.4f}; on the device theirs is {min(on_device):g} or more",
    ]


def what_tuning_regains() -> list[str]:
    rows = table("jets-noise", GAINS)
    second = rows_of(rows, ansatz="2")
    assert {row["seeds that improve"] for row in second} == {"5 of 5"}
    shares = [round(100 * number(row["share regained"])) for row in second]
    improved = [cell(GAINS, "seeds that improve", moves, **ONE) for moves in ("jacobi", "single")]
    assert improved == ["0 of 5", "2 of 5"]
    for row in rows_of(rows, ansatz="1"):
        mean, deviation = (float(text) for text in row["regained by tuning"].split("±"))
        assert abs(mean) < deviation
    correlation = "Correlation of pT and mass before and after tuning"
    lost = []
    for column in ("before, ideal", "before, noisy", "after, noisy"):
        lost.append(text_of(cell(correlation, column, **ONE)))
    first = text_of(cell("The tuning", "first loss", **ONE))
    least = text_of(cell("The tuning", "least loss", **ONE))
    return [
        f"Tuning regains {min(shares)} to {max(shares)} % of what the noise adds for ansatz 2, in "
        "all seeds; for ansatz 1 it gains nothing that exceeds the spread over seeds",
        "none of the five seeds has a lower JS after the tuning; if one moves at a time, two have",
        f"{lost[0]} without noise, {lost[1]} with it, {lost[2]} after tuning",
        f"The least *measured* loss, {least}, is below the first, {first}",
    ]


def the_frozen_circuits() -> list[str]:
    frozen = column_of(JS_OF_THE_DEVICES, "frozen, noisy")
    assert min(float(text) for text in frozen) > 0.217
    return [f"a JS of {frozen[0]}, {frozen[1]} and {frozen[2]} on the device"]


def the_width_of_the_landscape() -> list[str]:
    title = "Width of the landscape"
    noisy = [float(text) for text in column_of(title, "first, noisy")]
    ideal = [float(text) for text in column_of(title, "first, ideal")]
    shots = [float(text) for text in column_of(title, "shots")]
    left = [one / other for one, other in zip(noisy, ideal, strict=True)]
    of_shots = [one / other for one, other in zip(shots, noisy, strict=True)]
    return [
        f"to {min(left[:2]):.2f} to {max(left[:2]):.2f} of its width at 8 qubits and to "
        f"{left[2]:.2f} at 12",
        f"a width of {min(of_shots[:2]):.2f} to {max(of_shots[:2]):.2f} of the remaining one at 8 "
        f"qubits and of {of_shots[2]:.2f} at 12",
    ]


def the_numbers_of_parameters() -> list[str]:
    text = (STUDIES / "jets-noise" / "tables.md").read_text(encoding="utf-8")
    counts = re.findall(r"(\d+) angles, twin (\d+)", text)
    (first, second, large) = counts
    return [
        f"{first[1]} for {first[0]} angles, {second[1]} for {second[0]}, {large[1]} for {large[0]}"
    ]


def of_noise(model: str) -> list[str]:
    """The total variations of a row of the table of noise of the study mfc."""
    (row,) = rows_of(table("mfc", "Noise"), **{"conditional Born machine": model})
    return [row[f"TV, {energy} GeV"] for energy in (150, 175, 200)]


def the_twin_of_the_muons() -> list[str]:
    exact = of_noise("trained and run exactly")
    twin = of_noise("classical twin, trained and run exactly")
    assert number(twin[1]) < number(exact[1])
    assert number(twin[2]) > number(exact[2])
    for model in ("trained exactly, run with noise", "trained and run with noise"):
        pairs = zip(of_noise(model), twin, strict=True)
        assert all(number(ours) > number(theirs) for ours, theirs in pairs)
    return [
        f"{twin[1]} against {exact[1]}",
        f"it is at {text_of(twin[0])} and {text_of(twin[2])}, the Born machine at "
        f"{text_of(exact[0])} and {text_of(exact[2])} without noise; at 175 GeV it is at "
        f"{text_of(twin[1])}",
    ]


def the_noise_of_the_muons() -> list[str]:
    sentences = []
    for model, words in (
        ("trained exactly, run with noise", "about the document's numbers, between"),
        ("trained and run with noise", "lower ones, between"),
        ("not trained, run with noise", "starts from is at"),
    ):
        values = sorted(of_noise(model), key=number)
        joined = "to" if "is at" in words else "and"
        sentences.append(f"{words} {text_of(values[0])} {joined} {text_of(values[-1])}")
    return sentences


def the_neighbours() -> list[str]:
    rows = table("mfc", "Range of the encoding")
    column = "TV, 175 GeV"
    baselines = {}
    models = []
    for row in rows:
        if row["of"] == "–":
            baselines[row["angles"]] = row[column]
        else:
            models.append(row[column])
    nearest = baselines["the nearest beam's distribution"]
    mean = baselines["half of each beam's"]
    best = min(models, key=number)
    assert number(mean) < number(nearest) < number(best)
    return [
        f"closer to the one at 175 GeV than any of these Born machines, at {mean}, and so is the "
        f"nearest neighbour alone, at {nearest}; the best of them is at {best}"
    ]


def the_angle_generator() -> list[str]:
    rows = table("qag", "The document's training")

    def found(model: str, trainer: str, column: str = "MMD²", encoding: str = "min-max") -> str:
        (row,) = rows_of(rows, model=model, trainer=trainer, encoding=encoding)
        return row[column]

    gaussian = found("Gaussian", "–")
    best = found("circuit, 6 layers", "adam, long")
    circuits = [row["MMD²"] for row in rows if row["model"].startswith("circuit")]
    assert number(gaussian) < min(map(number, circuits)) == number(best)
    (at_four,) = rows_of(table("qag", "Noise"), model="circuit", x="4")
    frozen = rows_of(table("qag", "Noise"), model="circuit, frozen")
    of_frozen = [row["trained without, evaluated under noise"] for row in frozen]
    drift = {row["drift"]: row for row in rows_of(table("qag", "Drift"), model="circuit")}
    (again_at_0, again) = (drift[size]["change when trained again"] for size in ("0", "0.08"))
    assert abs(number(again) - number(again_at_0)) < spread(again)
    readings = table("qag", "Readings")
    (biased,) = rows_of(readings, encoding="min-max", kernel="median", estimator="biased")
    assert biased["2.41e-3 as MMD²"] == "at the null"
    assert all("null" in row["as MMD"] for row in readings)
    for row in rows_of(readings, encoding="min-max", estimator="unbiased"):
        if row["kernel"] in ("3", "10"):
            assert "circuit, adam" in row["2.41e-3 as MMD²"]
    return [
        f"MMD² is {found('circuit', 'cobyla')}: the search ends by its tolerance after "
        f"{found('circuit', 'cobyla', 'evaluations')} of 600",
        f"{found('circuit', 'cobyla, common')}, with Adam {found('circuit', 'adam')}. Training "
        f"against test events gives {found('training against test', '–')}",
        f"at {gaussian}, is better than every circuit",
        f"the best circuit, 6 layers trained by Adam without shots, has {best}",
        f"has {found('network', 'adam')}, as good as the circuit by Adam",
        f"with 56 parameters it is better, at {found('network, 6 layers', 'adam, long')}",
        f"at its start values it has {found('circuit, frozen', '–')}",
        f"by Adam is {found('circuit', 'adam', 'correlation loss')}, that of the Gaussian "
        f"{found('Gaussian', '–', 'correlation loss')}",
        f"is better by {at_four['difference'].lstrip('-')} (standard error of 30 pairs)",
        f"what the data themselves give, {biased['training against test']}",
        f"at their start values go from {of_frozen[0]} to {of_frozen[-1]}",
        f"by the same trainer has {found('network', 'cobyla, common')}, the Gaussian {gaussian}, "
        "both without noise",
        f"under the noise of the device ({drift['0.08']['at the calibration']}) are the same at 30 "
        f"other calibrations whose rates differ by up to 8 percent: the MMD² changes by "
        f"{drift['0.08']['change at others']}. Training again changes it by {again} there, and by "
        f"{again_at_0} at the calibration itself",
        *tunings_of_the_angle_generator(number(gaussian)),
    ]


def tunings_of_the_angle_generator(gaussian: float) -> list[str]:
    rows = table("qag", "Tunings")

    def tuned(
        ansatz: str = "clic8", layers: str = "2", variance: str = "0.5", column: str = "MMD²"
    ) -> str:
        (row,) = rows_of(rows, ansatz=ansatz, layers=layers, variance=variance)
        return row[column]

    by_ansatz = [row for row in rows if row["ansatz"] != "Gaussian"]
    assert all(number(row["MMD²"]) > 4 * gaussian for row in by_ansatz)
    assert all(number(row["MMD², frozen"]) > 9 * number(row["MMD²"]) for row in by_ansatz)
    by_layers = [number(tuned(layers=layers)) for layers in ("2", "3", "4")]
    assert 0.8 * by_layers[0] < by_layers[2] < by_layers[1] < by_layers[0]
    of_network = [
        tuned(variance=variance, column="MMD², network") for variance in ("0.05", "0.2", "0.5", "1")
    ]
    assert of_network == sorted(of_network, key=number)
    losses = [tuned(variance="0.2", column=f"correlation loss{of}") for of in ("", ", network")]
    assert 0.45 < number(losses[0]) / number(losses[1]) < 0.55
    return [
        f"of variance 0.2 give {tuned(variance='0.2')}, the document's 0.5 {tuned()}",
        f"({tuned(variance='1')} at 1, {tuned(variance='0.05')} at 0.05)",
        f"({tuned(layers='4')} with 4)",
        f"with twice the parameters, has {tuned('hardware-efficient')}",
        f"the variance ({of_network[0]} to {of_network[-1]})",
        f"with 48 parameters, at {tuned('hardware-efficient', column='MMD², network')}",
        f"{tuned(variance='0.2')} against {of_network[1]}",
    ]


#: The row of two samples of the stand-in in the tables of the study caloqvae.
FLOOR = "stand-in (floor)"


def the_showers() -> list[str]:
    told = table("caloqvae", "Reference against generated")
    distances = table("caloqvae", "Distances of observables")
    bounds = table("caloqvae", "Negative evidence")
    epochs = table("caloqvae", "Trained through")
    temperatures = table("caloqvae", "Temperature")
    (one,) = rows_of(table("caloqvae", "Milliseconds"), how="annealer, 1 events a programming")
    (many,) = rows_of(table("caloqvae", "Milliseconds"), how="annealer, 1000 events a programming")
    rbm, head, annealer = "RBM, Gibbs", "RBM, published head", "RBM, annealer (emulated)"
    frozen, factorised, plain = "RBM, frozen prior", "factorised prior", "plain VAE"
    species = ("e+", "γ", "π+")
    every = "all observables"

    def of(rows: Rows, showers: str, column: str) -> list[str]:
        """The numbers of a row for electrons, photons and pions."""
        found = []
        for row in rows:
            names = (row.get("showers"), row.get("showers generated by"), row.get("model"))
            if showers in names:
                found.append(text_of(row[column]))
        assert len(found) == len(species)
        return found

    def listed(texts: list[str]) -> str:
        return f"{texts[0]}, {texts[1]} and {texts[2]}"

    def range_of(column: str) -> str:
        found = [number(row[column]) for row in told if row["showers generated by"] != head]
        return f"{min(found):.3f} to {max(found):.3f}"

    verdicts: dict[tuple[str, str], list[str]] = {}
    for row in table("caloqvae", "The RBM against its controls"):
        texts = (
            row["distance of all observables"],
            row["AUC, cells"],
            row["negative bound [nats]"],
        )
        verdicts[row["species"], row["against"]] = [text.split(": ")[-1] for text in texts]
    unseen, better, worse = "no difference seen", "better", "worse"
    for one_species in species:
        models = [row for row in rows_of(distances, species=one_species) if row["showers"] != FLOOR]
        assert min(models, key=lambda row: number(row[every]))["showers"] == plain
    against_plain = [verdicts[one, plain] for one in species]
    assert [found[0] for found in against_plain] == [worse] * 3
    of_plain = [verdict for found in against_plain for verdict in found]
    assert better not in of_plain
    photons = [verdicts["γ", control] for control in (frozen, factorised)]
    assert photons == [[better] * 3] * 2
    electrons = [verdicts["e+", control] for control in (frozen, factorised)]
    assert electrons == [[unseen] * 3] * 2
    assert verdicts["π+", frozen] == [better, unseen, unseen]
    assert verdicts["π+", factorised] == [unseen, better, worse]
    assert [verdicts[one, annealer][0] for one in species] == [unseen, unseen, better]
    assert [verdicts[one, annealer][1] for one in species] == [unseen] * 3
    differences = {}
    for row in rows_of(table("caloqvae", "Species told apart"), pair="e+ against γ"):
        differences[row["showers generated by"], row["network of"]] = row["difference"]
    betas = {}
    for anneal in ("0.2", "20"):
        column = f"beta, anneals of {anneal} us"
        betas[anneal] = [text_of(row[column]) for row in temperatures]
    to_simulated = "all observables, to Geant4"
    floor = [row for row in distances if row["showers"] == FLOOR]
    nats = "log Z: AIS"

    def change(showers: str, network: str) -> str:
        return differences[showers, network].replace("\u00a0", " ")

    return [
        f"an AUC of {listed(of(told, head, 'AUC, cells'))} for electrons, photons and pions",
        f"the same model has {listed(of(told, rbm, 'AUC, cells'))}, and the mean distance of "
        f"observables falls from {listed(of(distances, head, every))} to "
        f"{listed(of(distances, rbm, every))}",
        f"AUCs are {range_of('AUC, cells')} by the network of cells and "
        f"{range_of('AUC, observables')} by that of observables",
        f"Its distances are {listed(of(distances, plain, every))}, the least of all rows, against "
        f"{listed(of(distances, rbm, every))} of the RBM",
        f"Of 9 differences to it, {of_plain.count(worse)} are seen, all in its favour",
        f"the mean distance of observables is {of(distances, rbm, every)[1]}, against "
        f"{of(distances, frozen, every)[1]} with the frozen prior and "
        f"{of(distances, factorised, every)[1]} with the factorised one",
        f"the bound is {of(bounds, rbm, nats)[1]} nats, against {of(bounds, frozen, nats)[1]} and "
        f"{of(bounds, factorised, nats)[1]}",
        f"for pions the distance is {of(distances, rbm, every)[2]}, against "
        f"{of(distances, frozen, every)[2]} and {of(distances, factorised, every)[2]}",
        f"the bound of the factorised prior, {of(bounds, factorised, nats)[2]} nats, is better "
        f"than that of the RBM, {of(bounds, rbm, nats)[2]}, or "
        f"{of(bounds, rbm, 'log Z: reverse AIS estimate')[2]} by reverse annealing",
        f"The distances are {listed(of(distances, annealer, every))} with the emulated annealer, "
        f"{listed(of(distances, rbm, every))} with Markov chains",
        f"{change(rbm, 'cells')} points for the network of cells and "
        f"{change(rbm, 'observables')} for that of observables, with the published head by "
        f"{change(head, 'cells')} and {change(head, 'observables')}, with the plain autoencoder by "
        f"{change(plain, 'cells')} and {change(plain, 'observables')}",
        f"the stand-in itself is {floor[0][to_simulated]} from them, the RBM's showers "
        f"{of(distances, rbm, to_simulated)[0]}",
        f"from {epochs[0]['cosine']} after the first epoch to {epochs[-1]['cosine']} after the "
        f"last, where two sets of chains have {epochs[-1]['cosine, chains alone']}",
        f"between {min(betas['20'])} and {max(betas['20'])} after slow anneals and between "
        f"{min(betas['0.2'])} and {max(betas['0.2'])} after fast ones",
        f"{one['e+']} ms an event with one event a programming and {many['e+']} ms with 1,000",
    ]


FLOOR_OF_CALO = "true events (floor)"
GAUSSIAN_OF_CALO = "Gaussian (control)"
SPLINES_OF_CALO = "inn, splines"
FLOWS_OF_CALO = (SPLINES_OF_CALO, "inn, affine", "cfm", "dit")
#: Flows of full showers, but for spline couplings.
TRANSFORMERS_OF_CALO = ("dit", "staged, inn + dit")
OTHERS_OF_CALO = ("inn, affine", "cfm", "staged, inn + cfm")
AUCS = ("AUC, low", "AUC, high")


def mean(text: str) -> str:
    """The text of the value of "1.5 ± 0.1"."""
    return text.split(" ±")[0]


def of_calo(place: str, name: str, model: str) -> str:
    """The mean over seeds of a number of a model, e.g. of "photons, full showers"."""
    (row,) = rows_of(table("calo", f"Measures: {place}"), showers=model)
    return mean(row[name])


def between_of_calo(place: str, name: str, models: tuple[str, ...]) -> str:
    found = sorted((of_calo(place, name, model) for model in models), key=float)
    return f"{found[0]} to {found[-1]}"


def both_of_calo(place: str, name: str, models: tuple[str, str]) -> str:
    return f"{of_calo(place, name, models[0])} and {of_calo(place, name, models[1])}"


def verdict_of_calo(place: str, name: str, model: str) -> str:
    """What the paired difference to true events says."""
    sample, task = place.split(", ")
    rows = table("calo", "Against true events")
    (row,) = rows_of(rows, sample=sample, task=task, showers=model)
    return row[name].split(": ")[1]


def told_of_calo(place: str, model: str) -> list[str]:
    """The networks whose AUC is seen to differ from that of true events."""
    return [name for name in AUCS if verdict_of_calo(place, name, model) != "no difference seen"]


def the_layer_energies_by_flows() -> list[str]:
    photons, positrons = "photons, layer energies", "e+, layer energies"
    told = 0
    for place in (photons, positrons):
        for model in FLOWS_OF_CALO:
            told += len(told_of_calo(place, model))
    floor, control = FLOOR_OF_CALO, GAUSSIAN_OF_CALO
    return [
        f"{between_of_calo(photons, 'S2', FLOWS_OF_CALO)} for photons, where true events have "
        f"{of_calo(photons, 'S2', floor)} and the Gaussian {of_calo(photons, 'S2', control)}",
        f"{between_of_calo(positrons, 'S2', FLOWS_OF_CALO)} for positrons, where they have "
        f"{of_calo(positrons, 'S2', floor)} and {of_calo(positrons, 'S2', control)}",
        f"an AUC of {between_of_calo(photons, 'AUC, high', FLOWS_OF_CALO)} for photons and of "
        f"{between_of_calo(positrons, 'AUC, high', FLOWS_OF_CALO)} for positrons",
        f"Of their 16 AUCs {told} are seen to differ from those of true events",
    ]


def the_full_showers_by_flows() -> list[str]:
    photons, positrons = "photons, full showers", "e+, full showers"
    for place in (photons, positrons):
        for model in (SPLINES_OF_CALO, *TRANSFORMERS_OF_CALO, *OTHERS_OF_CALO):
            assert verdict_of_calo(place, "S2", model) == "worse"
    splines, transformers, others = SPLINES_OF_CALO, TRANSFORMERS_OF_CALO, OTHERS_OF_CALO
    floor, control = FLOOR_OF_CALO, GAUSSIAN_OF_CALO
    assert all(float(of_calo(positrons, "AUC, low", model)) > 0.9 for model in transformers)
    for place, nearest in ((photons, (*transformers, splines)), (positrons, (splines,))):
        powers = {}
        for model in (splines, *transformers, *others):
            powers[model] = float(of_calo(place, "S2", model))
        ranked = sorted(powers, key=powers.__getitem__)
        assert set(ranked[: len(nearest)]) == set(nearest)
    told = sum(len(told_of_calo(photons, model)) for model in transformers)
    protocol = {row["network of"]: row["AUC"] for row in table("calo", "The full protocol")}
    return [
        f"`dit` alone and after `inn` has a separation power of "
        f"{both_of_calo(photons, 'S2', transformers)}, where true events have "
        f"{of_calo(photons, 'S2', floor)}; networks of voxels tell them from held-out events with "
        f"an AUC of {both_of_calo(photons, 'AUC, low', transformers)}, networks of high-level "
        f"features with {both_of_calo(photons, 'AUC, high', transformers)}",
        "There `dit` alone and after `inn` has "
        f"{both_of_calo(positrons, 'S2', transformers)}, true events "
        f"{of_calo(positrons, 'S2', floor)}",
        f"a separation power of {of_calo(photons, 'S2', splines)} for photons and "
        f"{of_calo(positrons, 'S2', splines)} for positrons, and AUCs of "
        f"{of_calo(photons, 'AUC, low', splines)} and {of_calo(positrons, 'AUC, low', splines)} "
        f"by voxels, {of_calo(photons, 'AUC, high', splines)} and "
        f"{of_calo(positrons, 'AUC, high', splines)} by features",
        f"AUCs are {protocol['low']} by voxels and {protocol['high']} by features",
        f"{between_of_calo(photons, 'S2', others)} for photons and "
        f"{between_of_calo(positrons, 'S2', others)} for positrons, the Gaussian "
        f"{of_calo(photons, 'S2', control)} and {of_calo(positrons, 'S2', control)}",
        f"Of these four AUCs {told} are seen to differ from those of true events, and both "
        "separation powers are larger",
    ]


def the_gan_of_showers() -> list[str]:
    for place in (
        "photons, layer energies",
        "photons, full showers",
        "e+, layer energies",
        "e+, full showers",
    ):
        rows = [row for row in table("calo", f"Measures: {place}") if row["S2"] != "–"]
        for name in ("S2", "FPD"):
            assert max(rows, key=lambda row: float(mean(row[name])))["showers"] == "wgan"
    return ["has the largest separation power and FPD of every table"]


def the_features_of_showers() -> list[str]:
    families = {}
    for row in table("calo", "Separation power by feature"):
        families[row["sample"], row["showers"]] = {name: mean(row[name]) for name in row}
    staged = ("staged, inn + cfm", "staged, inn + dit")
    compared = (*staged, "cfm", "dit", FLOOR_OF_CALO)
    layers = [families["photons", model]["E_layer"] for model in compared]
    of_e = [families["e+", model]["E_tot/E_inc"] for model in compared]
    sparse = [families["e+", model]["sparsity"] for model in (FLOOR_OF_CALO, SPLINES_OF_CALO)]
    rest = [families["e+", model]["sparsity"] for model in (*OTHERS_OF_CALO, *TRANSFORMERS_OF_CALO)]
    rest.sort(key=float)
    powers = {}
    for row in table("calo", "Distances to Geant4"):
        powers[row["sample"], row["task"], row["showers"]] = mean(row["S2"])
    whole = "full showers"
    own = [powers[sample, whole, "the stand-in itself"] for sample in ("photons", "e+")]
    splines = [powers[sample, whole, SPLINES_OF_CALO] for sample in ("photons", "e+")]
    return [
        f"a separation power of {sparse[1]} with spline couplings and of {rest[0]} to {rest[-1]} "
        f"with the other flows, against {sparse[0]} of true",
        f"{layers[0]} and {layers[1]} for the two chains, against {layers[2]} and {layers[3]} "
        f"where one network makes both; true events have {layers[4]}",
        f"{of_e[0]} and {of_e[1]}, against {of_e[2]} and {of_e[3]}; true events have {of_e[4]}",
        f"{own[0]} for photons and {own[1]} for positrons, that of the showers by spline couplings "
        f"{splines[0]} and {splines[1]}, and of photons by `dit` {powers['photons', whole, 'dit']}",
    ]


def the_time_of_showers() -> list[str]:
    models = (SPLINES_OF_CALO, "inn, affine", "cfm", "dit", "wgan")
    place = "photons, full showers"
    all_at_once = [of_calo(place, "ms, largest batch", model) for model in models]
    one = [of_calo(place, "ms, batch 1", model) for model in models]
    return [
        f"{all_at_once[0]} ms with spline couplings, {all_at_once[1]} with affine ones, "
        f"{all_at_once[2]} by `cfm`, {all_at_once[3]} by `dit` and {all_at_once[4]} by `wgan`; one "
        f"by one {one[0]}, {one[1]}, {one[2]}, {one[3]} and {one[4]}",
    ]


def the_reversible_circuits() -> list[str]:
    energies = {row["events"]: row for row in table("reversible", "Layer energies: measures")}
    mass = {row["events"]: row for row in table("reversible", "Z mass: measures")}
    both = (energies, mass)
    inversion = {}
    for row in table("reversible", "How far giqnn is invertible"):
        inversion[row["sample"], row["model"]] = row
    differences = {}
    for row in table("reversible", "Differences of NLL"):
        differences[row["sample"], row["model"]] = row
    floor = "true events (floor)"
    quantum = ("reversible-circuit", "phase-qft", "giqnn", "giqnn, hybrid")

    def apart(sample: str, model: str, other: str) -> bool:
        """Whether the mean over 5 seeds is seen to differ from 0."""
        text = differences[sample, model][f"less {other}"]
        return abs(number(text)) > quantile(5) * spread(text) / 5**0.5

    def normalised(rows: dict[str, dict[str, str]], model: str) -> str:
        return rows[model]["NLL, normalised"]

    samples = ("Layer energies", "Z mass")
    for rows in both:  # nothing is better than inn
        assert all(
            number(normalised(rows, "inn")) < number(normalised(rows, model)) for model in quantum
        )
    not_worse = [(s, m) for s in samples for m in quantum if not apart(s, m, "inn")]
    assert not_worse == [("Z mass", "giqnn, hybrid")]
    alike = [(s, m) for s in samples for m in quantum if not apart(s, m, "frozen")]
    hybrid = [(sample, "giqnn, hybrid") for sample in samples]
    assert sorted(alike) == sorted([*hybrid, ("Z mass", "giqnn")])
    assert not apart("Layer energies", "phase-qft", "histogram")
    assert all(row["verdict"] == "not invertible" for row in inversion.values())
    fidelities = [row["mean fidelity"] for row in inversion.values()]
    trips = [row["worst round trip"] for row in inversion.values()]
    plain = inversion["Z mass", "giqnn"]
    ahead = inversion["Layer energies", "giqnn"]
    assert number(mass["giqnn"]["NLL"]) < number(mass["inn"]["NLL"])
    of_hybrid = [differences[one]["less frozen"] for one in hybrid]
    drawn = [differences["Layer energies", model]["less frozen"] for model in quantum[:2]]
    drawn += [differences["Z mass", model]["less frozen"] for model in quantum[:2]]
    return [
        f"NLL of {normalised(energies, 'inn')} for the layer energies and of "
        f"{normalised(mass, 'inn')} for the mass",
        f"{normalised(energies, 'giqnn, hybrid')} of `giqnn` with couplings, "
        f"{normalised(energies, 'phase-qft')} of `phase-qft`, "
        f"{normalised(energies, 'histogram')} of the histogram, "
        f"{normalised(energies, 'giqnn')} of `giqnn` alone and "
        f"{normalised(energies, 'reversible-circuit')} of `reversible-circuit`",
        f"{normalised(mass, 'histogram')} of the histogram, "
        f"{normalised(mass, 'giqnn, hybrid')}, {normalised(mass, 'reversible-circuit')}, "
        f"{normalised(mass, 'phase-qft')} and {normalised(mass, 'giqnn')}",
        f"correlation of {energies[floor]['correlation']}; `giqnn` has "
        f"{energies['giqnn']['correlation']}, `reversible-circuit` "
        f"{energies['reversible-circuit']['correlation']}, `phase-qft` "
        f"{energies['phase-qft']['correlation']} and the histogram "
        f"{energies['histogram']['correlation']}",
        f"by {of_hybrid[0]} for the layer energies and {of_hybrid[1]} for the mass",
        f"Alone it is ahead by {differences['Layer energies', 'giqnn']['less frozen']} for the "
        f"layer energies, and by {differences['Z mass', 'giqnn']['less frozen']}, which is "
        "nothing, for the mass",
        f"by {min(drawn, key=number)} to {max(drawn, key=number)}",
        f"mean fidelities of {min(map(number, fidelities)):.5f} to "
        f"{max(map(number, fidelities)):.5f} worst round trips are {min(map(number, trips)):g} to "
        f"{max(map(number, trips)):g}",
        f"NLL is {mass['giqnn']['NLL']}, below that of `inn`. But its integral is "
        f"{plain['integral']}, and {plain['folded']} of the events are on a fold",
        f"without folds and with an integral of {ahead['integral']}",
        f"chi2/ndf of {mass['giqnn']['chi2/ndf, mass']}, where true events have "
        f"{mass[floor]['chi2/ndf, mass']}",
    ]


def all_models() -> list[str]:
    rows = {}
    for task in ("layer energies", "full showers"):
        for row in table("models", f"Quality and cost: {task}"):
            rows[task, row["showers"]] = row
    energies, showers = "layer energies", "full showers"
    floor, in_bits = "true events (floor)", "true events, in bits"

    def of(name: str, model: str, task: str = energies) -> str:
        return text_of(rows[task, model][name])

    def below(task: str, first: tuple[str, ...], second: tuple[str, ...]) -> bool:
        largest = max(number(of(layers, model, task)) for model in first)
        return largest < min(number(of(layers, model, task)) for model in second)

    def listed(name: str, models: tuple[str, ...], task: str = energies) -> str:
        texts = [of(name, model, task) for model in models]
        return f"{', '.join(texts[:-1])} and {texts[-1]}"

    def range_of(name: str, models: tuple[str, ...], task: str = energies) -> str:
        texts = sorted((of(name, model, task) for model in models), key=number)
        return f"{texts[0]} to {texts[-1]}"

    layers, loss, time = "S2(E_layer)", "correlation loss", "ms, largest batch"
    bits = ("qcbm", "reversible-circuit", "nade")
    drawn = ("qcbm, frozen", "reversible-circuit, frozen")
    qinns = ("qinn", "qinn, network", "qinn, frozen")
    gans = ("style-qgan", "mlp-generator")
    angles = ("qag", "noise-mlp")
    autoencoders = ("hybrid-vae", "hybrid-vae, classical", "rbm-vae")
    untrained = "hybrid-vae, frozen"
    flows = ("inn", *qinns, "cfm")
    rest = ("dit", *gans, *angles, *autoencoders, untrained, *bits, *drawn, "wgan", "Gaussian")
    assert below(energies, flows, rest)
    assert below(energies, gans, (*angles, *autoencoders, *bits, *drawn, "wgan", "Gaussian"))
    chances = [number(of("AUC (low)", model)) for model in (*flows, "dit")]
    assert all(abs(chance - 0.5) < 0.02 for chance in chances)
    assert below(showers, ("qinn, network",), ("cfm", "dit", "inn", "qinn", *autoencoders))
    times = {
        model: number(of(time, model))
        for task, model in rows
        if task == energies
        if model not in (floor, in_bits)
    }
    slow = sorted(times, key=lambda model: times[model])
    assert slow[-2:] == ["cfm", "dit"]
    simulated = {}
    for row in table("models", "Distances to Geant4: layer energies"):
        simulated[row["showers"]] = text_of(row[layers])
    twins = table("models", "Quantum models, twins")
    verdicts = [row["against the twin"] for row in twins]
    worse = [row for row in twins if row["against the twin"] == "worse"]
    assert "better" not in verdicts
    behind = [f"{row['model']} ({row['number']})" for row in worse if row["task"] == energies]
    in_showers = [f"{row['model']} ({row['number']})" for row in worse if row["task"] == showers]
    trained = {}
    for model in ("qinn", "hybrid-vae"):
        against_drawn = rows_of(twins, model=model)
        assert "worse" not in [row["against the frozen one"] for row in against_drawn]
        better = [row for row in against_drawn if row["against the frozen one"] == "better"]
        trained[model] = [(row["task"], row["number"]) for row in better]
    assert trained["qinn"] == [(energies, "FPD"), (showers, "FPD")]
    assert trained["hybrid-vae"] == [(energies, layers)]
    gaussian = number(of(loss, "Gaussian"))
    assert all(number(of(loss, model)) > gaussian for model in (*autoencoders, "dit"))
    voxels = "S2(voxels)"
    others = (*autoencoders, untrained, *qinns, "cfm", "dit")
    assert all(
        number(of(voxels, model, showers)) > 5 * number(of(voxels, "inn", showers))
        for model in others
    )
    larger = number(of("parameters", "inn", showers)) / number(of("parameters", "qinn", showers))
    return [
        f"Of {len(twins)} differences to twins none is in favour of the quantum model, and "
        f"{len(worse)} are in favour of the twin",
        f"for layer energies {', '.join(behind)}; for full showers {', '.join(in_showers)}",
        f"about {0.05 * len(twins):.0f} of them would be seen by chance",
        f"S2(E_layer) of {range_of(layers, flows)}, where true events have {of(layers, floor)} "
        f"and the Gaussian {of(layers, 'Gaussian')}",
        f"an AUC of {range_of('AUC (low)', (*flows, 'dit'))}, true events {of('AUC (low)', floor)}",
        f"has {of(layers, 'qinn')} with its circuit, {of(layers, 'qinn, network')} with the "
        f"network and {of(layers, 'qinn, frozen')} with the circuit as it was drawn; the "
        f"correlation losses are {listed(loss, qinns)}",
        f"For full showers it has {listed(layers, qinns, showers)} in this order",
        f"{of('FPD', 'qinn')} instead of {of('FPD', 'qinn, frozen')} for layer energies and "
        f"{of('FPD', 'qinn', showers)} instead of {of('FPD', 'qinn, frozen', showers)} for full "
        "showers",
        f"{listed('parameters', ('qag', 'style-qgan'))} parameters",
        f"have {listed(layers, ('qag', 'style-qgan'))}, their twins "
        f"{listed(layers, ('noise-mlp', 'mlp-generator'))}",
        f"{of(loss, 'qag')} of qag against {of(loss, 'noise-mlp')} of its twin, and "
        f"{of(loss, 'style-qgan')} of style-qgan against {of(loss, 'mlp-generator')}; true events "
        f"have {of(loss, floor)}, the Gaussian {of(loss, 'Gaussian')}",
        f"true events that were encoded and decoded have an S2(E_layer) of {of(layers, in_bits)}",
        f"of qcbm, reversible-circuit and nade are {listed(layers, bits)}",
        f"the untrained circuits have {listed(layers, drawn)}",
        f"{listed(loss, bits)} trained, {listed(loss, drawn)} untrained, "
        f"and {of(loss, in_bits)} for true events in bits",
        f"{of(layers, 'hybrid-vae')} for hybrid-vae, {of(layers, 'hybrid-vae, classical')} for its "
        f"twin and {of(layers, 'rbm-vae')} for rbm-vae, with correlation losses of "
        f"{listed(loss, autoencoders)}; dit has {of(loss, 'dit')}",
        f"seen in S2(E_layer) of layer energies alone, {of(layers, 'hybrid-vae')} instead of "
        f"{of(layers, untrained)}",
        f"{of(layers, 'qinn, network', showers)} for the twin of qinn, "
        f"{of(layers, 'dit', showers)} for dit, {of(layers, 'cfm', showers)} for cfm, "
        f"{listed(layers, ('hybrid-vae, classical', 'hybrid-vae', 'rbm-vae'), showers)} for the "
        f"autoencoders and {of(layers, 'inn', showers)} for inn, where true events have "
        f"{of(layers, floor, showers)} and the Gaussian {of(layers, 'Gaussian', showers)}",
        f"{of(voxels, 'inn', showers)}, against {range_of(voxels, others, showers)} of the others "
        f"and {of(voxels, floor, showers)} of true events",
        f"inn has {larger:.0f} times as many parameters as qinn",
        f"{of(layers, 'wgan')} for layer energies and {of(layers, 'wgan', showers)} for full "
        "showers",
        f"{of(time, 'cfm')} ms by cfm and {of(time, 'dit')} by dit, and at most "
        f"{times[slow[-3]]:g} by all others",
        f"{simulated['the stand-in itself']} from Geant4, what inn and cfm make "
        f"{simulated['inn']} and {simulated['cfm']}",
    ]


#: The circuit and its twin in the tables of the study claims.
CORES_OF_CLAIMS = ("circuit", "network (twin)")
#: The circuit and its twin in the tables of the study qinn.
CORES_OF_QINN = ("circuit, ring", "network (twin)")


def verdicts_of_qinn() -> dict[tuple[str, str, str, str], tuple[str, str]]:
    """Difference and verdict by kind, epochs, control and measure."""
    found = {}
    for row in table("qinn", "Does the circuit differ"):
        for measure, text in row.items():
            if "±" in text:
                value, verdict = text.split(": ")
                found[row["model"][0], row["epochs"], row["against"], measure] = (value, verdict)
    return found


def seen_of_qinn(word: str) -> set[tuple[str, str, str, str]]:
    """Where the circuit is better, or worse."""
    return {where for where, (_, verdict) in verdicts_of_qinn().items() if verdict == word}


def what_a_circuit_changes() -> list[str]:
    circuit, twin = CORES_OF_QINN
    verdicts = verdicts_of_qinn()
    better = seen_of_qinn("better")
    worse = seen_of_qinn("worse")
    unseen = seen_of_qinn("no difference seen")
    assert len(verdicts) == len(better) + len(worse) + len(unseen)
    bridges = {("A", "2000", twin, name) for name in ("S2", "chi2/ndf", "W1", "W1 of layers")}
    printed = {("B", "200", "circuit, linear", name) for name in ("S2", "W1")}
    controls = ("circuit, linear", twin, "tanh", "cosine")
    layers = {("C", "200", control, "W1 of layers") for control in controls}
    assert worse == bridges | printed | layers
    assert better == {("B", "200", "cosine", "W1")}
    energies = {}
    for row in table("qinn", "Layer energies of photons"):
        energies[row["model"], row["epochs"]] = row
    names = {"A": "A: GAN, module frozen", "B": "B: GAN, end to end", "C": "C: flow"}

    def of(kind: str, core: str, column: str, epochs: str = "2000") -> str:
        return energies[f"{names[kind]}, {core}", epochs][column]

    floor = energies["true events (floor)", "–"]
    gaussian = energies["Gaussian (control)", "–"]
    gans = [row["S2"] for (model, _), row in energies.items() if model.startswith(("A:", "B:"))]
    gans = sorted(map(text_of, gans), key=float)
    assert float(gans[0]) > 5 * number(gaussian["S2"])
    for core in CORES_OF_QINN:
        assert number(of("C", core, "NLL", "200")) < number(of("C", core, "NLL"))
        added = number(of("C", core, "S2 to Geant4")) - number(floor["S2 to Geant4"])
        assert added < spread(of("C", core, "S2 to Geant4"))
    return [
        f"Of {len(verdicts)} differences to controls {len(better) + len(worse)} are seen, where "
        f"chance alone shows {0.05 * len(verdicts):.1f} on average. In {len(better)} of them the "
        f"circuit is better, in {len(worse)} it is worse",
        f"an S2 of {of('A', circuit, 'S2')} with the circuit and of {of('A', twin, 'S2')} with "
        "the twin",
        f"an S2 of {of('B', circuit, 'S2')} with the circuit, {of('B', twin, 'S2')} with the twin",
        f"an NLL of {of('C', circuit, 'NLL', '200')} with the circuit and of "
        f"{of('C', twin, 'NLL', '200')} with the twin",
        f"the difference of {verdicts['C', '200', twin, 'NLL'][0]} is not seen",
        f"After 2,000 it is {of('C', circuit, 'NLL')} and {of('C', twin, 'NLL')}, that of the "
        f"training events {of('C', circuit, 'NLL, training events')} and "
        f"{of('C', twin, 'NLL, training events')}",
        f"between {gans[0]} and {gans[-1]}, where the Gaussian has {text_of(gaussian['S2'])} and "
        f"true events {text_of(floor['S2'])}",
        f"the flow has an S2 of {text_of(of('C', circuit, 'S2'))} with "
        f"{of('C', circuit, 'parameters')} parameters, and the GAN of the same circuits "
        f"{text_of(of('B', circuit, 'S2'))} with {of('B', circuit, 'parameters')}",
        f"with the twin it is {text_of(of('C', twin, 'S2'))}",
        f"have an S2 of {text_of(floor['S2 to Geant4'])} to Geant4, generated ones of C "
        f"{of('C', circuit, 'S2 to Geant4')} with the circuit and {of('C', twin, 'S2 to Geant4')} "
        "with the twin",
        f"takes {text_of(of('A', circuit, 'step, ms'))} ms in A, "
        f"{text_of(of('B', circuit, 'step, ms'))} ms in B and "
        f"{text_of(of('C', circuit, 'step, ms'))} ms in C, which is "
        f"{of('A', circuit, 'step / 36 ms')}, {of('B', circuit, 'step / 36 ms')} and "
        f"{of('C', circuit, 'step / 36 ms')} of the document's 36 ms; those of the twins take "
        f"{text_of(of('A', twin, 'step, ms'))}, {text_of(of('B', twin, 'step, ms'))} and "
        f"{text_of(of('C', twin, 'step, ms'))} ms",
    ]


def what_conditioners_buy() -> list[str]:
    better = seen_of_qinn("better")
    worse = seen_of_qinn("worse")
    assert len(better) == 1
    return [
        f"Of {len(verdicts_of_qinn())} differences one is in favour of the circuit and "
        f"{len(worse)} are against it",
    ]


def other_circuits_of_qinn() -> list[str]:
    others = table("qinn", "Other circuits, batches")
    flows = {}
    verdicts = []
    for row in others:
        size = (row["wires, layers"], row["batch"], row["training events"])
        if row["model"].startswith("C: flow"):
            flows[row["model"].removeprefix("C: flow, "), *size] = row
        if size != ("6, 2", "10", "1000"):  # those are in the table of differences
            for text in row.values():
                if ": " in text and "±" in text:
                    verdicts.append(text.split(": ")[1])
    circuit, twin = CORES_OF_QINN
    for (core, *size), row in flows.items():
        if core == circuit:
            assert number(flows[twin, *size]["NLL"]) < number(row["NLL"])
    assert "better" not in verdicts
    small = ("4, 1", "10", "1000")
    by_twin, verdict = flows[circuit, *small]["circuit - twin: NLL"].split(": ")
    assert verdict == "worse"

    for core in CORES_OF_QINN:
        for events in ("10000", "100000"):
            row = flows[core, "6, 2", "10", events]
            apart = abs(number(row["NLL"]) - number(row["NLL, training events"]))
            assert apart < spread(row["NLL"])

    def with_events(core: str) -> str:
        rows = [flows[core, "6, 2", "10", events] for events in ("10000", "100000")]
        return f"{rows[0]['NLL']} and {rows[1]['NLL']}"

    staged = {row["showers"]: row for row in table("qinn", "Full showers in two stages")}

    for stage in ("energies", "shapes"):
        verdict = staged[f"{stage} by qinn, {circuit}"]["circuit - twin: S2"]
        assert verdict.endswith("no difference seen")

    def pair(stage: str) -> str:
        found = [staged[f"{stage} by qinn, {core}"]["S2"] for core in CORES_OF_QINN]
        return " and its twin ".join(found)

    shapes = pair("shapes").replace(" its twin", "")
    return [
        f"Of {len(verdicts)} further differences {verdicts.count('worse')} are seen, all against "
        "the circuit",
        f"With 4 wires and 1 layer it has an NLL of {flows[circuit, *small]['NLL']}, its twin "
        f"{flows[twin, *small]['NLL']}, a difference of {by_twin}",
        f"with 10,000 and 100,000 training events an NLL of {with_events(circuit)}, its twin "
        f"{with_events(twin)}",
        f"the circuit has an S2 of {pair('energies')}, as the shape stage {shapes}; true showers "
        f"have {staged['true showers (floor)']['S2']}",
    ]


#: Products of so many cells, in the study hits.
ORDERS = ("pairs", "triples", "quadruples")


def hits_of(sample: str, table_title: str) -> dict[str, dict[str, str]]:
    """The rows of a table of the study hits by their first column."""
    return {row["events"]: row for row in table("hits", f"{sample}: {table_title}")}


def of_orders(row: dict[str, str]) -> str:
    """The mean explained shares of pairs, triples and quadruples."""
    first, second, third = (text_of(row[f"{kind}: explained"]) for kind in ORDERS)
    return f"{first}, {second} and {third}"


def exceeds(more: str, less: str) -> bool:
    """Whether one mean over seeds is above another by three deviations of their difference."""
    deviation = (spread(more) ** 2 + spread(less) ** 2) ** 0.5
    return number(more) - number(less) > 3 * deviation


def the_photon_hits() -> list[str]:
    rows = hits_of("Photons", "hit rates")
    of = {model: of_orders(row) for model, row in rows.items()}
    rates = {model: row["rates: rms"] for model, row in rows.items()}
    for twin in ("rbm", "pairwise-ising"):
        for kind in ORDERS:
            column = f"{kind}: explained"
            assert exceeds(rows[twin][column], rows["iqp"][column])
    pairs = "pairs: explained"
    assert exceeds(rows["iqp"][pairs], rows["iqp, frozen pairs"][pairs])
    return [
        f"`rbm` explains {of['rbm']} of the squared correlations of pairs, triples and quadruples, "
        f"`pairwise-ising` {of['pairwise-ising']}, `iqp` {of['iqp']} and the tree "
        f"{of['chow-liu-tree']}",
        f"with the angles of pairs as they started it is {of['iqp, frozen pairs']}, with "
        f"neighbours only {of['iqp, neighbours']}; `pairwise-ising` with neighbours only has "
        f"{of['pairwise-ising, neighbours']}",
        f"hit rates differ by {rates['iqp']} (`iqp`), {rates['pairwise-ising']} "
        f"(`pairwise-ising`), {rates['rbm']} (`rbm`) and {rates['chow-liu-tree']} (the tree), "
        f"where true events differ by {rates['true events (floor)']}",
        f"From random angles `iqp` has rates that are off by {rates['iqp, random start']}",
    ]


def the_positron_hits() -> list[str]:
    rows = hits_of("Positrons", "hit rates")
    neighbours = {model: row["neighbours: explained"] for model, row in rows.items()}
    pairs = {model: row["pairs: rms"] for model, row in rows.items()}
    floor = "true events (floor)"
    assert exceeds(neighbours["pairwise-ising"], neighbours["iqp"])
    assert exceeds(neighbours["iqp, neighbours"], neighbours["iqp"])
    distances = hits_of("Positrons", "MMD over bandwidths")
    del distances[floor]
    for column in list(distances["iqp"])[1:]:
        assert min(distances, key=lambda model: number(distances[model][column])) == "chow-liu-tree"
    return [
        f"true events explain {neighbours[floor]} of those of neighbours, `pairwise-ising` "
        f"{neighbours['pairwise-ising']}, `rbm` {neighbours['rbm']}, `iqp` with neighbours only "
        f"{neighbours['iqp, neighbours']}, the tree {neighbours['chow-liu-tree']}, `iqp` with all "
        f"pairs {neighbours['iqp']}, and `pairwise-ising` with neighbours only "
        f"{neighbours['pairwise-ising, neighbours']}",
        f"pairs of cells anywhere differ by {pairs[floor]} for true events, {pairs['iqp']} for "
        f"`iqp` and {pairs['chow-liu-tree']} for the tree",
    ]


def the_windows_of_hits() -> list[str]:
    rows = rows_of(table("hits", "A window"), model="iqp, neighbours")
    (photons,) = [row for row in rows_of(rows, sample="Photons") if row["readout mitigated"] != "–"]
    (positrons,) = [
        row for row in rows_of(rows, sample="Positrons") if row["readout mitigated"] != "–"
    ]
    transpiled = photons["on the device: gates of two qubits, depth"].split(", ")
    return [
        f"the events have {photons['without noise']} of the model's covariances without noise, "
        f"{photons['on the noisy device']} on the device and {photons['readout mitigated']} with "
        "its readout mitigated",
        f"for positrons {positrons['without noise']}, {positrons['on the noisy device']} and "
        f"{positrons['readout mitigated']}",
        f"a window of {photons['wires']} voxels with {photons['two-body gates']} two-body gates, "
        f"{transpiled[0]} gates of two qubits at depth {transpiled[1]} after it is transpiled,",
    ]


def the_time_of_hits() -> list[str]:
    costs = {row["model"]: row for row in table("hits", "Trainings")}
    photons = {model: text_of(row["Photons: training"]) for model, row in costs.items()}
    positrons = {model: text_of(row["Positrons: training"]) for model, row in costs.items()}
    return [
        f"{costs['iqp']['Positrons: steps']} steps of `iqp` with all pairs took "
        f"{positrons['iqp']} s of processor time for positrons and {photons['iqp']} s for photons, "
        f"{costs['rbm']['Positrons: steps']} of `rbm` {positrons['rbm']} and {photons['rbm']} s, "
        f"and as many of `pairwise-ising` {positrons['pairwise-ising']} and "
        f"{photons['pairwise-ising']} s",
    ]


def the_claims_of_an_advantage() -> list[str]:
    angle = {}
    for row in table("claims", "Angle generator under noise"):
        angle[row["model"], row["layers"], row["x"]] = row
    parts = {}
    for title in ("style-qGAN", "Latent quantum GAN"):
        for row in table("claims", title):
            parts[title, row["events"], row.get("layers") or row["wires"]] = row
    verdicts = table("claims", "Verdicts")
    of_twins = rows_of(verdicts, **{"circuit against": "network of equal size"})
    assert {row["verdict"] for row in of_twins} == {
        "no advantage: no difference seen at 5 of 5 capacities"
    }
    differences = table("claims", "Differences")
    twins = rows_of(differences, **{"circuit minus": "network of equal size"})
    frozen = rows_of(differences, **{"circuit minus": "frozen circuit"})
    exposed = rows_of(differences, **{"circuit minus": "circuit trained without noise"})

    def seen(rows: Rows, word: str) -> int:
        return len(rows_of(rows, **{"circuit is": word}))

    def noise(model: str) -> list[str]:
        row = angle[model, "5", "4"]
        columns = ("without noise", "trained without, under noise", "trained under noise")
        return [row[f"MMD² {columns[0]}"], *(row[f"MMD², {name}"] for name in columns[1:])]

    def along(title: str, events: str, column: str, sizes: tuple[str, ...]) -> str:
        values = [parts[title, events, size][column] for size in sizes]
        return f"{values[0]}, {values[1]} and {values[2]}"

    circuit = noise("circuit")
    twin = noise("network (twin)")
    of_noise = rows_of(twins, quantity="MMD² under noise x = 4")
    nearest = min(of_noise, key=lambda row: float(row["p"]))
    layers = ("2", "6", "16")
    style = [along("style-qGAN", events, "MMD²", layers) for events in CORES_OF_CLAIMS]
    wires = ("2", "6", "10")
    codes = []
    for events in (*CORES_OF_CLAIMS, "Gaussian"):
        codes.append(along("Latent quantum GAN", events, "MMD² of latents", wires))
    decoded = "true events, encoded and decoded"
    showers = [
        parts["Latent quantum GAN", events, "10"]["MMD²"]
        for events in (*CORES_OF_CLAIMS, "Gaussian", decoded)
    ]
    floors = [
        parts[title, "true events (floor)", size]["MMD²"]
        for title, size in (("style-qGAN", "–"), ("Latent quantum GAN", "10"))
    ]
    return [
        f"Of the {len(twins)} differences to networks of equal size {seen(twins, 'better')} are "
        f"seen in which the circuit is better, and {seen(twins, 'worse')} in which it is worse",
        f"Of the {len(frozen)} to frozen circuits the circuit is better in "
        f"{seen(frozen, 'better')}",
        f"With 5 layers the MMD² of the circuit is {circuit[0]} without noise, {circuit[1]} under "
        f"four times the noise when trained without it, and {circuit[2]} when trained under it; "
        f"that of the network {twin[0]}, {twin[1]} and {twin[2]}",
        f"Training under noise is better than training without it in {seen(exposed, 'better')} "
        f"of {len(exposed)} capacities",
        f"none of these differences is seen, the nearest with p = {nearest['p']} at "
        f"{nearest['capacity']} layers",
        f"With 2, 6 and 16 layers circuits have an MMD² of {style[0]}, networks {style[1]}",
        f"the Gaussian {parts['style-qGAN', 'Gaussian', '–']['MMD²']} and true events {floors[0]}",
        f"with 2, 6 and 10 wires circuits have {codes[0]}, networks {codes[1]} and the Gaussian "
        f"{codes[2]}",
        f"showers with 10 latents have {showers[0]}, {showers[1]} and {showers[2]} by circuit, "
        f"network and Gaussian, decoded true ones {showers[3]} and true ones {floors[1]}",
    ]


CLAIMS: dict[Callable[[], list[str]], str] = {
    the_size_of_d: "studies/jets.md",
    which_marginals: "studies/jets.md",
    share_of_the_correlation: "studies/jets.md",
    treatment_of_empty_bins: "readings.md",
    which_ansatz_on_the_device: "studies/jets-noise.md",
    the_twin_of_the_jets: "studies/jets-noise.md",
    what_tuning_regains: "studies/jets-noise.md",
    the_frozen_circuits: "studies/jets-noise.md",
    the_width_of_the_landscape: "studies/jets-noise.md",
    the_numbers_of_parameters: "studies/jets-noise.md",
    the_twin_of_the_muons: "studies/mfc.md",
    the_noise_of_the_muons: "studies/mfc.md",
    the_neighbours: "studies/mfc.md",
    the_angle_generator: "studies/qag.md",
    the_showers: "studies/caloqvae.md",
    the_layer_energies_by_flows: "studies/calo.md",
    the_full_showers_by_flows: "studies/calo.md",
    the_gan_of_showers: "studies/calo.md",
    the_features_of_showers: "studies/calo.md",
    the_time_of_showers: "studies/calo.md",
    the_reversible_circuits: "studies/reversible.md",
    all_models: "studies/models.md",
    what_a_circuit_changes: "studies/qinn.md",
    what_conditioners_buy: "quantum-conditioners.md",
    other_circuits_of_qinn: "studies/qinn.md",
    the_photon_hits: "studies/hits.md",
    the_positron_hits: "studies/hits.md",
    the_windows_of_hits: "studies/hits.md",
    the_time_of_hits: "studies/hits.md",
    the_claims_of_an_advantage: "studies/claims.md",
}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_sentences_agree_with_the_tables(claim: Any) -> None:
    text = (ROOT / "docs" / CLAIMS[claim]).read_text(encoding="utf-8")
    words = " ".join(text.split())
    for sentence in claim():
        assert sentence in words
