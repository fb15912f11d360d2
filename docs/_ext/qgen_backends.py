"""The directive ``.. backends::``: what each backend of this project declares that it can do."""

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
from qgen_core.discovery.registry import factory_of, known_providers

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
    """What a backend declares, None for one that wraps another backend.

    Remote backends are not built: their class declares it.
    """
    declared = getattr(factory_of("backend", name)[1], "capabilities", None)
    if isinstance(declared, Capabilities) and declared.remote:
        return declared
    if any(option.required for option in describe("backend", name).options):
        return None
    return backend(name).capabilities


@cache
def medians() -> dict[str, float]:
    """Seconds of our adapters in the committed benchmark, by case."""
    found = {}
    for case in json.loads(MEASURED.read_text(encoding="utf-8"))["cases"]:
        prefix, _, name = case["id"].partition("/")
        ours = case["rows"][0]
        if prefix == "adapters" and "median" in ours:
            found[name] = ours["median"]
    return found


def times(name: str) -> list[str]:
    """Times of the probabilities of 64 circuits and of their gradients; empty if not measured."""
    found = []
    for what in ("probabilities", "gradient"):
        seconds = medians().get(f"{name}/{what}")
        text = ""
        if seconds is not None:
            text = f"{1e3 * seconds:.3g} ms"
        found.append(text)
    return found


def cells(name: str, package: str) -> list[str]:
    """A row of the table."""
    can = capabilities_of(name)
    link = f":ref:`{name} <backend-{name}>`"
    if can is None:
        return [link, package, "as the backend that it wraps", *("",) * (len(HEAD) - 3)]
    values = {True: "exact", False: "shots only"}[can.exact]
    if can.remote:
        values += ", on a remote machine"
    noise = {True: "yes", False: "no"}[can.noise]
    gradients = can.gradients.replace("backprop", "backpropagation")
    precision = {"single": "complex64", "double": "complex128"}[can.precision]
    missing = sorted(set(GATES) - can.gates)
    gates = "all"
    if missing:
        gates = f"without {', '.join(missing)}"
    return [link, package, values, noise, gradients, precision, gates, *times(name)]


def rst() -> Iterator[str]:
    """The table; for a backend that is not installed it shows the command that installs it."""
    yield from (".. list-table::", "   :header-rows: 1", "   :class: options", "")
    yield from row(*HEAD)
    installed = names("backend")
    for name, package in known_providers()["backend"].items():
        if name not in installed:
            yield from row(
                name,
                f"``pip install ./plugins/{package.replace('-', '_')}``",
                *("",) * (len(HEAD) - 2),
            )
        else:
            yield from row(*cells(name, package))


class Backends(SphinxDirective):
    """``.. backends::`` is a table of all backends and what they can do."""

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes("\n".join(rst()))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("backends", Backends)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
