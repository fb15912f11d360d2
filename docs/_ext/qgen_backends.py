"""The directive ``.. backends::``: what each backend of this project can do, as its code says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from qgen_components import row
from qgen_core import Capabilities, backend, describe, names
from qgen_core.circuits.gates import GATES
from qgen_core.discovery.registry import factory_of, known

HEAD = (
    "backend",
    "package",
    "values",
    "channels",
    "gradients",
    "precision",
    "gates",
    "time",
    "gradient's time",
)
MEASURED = Path(__file__).parents[2] / "benchmarks" / "results" / "latest.json"


def capabilities_of(name: str) -> Capabilities | None:
    """What a backend declares: the class of a remote one, else one made without options; None if it
    wraps another.
    """
    declared = getattr(factory_of("backend", name)[1], "capabilities", None)
    if isinstance(declared, Capabilities) and declared.remote:
        return declared
    wraps = any(option.required for option in describe("backend", name).options)
    return None if wraps else backend(name).capabilities


@cache
def medians() -> dict[str, float]:
    """Seconds of our adapters in the committed benchmark, by case."""
    cases = {
        case["id"]: case["rows"]
        for case in json.loads(MEASURED.read_text(encoding="utf-8"))["cases"]
    }
    ours = {case: rows[0] for case, rows in cases.items() if case.startswith("adapters/")}
    return {
        case.removeprefix("adapters/"): row["median"]
        for case, row in ours.items()
        if "median" in row
    }


def times(name: str) -> list[str]:
    """Milliseconds of the probabilities of 64 circuits, and of their gradients, where they were
    measured.
    """
    found = [medians().get(f"{name}/{what}") for what in ("probabilities", "gradient")]
    return ["" if seconds is None else f"{1e3 * seconds:.3g} ms" for seconds in found]


def cells(name: str, package: str) -> list[str]:
    """A row of the table."""
    can, link = capabilities_of(name), f":ref:`{name} <backend-{name}>`"
    if can is None:
        return [link, package, "as the backend that it wraps", *("",) * (len(HEAD) - 3)]
    exact = "exact" if can.exact else "shots only"
    values = f"{exact}, on a remote machine" if can.remote else exact
    missing = sorted(set(GATES) - can.gates)
    return [
        link,
        package,
        values,
        "yes" if can.noise else "no",
        "none" if can.gradients == "none" else can.gradients.replace("backprop", "backpropagation"),
        "complex64" if can.precision == "single" else "complex128",
        "all" if not missing else f"without {', '.join(missing)}",
        *times(name),
    ]


def rst() -> Iterator[str]:
    """The table; a backend whose package is not here is named with the line that brings it."""
    yield from (".. list-table::", "   :header-rows: 1", "   :class: options", "")
    yield from row(*HEAD)
    installed = names("backend")
    for name, package in known()["backend"].items():
        if name not in installed:
            yield from row(name, f"``pip install {package}``", *("",) * (len(HEAD) - 2))
        else:
            yield from row(*cells(name, package))


class Backends(SphinxDirective):
    """``.. backends::`` is a table of all backends and what they can do."""

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes("\n".join(rst()))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("backends", Backends)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
