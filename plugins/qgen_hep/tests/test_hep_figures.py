"""Figures: right numbers, safe HTML, and no trace left in matplotlib's global state."""

from __future__ import annotations

import base64
import re
import struct
import subprocess
import sys

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.discovery.hooks import manager
from qgen_core.errors import DataError
from qgen_core.runs.report import Section
from qgen_hep import hooks
from qgen_hep.figures import correlation, joint, marginals, scan, style, training
from qgen_hep.figures.density import density, pulls, ratio
from qgen_hep.figures.labels import axis_label, escaped, short_name
from qgen_hep.figures.of_run import figure_of_run
from qgen_hep.figures.sections import sections
from qgen_hep.figures.showers import shower_figure
from qgen_hep.figures.style import page_style

EDGES = [0.0, 1.0, 3.0, 7.0]


def histogram(counts, column="pt", unit="GeV", generated=None):
    reference, made = (
        np.asarray(counts, dtype=float),
        np.asarray(counts if generated is None else generated, float),
    )
    return {
        "column": column,
        "unit": unit,
        "edges": EDGES,
        "reference": reference.tolist(),
        "reference_error": np.sqrt(reference).tolist(),
        "generated": made.tolist(),
        "generated_error": np.sqrt(made).tolist(),
    }


def material(column="pt"):
    table = np.arange(1.0, 10.0).reshape(3, 3)
    return {
        "history": [{"step": i, "loss": 1.0 / i, "gradient": 0.5 / i} for i in range(1, 6)],
        "recipe": {"dataset": {"name": "jets"}},
        "evaluation": {
            "reference": {"kind": "simulated"},
            "marginals": [histogram([10, 40, 20], column), histogram([10, 40, 20], "eta", "1")],
            "joints": [
                {
                    "columns": [column, "eta"],
                    "units": ["GeV", "1"],
                    "edges": [EDGES, EDGES],
                    "reference": table.tolist(),
                    "generated": table.T.tolist(),
                }
            ],
            "pairs of columns": 1,
            "correlation": {
                "columns": [column, "eta"],
                "reference": [[1.0, 0.2], [0.2, 1.0]],
                "generated": [[1.0, 0.1], [0.1, 1.0]],
                "uncertainty": [[0.0, 0.01], [0.01, 0.0]],
            },
        },
    }


@pytest.fixture
def drawn(monkeypatch):
    """Every figure that is drawn, kept instead of being made an image."""
    kept = []

    def keep(figure, alt):
        kept.append(figure)
        return f"<{alt}>"

    for module in (correlation, joint, marginals, training):
        monkeypatch.setattr(module, "image", keep)
    with page_style():
        yield kept


def test_densities_have_unit_area_with_any_widths():
    counts, errors = [3.0, 4.0, 5.0], [0.5, 1.0, 2.0]
    values, spread = density(counts, errors, EDGES)
    for i, (low, high) in enumerate(zip(EDGES[:-1], EDGES[1:], strict=True)):
        assert values[i] == pytest.approx(counts[i] / 12.0 / (high - low))
        assert spread[i] / values[i] == pytest.approx(errors[i] / counts[i])
    assert np.sum(values * np.diff(EDGES)) == pytest.approx(1.0)


def test_ratios_do_not_depend_on_the_number_of_events():
    found, error, band = ratio(histogram([10, 40, 0], generated=[200, 400, 20]))
    np.testing.assert_allclose(found[:2], [200 / 620 / (10 / 50), 400 / 620 / (40 / 50)])
    np.testing.assert_allclose(error[:2] / found[:2], [200**-0.5, 400**-0.5])
    np.testing.assert_allclose(band[:2], [10**-0.5, 40**-0.5])
    assert np.isnan(found[2]) and np.isnan(band[2])


def test_pulls_of_two_samples_of_one_distribution_are_standard_normal():
    rng = np.random.default_rng(11)
    truth = rng.dirichlet(np.full(400, 5.0))
    found = pulls(
        rng.poisson(50_000 * truth).reshape(20, 20), rng.poisson(200_000 * truth).reshape(20, 20)
    )
    assert abs(found.mean()) < 4 / 20
    assert found.std() == pytest.approx(1.0, abs=4 / np.sqrt(2 * 400))


def test_pulls_of_sparse_cells_are_no_alarm():
    """With observed counts as variances, 38 percent of an exact model's sparse cells exceed 3."""
    rng = np.random.default_rng(12)
    truth = rng.dirichlet(np.full(1000, 0.5))
    reference = rng.multinomial(5000, truth)
    generated = rng.multinomial(100_000, truth)
    found = pulls(reference, generated)
    expected = 5000 * (reference + generated) / 105_000
    assert np.array_equal(np.isnan(found), expected < 5)
    known = found[~np.isnan(found)]
    assert len(known) > 200
    assert np.mean(np.abs(known) > 3) < 0.015
    assert known.std() == pytest.approx(1.0, abs=4 / np.sqrt(2 * len(known)))


def test_pulls_of_weighted_events_use_their_effective_sizes():
    rng = np.random.default_rng(13)
    truth = np.full(200, 1 / 200)
    reference = rng.multinomial(40_000, truth)
    cells = rng.integers(200, size=40_000)
    weight = rng.choice([0.1, 3.0], size=40_000)
    generated = np.bincount(cells, weights=weight, minlength=200)
    size = weight.sum() ** 2 / (weight @ weight)
    found = pulls(reference, generated, (40_000, size))
    assert found.std() == pytest.approx(1.0, abs=4 / np.sqrt(2 * 200))


def test_sparse_cells_are_grey_and_empty_ones_white(drawn):
    (given,) = material()["evaluation"]["joints"]
    given["reference"] = [[100.0, 100.0, 1.0], [0.0, 100.0, 100.0], [100.0, 100.0, 100.0]]
    given["generated"] = [[100.0, 100.0, 2.0], [0.0, 100.0, 100.0], [100.0, 100.0, 100.0]]
    joint.joint_figures(given, {})
    pull, grey = drawn[2].axes[0].collections[:2]
    # pcolormesh has rows along y
    assert np.argwhere(~grey.get_array().mask.reshape(3, 3).T).tolist() == [[0, 2]]
    assert pull.get_array().mask.reshape(3, 3).T[0, 2]
    assert pull.get_array().mask.reshape(3, 3).T[1, 0]


@pytest.mark.parametrize(
    ("column", "unit", "recipe", "label"),
    [
        ("pt", "GeV", {"dataset": {"name": "jets"}}, r"Leading-jet $p_\mathrm{T}$ [GeV]"),
        (
            "mass",
            "GeV",
            {"dataset": {"name": "qgen-hep:jets", "jet": "subleading"}},
            "Subleading-jet mass [GeV]",
        ),
        ("jet2_eta", "1", {"dataset": {"name": "jets"}}, r"Subleading-jet $\eta$"),
        ("pt", "MeV", {"dataset": {"name": "file"}}, r"$p_\mathrm{T}$ [MeV]"),
        ("layers[3]", "MeV", {}, "Layers[3] [MeV]"),
    ],
)
def test_axes_are_named_as_formulas_with_their_units(column, unit, recipe, label):
    assert axis_label(column, unit, recipe, latex=True) == label


@pytest.mark.parametrize("column", ["pt", "jet2_eta", r"a$\frac{", "$m_X$", r"back\slash_1"])
def test_columns_are_named_as_they_are_given(column, drawn):
    marginals.marginal_figure(histogram([1, 2, 3], column), {"dataset": {"name": "jets"}}, "")
    label = drawn[0].axes[1].xaxis.label
    assert label.get_text().replace(r"\$", "$") == f"{column} [GeV]"
    drawn[0].canvas.draw()  # a name that is no formula does not fail


def test_formulas_are_an_option():
    assert escaped(r"a$\frac{") == r"a\$\frac{"
    assert short_name("$m_X$", latex=True) == "$m_X$"
    assert short_name("$m_X$") == r"\$m_X\$"
    for wrong in ("x$", r"a$\frac{$", r"$\nosuch$"):
        assert short_name(wrong, latex=True) == escaped(wrong)


def test_heavy_tails_have_a_logarithmic_axis(drawn):
    rng = np.random.default_rng(4)
    for values, scale in (
        (rng.pareto(1.2, 20_000) + 1.0, "log"),
        (rng.standard_t(1.2, 20_000), "symlog"),
        (rng.exponential(1.0, 20_000), "linear"),
        (rng.normal(size=20_000), "linear"),
    ):
        edges = np.quantile(values, np.linspace(0, 1, 33))
        counts = np.histogram(values, edges)[0].tolist()
        marginals.marginal_figure(histogram(counts) | {"edges": edges.tolist()}, {}, "")
        assert [axes.get_xscale() for axes in drawn[-1].axes] == [scale, scale]
    table = np.ones((32, 1)).tolist()
    both = {"columns": ["a", "b"], "reference": table, "generated": table}
    pareto = np.quantile(rng.pareto(1.2, 20_000) + 1.0, np.linspace(0, 1, 33)).tolist()
    joint.joint_figures(both | {"edges": [pareto, [0.0, 1.0]]}, {})
    assert (drawn[-1].axes[0].get_xscale(), drawn[-1].axes[0].get_yscale()) == ("log", "linear")


def test_all_pairs_are_drawn_and_left_out_ones_are_said():
    given = material()
    (pair,) = given["evaluation"]["joints"]
    given["evaluation"] |= {"joints": [pair, pair], "pairs of columns": 2}
    whole = next(s for s in sections(given) if s.title == "Joint distribution")
    assert whole.body.count("<img") == 6 and "pairs of columns" not in whole.body
    given["evaluation"]["pairs of columns"] = 21
    some = next(s for s in sections(given) if s.title == "Joint distribution")
    assert "2 of 21 pairs of columns: those whose Pearson coefficients differ most" in some.body


def test_marginals_by_condition_name_their_range(drawn):
    given = material()
    groups = [
        {"condition": "e_in", "low": low, "high": high, "marginals": [histogram([1, 2, 3])]}
        for low, high in ((50.0, 50.0), (100.0, 150.0))
    ]
    given["evaluation"]["by condition"] = groups
    assert sections(given)[1].title == "Marginals by condition"
    titles = [figure.axes[0].get_title() for figure in drawn if figure.axes[0].get_title()]
    assert titles[:2] == ["e_in = 50", "e_in from 100 to 150"]


def test_sections_in_their_order_through_the_hook():
    (found,) = manager([hooks]).report_sections(material=material())[:1]
    assert all(isinstance(section, Section) for section in found)
    assert [(s.title, s.order) for s in found] == [
        ("Marginal distributions", 10),
        ("Joint distribution", 20),
        ("Correlations", 30),
        ("Training", 50),
    ]
    assert [s.body.count("<img") for s in found] == [2, 3, 3, 1]


def test_what_there_is_no_material_for_is_left_out():
    assert sections({"history": [], "evaluation": None, "recipe": {}}) == []
    empty = {
        "marginals": [histogram([0, 0, 0], generated=[1, 2, 3])],
        "joints": [],
        "pairs of columns": 0,
        "correlation": None,
    }
    assert (
        sections(
            {"history": [{"step": 1, "loss": float("nan")}], "evaluation": empty, "recipe": {}}
        )
        == []
    )


def test_images_are_inside_the_page_and_texts_are_escaped():
    evil = '"><script>alert(1)</script>$\\frac'
    body = "".join(section.body for section in sections(material(evil)))
    assert "<script" not in body and "&lt;script&gt;" in body
    sources = re.findall(r'src="([^"]*)"', body)
    assert len(sources) == 9 and all(s.startswith("data:image/png;base64,") for s in sources)
    png = base64.b64decode(sources[0].partition(",")[2])
    assert png.startswith(b"\x89PNG")
    assert min(struct.unpack(">II", png[16:24])) > 500  # sharp enough for a phone
    assert body.count("max-width:100%") == 9 and body.count('alt="') == 9


def test_nothing_is_left_in_matplotlib_and_the_same_is_drawn_again():
    import matplotlib
    import matplotlib.pyplot as plt

    before = dict(matplotlib.rcParams)
    first = [section.body for section in sections(material())]
    assert [section.body for section in sections(material())] == first
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == before


def test_the_hook_imports_matplotlib_only_to_draw():
    code = (
        "import sys, qgen_hep.hooks, qgen_hep.datasets.jets, qgen_hep.datasets.file; "
        "heavy = ('matplotlib', 'mplhep', 'h5py', 'uproot', 'pyarrow', 'pythia8mc');"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_losses_are_on_a_logarithmic_axis_where_positive(drawn):
    training.loss_curve([{"step": i, "loss": 1.0 / i} for i in (1, 2, 3)])
    training.loss_curve([{"step": i, "loss": 1.0 - i, "gradient": 1.0} for i in (1, 2, 3)])
    assert [axes.get_yscale() for figure in drawn for axes in figure.axes] == [
        "log",
        "linear",
        "log",
    ]
    np.testing.assert_allclose(drawn[0].axes[0].lines[0].get_ydata(), [1, 1 / 2, 1 / 3])
    assert drawn[1].axes[0].lines[1].get_xdata() == [3]  # the least loss is marked


def test_one_step_can_be_drawn(drawn):
    assert training.loss_curve([{"step": 1, "loss": 0.5}])


def test_marginals_show_the_densities_and_mark_ratios_out_of_range(drawn):
    marginals.marginal_figure(
        histogram([1000, 1000, 1000], generated=[2500, 450, 50]), {}, "simulated"
    )
    upper, lower = drawn[0].axes
    (points,) = [
        line for line in upper.lines if len(line.get_xdata()) == 3 and line.get_marker() == "."
    ]
    np.testing.assert_allclose(
        points.get_ydata(), np.array([2500, 450, 50]) / 3000 / np.diff(EDGES)
    )
    bottom, top = lower.get_ylim()
    above = [line for line in lower.lines if line.get_marker() == "^"][0]
    assert above.get_xdata() == [0.5] and bottom < above.get_ydata()[0] < top
    assert (bottom, top) == (0.0, 2.0)
    assert {1.0, 0.9, 1.1} <= {
        float(line.get_ydata()[0]) for line in lower.lines if len(line.get_ydata()) == 2
    }
    assert upper.get_legend().get_texts()[0].get_text() == "Reference (simulated)"
    assert upper.get_ylabel() == "Density [1/GeV]"


def test_steep_marginals_are_on_a_logarithmic_axis(drawn):
    marginals.marginal_figure(histogram([100_000, 10, 10]), {}, "")
    marginals.marginal_figure(histogram([1000, 900, 10]), {}, "")
    assert [figure.axes[0].get_yscale() for figure in drawn] == ["log", "linear"]


def test_joint_maps_share_their_colours_and_keep_the_axes_in_place(monkeypatch):
    (given,) = material()["evaluation"]["joints"]
    given["reference"][0][2] = 0.0
    axes, limits, shown = [], [], []

    def keep(figure, alt):
        mesh = figure.axes[0].collections[0]
        axes.append(figure.axes[0])
        limits.append(mesh.get_clim())
        shown.append(mesh.get_array().copy())  # the next map of the figure changes it
        return ""

    monkeypatch.setattr(joint, "image", keep)
    joint.joint_figures(given, {})
    assert limits[0] == limits[1] != limits[2]
    area = np.outer(np.diff(EDGES), np.diff(EDGES))
    # pcolormesh has rows along y: the first column of the events is x
    for which, found in zip(("reference", "generated"), shown, strict=False):
        table = np.asarray(given[which])
        np.testing.assert_allclose(found.filled(0.0).reshape(3, 3).T, table / table.sum() / area)
    assert shown[0].mask.sum() == 1
    assert "GeV" in axes[0].get_xlabel() and "eta" in axes[0].get_ylabel()
    np.testing.assert_allclose(
        shown[2].filled(0.0).reshape(3, 3).T,
        np.nan_to_num(pulls(np.asarray(given["reference"]), given["generated"])),
    )


def test_correlations_are_written_into_their_cells(drawn):
    correlation.correlation_figures(material()["evaluation"]["correlation"])
    texts = [[text.get_text() for text in figure.axes[0].texts] for figure in drawn]
    assert texts[0] == ["+1.000", "+0.200", "+0.200", "+1.000"]
    assert texts[2] == ["", "-0.100\n±0.010", "-0.100\n±0.010", ""]


def test_large_correlation_matrices_have_no_numbers(drawn):
    size = 30
    columns = [f"showers[{i}]" for i in range(size)]
    given = {"columns": columns, "uncertainty": np.zeros((size, size)).tolist()}
    correlation.correlation_figures(
        {**given, "reference": np.eye(size).tolist(), "generated": np.eye(size).tolist()}
    )
    assert all(not figure.axes[0].texts for figure in drawn)


def test_only_the_first_of_many_marginals_are_drawn(drawn):
    evaluation = {"marginals": [histogram([1, 2, 3], f"x{i}") for i in range(15)]}
    (section,) = sections({"evaluation": evaluation, "history": [], "recipe": {}})
    assert len(drawn) == 12 and "The first 12 of 15 columns." in section.body


def test_figures_of_a_report_are_drawn_without_measuring_texts_and_lose_none(monkeypatch):
    """A layout engine would draw each figure three times; what it drew must still be inside."""
    columns = ["a" * 12, "b"]
    given = material()
    evaluation = given["evaluation"]
    evaluation["marginals"][0]["edges"] = [1e5, 2e5, 3e5, 4.5e5]
    evaluation["correlation"]["columns"] = columns
    made = []
    real = style.figure
    monkeypatch.setattr(
        style, "figure", lambda *size, **how: made.append(real(*size, **how)) or made[-1]
    )
    sections(given)
    assert len(made) == 8  # the two densities share one
    for one in made:
        assert one.get_layout_engine() is None
        texts = one.get_tightbbox()
        width, height = one.get_size_inches()
        assert texts.x0 > 0 and texts.y0 > 0 and texts.x1 < width and texts.y1 < height


def scan_material():
    points = []
    for rate in (0.001, 0.01, 0.1):
        for ansatz in ("tree", "brick"):
            value = {"trainer.learning_rate": rate, "generator.ansatz": ansatz}
            summary = {"mean": 2 * rate, "deviation": float("nan"), "count": 1}
            points.append({"values": value, "summaries": {"loss": summary}})
    points[-1]["summaries"]["tv"] = {"mean": 0.5, "deviation": 0.1, "count": 2}
    points.append({"values": {"trainer.learning_rate": 1.0}, "summaries": {}})
    axes = ["trainer.learning_rate", "generator.ansatz"]
    return {"title": "rates", "axes": axes, "metrics": ["loss", "tv"], "points": points}


def test_a_scan_has_a_figure_for_each_axis_with_its_numbers(tmp_path, monkeypatch):
    drawn = []
    real = scan.figure
    monkeypatch.setattr(scan, "figure", lambda *size: drawn.append(real(*size)) or drawn[-1])
    (found,) = manager().scan_figures(material=scan_material(), folder=tmp_path)
    assert [path.name for path in found] == ["trainer-learning-rate.png", "generator-ansatz.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in found)
    loss, tv = drawn[0].axes
    assert loss.get_xscale() == "log" and loss.get_xlabel() == "trainer.learning_rate"
    assert [text.get_text() for text in loss.get_legend().get_texts()] == [
        "ansatz = tree",
        "ansatz = brick",
    ]
    lines = [line for line in loss.get_lines() if line.get_marker() == "o"]
    assert len(lines) == 2
    for line in lines:
        np.testing.assert_allclose(line.get_xdata(orig=False), [0.001, 0.01, 0.1])
        np.testing.assert_allclose(line.get_ydata(orig=False), [0.002, 0.02, 0.2])
    assert tv.get_lines()[0].get_ydata() == [0.5]
    names = [text.get_text() for text in drawn[1].axes[0].get_xticklabels()]
    assert names == ["tree", "brick"]


def test_a_scan_without_results_has_no_figure(tmp_path):
    empty = scan_material() | {"points": [{"values": {}, "summaries": {}}]}
    assert manager().scan_figures(material=empty, folder=tmp_path) == [[]]


def test_pictures_of_showers_have_a_panel_for_each_layer_and_sample() -> None:
    """Means or one shower, on one scale; cells without energy are white."""
    rng = np.random.default_rng(0)
    first = rng.exponential(1.0, (5, 10))
    second = np.zeros((3, 10))
    second[1, 4] = 200.0
    shapes = [(2, 3), (2, 2)]
    for event in (None, 1):
        drawn = shower_figure({"e+": first, "pi+": second}, shapes, window=480.0, event=event)
        panels = drawn.axes[:4]
        meshes = [panel.collections[0] for panel in panels]
        assert len({(mesh.norm.vmin, mesh.norm.vmax) for mesh in meshes}) == 1
        shown = np.ma.getmaskarray(meshes[1].get_array())
        assert shown.shape == (2, 3) and (~shown).sum() == 1 and not shown[1, 1]
    with pytest.raises(DataError, match=r"\(N, 10\)"):
        shower_figure({"e+": first[:, :9]}, shapes, window=480.0)
    with pytest.raises(DataError, match="no event 5"):
        shower_figure({"e+": first}, shapes, window=480.0, event=5)
    with pytest.raises(DataError, match="nothing to draw"):
        shower_figure({"e+": 0 * first}, shapes, window=480.0)


def test_figures_of_a_run_hold_all_their_parts():
    found = material() | {"pair": None}
    panels = {"marginals": 2 * 2, "joint": 3 + 3, "correlation": 3 + 3, "training": 2}
    for name, number in panels.items():  # maps and matrices have a colour bar each
        assert len(figure_of_run(name, found).axes) == number, name
    titles = [axes.get_title() for axes in figure_of_run("joint", found).axes]
    assert [title for title in titles if title] == ["Reference", "Generated", "Pull"]
    assert figure_of_run("joint", found | {"pair": {"eta", "pt"}}) is not None
    assert figure_of_run("joint", found | {"pair": {"eta", "phi"}}) is None
    assert figure_of_run("no such figure", found) is None


def test_a_circuit_is_drawn_with_all_its_signs():
    circuit = qgen.ansatz("brick", layers=6)(6)
    drawn = qgen.draw(circuit, "mpl")
    labels = [text.get_text() for axes in drawn.axes for text in axes.texts]
    rows = len(drawn.axes)
    assert rows > 1, "what does not fit continues below"
    angles = [gate for gate in circuit.gates if gate.angle is not None]
    assert len(labels) == rows * circuit.num_wires + len(angles)
    assert max(axes.get_xlim()[1] for axes in drawn.axes) < 10


def test_a_notebook_shows_figures_without_their_white_margins():
    drawn = figure_of_run("training", material())
    png = drawn._repr_png_()
    assert png.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", png[16:24])
    whole_width, whole_height = drawn.get_size_inches() * drawn.dpi
    assert 0.5 * whole_width < width < whole_width
    assert 0.5 * whole_height < height < whole_height
