"""The report of a run: one self-contained HTML file.

The core writes the parts without figures: summary, metric table, circuit, recipe, provenance.
Figures come from plugins, by the hook ``report_sections``; without figures the report says what
to install.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from qgen_core.discovery.hooks import manager
from qgen_core.runs.folder import RunFolder
from qgen_core.runs.pages import rendered
from qgen_core.support.files import write_durably

log = logging.getLogger("qgen")


@dataclass(frozen=True)
class Section:
    """A part of the report.

    ``body`` is HTML and is inserted unchanged, so escape any text in it. Sections are sorted by
    ``order``. The core uses 0 for the summary, 40 for metrics, 60 for the circuit, 70 for the
    model card, 80 for the recipe, 90 for provenance.

    >>> from html import escape
    >>> Section("Notes", f"<p>{escape('pT > 250 GeV')}</p>", order=55).body
    '<p>pT &gt; 250 GeV</p>'
    """

    title: str
    body: str
    order: int = 50


def material(folder: Path) -> dict[str, Any]:
    """The data of a report, read from a run folder without the plugins of its model.

    The keys are ``name``, ``recipe`` (nested tables), ``recipe_text``, ``run`` (run.json),
    ``lost`` (what of the training was lost), ``history`` (the records of all steps) and
    ``evaluation`` (None without one). Raises CheckpointError when a file is damaged or belongs to
    another run, RecipeError for a damaged recipe.

    >>> import tempfile
    >>> from qgen_core.runs.recipes import Recipe
    >>> tables = {"dataset": "jets", "encoder": "binning", "generator": "qcbm"}
    >>> recipe = Recipe.from_dict(tables | {"loss": "js", "trainer": "adam"})
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     _ = (folder / "recipe.toml").write_text(recipe.to_toml())
    ...     RunFolder.write_record(folder, {"stopped": "all 300 steps done"})
    ...     found = material(folder)
    >>> found["recipe"]["generator"]["name"], found["run"]["stopped"], found["history"]
    ('qcbm', 'all 300 steps done', [])
    """
    run = RunFolder(folder)
    return {
        "name": folder.resolve().name,
        "recipe": run.recipe.to_dict(),
        "recipe_text": run.recipe.to_toml(),
        "run": run.record,
        "lost": run.warnings,
        "history": run.history(),
        "evaluation": run.evaluation(),
    }


def write_report(folder: Path, *, latex: bool = False) -> Path:
    """Write ``report.html`` into a run folder and return its path.

    ``latex`` asks the figures to show names of columns as formulas.

    Raises ResourceRefused when the file cannot be written.

    >>> import tempfile
    >>> from qgen_core.runs.recipes import Recipe
    >>> tables = {"dataset": "jets", "encoder": "binning", "generator": "qcbm"}
    >>> recipe = Recipe.from_dict(tables | {"loss": "js", "trainer": "adam"})
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     _ = (folder / "recipe.toml").write_text(recipe.to_toml())
    ...     RunFolder.write_record(folder, {"providers": {}, "versions": {}, "data": {}})
    ...     "qcbm on jets" in write_report(folder).read_text()
    True
    """
    found = material(folder) | {"latex": latex}
    path = folder / "report.html"
    write_durably(path, render(found).encode("utf-8"))
    return path


def render(found: Mapping[str, Any]) -> str:
    """The HTML of a report, from what :func:`material` returns.

    >>> found = {
    ...     "name": "example",
    ...     "recipe": {
    ...         "generator": {"name": "qcbm"},
    ...         "dataset": {"name": "jets"},
    ...         "trainer": {"name": "adam"},
    ...         "loss": {"name": "js"},
    ...     },
    ...     "recipe_text": "seed = 1",
    ...     "run": {"providers": {}, "versions": {}, "data": {}},
    ...     "history": [],
    ...     "evaluation": None,
    ... }
    >>> html = render(found)
    >>> "qcbm on jets, trained with adam on js" in html, "Model card" in html
    (True, True)
    """
    recipe = found["recipe"]
    subtitle = (
        f"{recipe['generator']['name']} on {recipe['dataset']['name']}, "
        f"trained with {recipe['trainer']['name']} on {recipe['loss']['name']}"
    )
    drawn = plugin_sections(found)
    sections = [*_core_sections(found), *drawn]
    return page(found["name"], subtitle, sections, figures=bool(drawn))


def page(title: str, subtitle: str, sections: Sequence[Section], *, figures: bool) -> str:
    """One self-contained HTML page; without ``figures`` it says what to install.

    >>> html = page("mine", "a test", [Section("Notes", "<p>none</p>")], figures=True)
    >>> html.startswith("<!DOCTYPE html>"), "<p>none</p>" in html
    (True, True)
    """
    if not figures:
        sections = [*sections, section("Figures", "no_figures.html", 20)]
    ordered = sorted(sections, key=lambda s: s.order)
    return rendered(
        "report.html",
        title=title,
        subtitle=subtitle,
        sections=ordered,
        version=version("qgen-core"),
    )


def section(title: str, template: str, order: int, **values: Any) -> Section:
    """A section from a template of this package; values are escaped.

    >>> section("Recipe", "pre.html", 80, text='a = "<b>"').body
    '<pre>a = &#34;&lt;b&gt;&#34;</pre>'
    """
    return Section(title, rendered(template, **values), order)


def _core_sections(found: Mapping[str, Any]) -> list[Section]:
    """Summary, metric table, circuit, model card, recipe and provenance."""
    sections = [section("Summary", "summary.html", 0, found=found)]
    evaluation = found["evaluation"]
    if evaluation is not None:
        sections.append(section("Metrics", "metrics.html", 40, evaluation=evaluation))
        if evaluation.get("circuit"):
            picture = base64.b64encode(evaluation.get("circuit svg", "").encode()).decode()
            values = {
                "text": evaluation["circuit"],
                "picture": picture,
                "device": evaluation.get("device circuit"),
            }
            sections.append(section("Circuit", "circuit.html", 60, **values))
    sections.append(
        section("Model card", "model_card.html", 70, found=found, evaluation=evaluation)
    )
    sections.append(section("Recipe", "pre.html", 80, text=found["recipe_text"]))
    sections.append(section("Provenance", "provenance.html", 90, run=found["run"]))
    return sections


def plugin_sections(found: Mapping[str, Any]) -> list[Section]:
    """The sections of plugins; if one fails, that is logged and all of them are left out.

    >>> all(isinstance(section, Section) for section in plugin_sections({}))
    True
    """
    sections: list[Section] = []
    try:
        for offered in manager().report_sections(material=found):
            sections += [section for section in offered if isinstance(section, Section)]
    except Exception as error:  # a figure that fails must not prevent the report
        log.warning("figures are left out of the report: %s: %s", type(error).__name__, error)
    return sections
