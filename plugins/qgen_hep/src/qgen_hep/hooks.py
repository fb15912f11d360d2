"""Hooks of this package: the figures of a report. matplotlib is imported only to draw."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgen_core.discovery.hooks import hookimpl

if TYPE_CHECKING:
    from qgen_core.runs.report import Section


@hookimpl
def report_sections(material: Mapping[str, Any]) -> list[Section]:
    """The sections of a report that hold figures."""
    from qgen_hep.figures.sections import sections

    return sections(material)


@hookimpl
def run_figures(name: str, material: Mapping[str, Any]) -> list[Any]:
    """A figure of a run as matplotlib draws it."""
    from qgen_hep.figures.of_run import figure_of_run

    drawn = figure_of_run(name, material)
    if drawn is None:
        return []
    return [drawn]


@hookimpl
def scan_figures(material: Mapping[str, Any], folder: Path) -> list[Path]:
    """A figure for each axis of a scan."""
    from qgen_hep.figures.scan import scan_figures as draw

    return draw(material, folder)
