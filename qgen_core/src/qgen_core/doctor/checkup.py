"""What is installed, what of it works, and why the rest does not: ``qgen doctor``.

Every component is imported, and every backend runs a circuit whose result is known, in a process of
its own for each package: what one SDK does on import, a crash included, concerns no other. A remote
backend is never run. Its class may have a class method ``missing_account()`` that says what the account
lacks, without asking the service; empty: nothing.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Literal

from qgen_core.discovery import registry
from qgen_core.discovery.entry_points import distribution_of, entries, packages, version_of
from qgen_core.discovery.hooks import GROUP as HOOKS
from qgen_core.doctor import probe as tryout
from qgen_core.doctor.child_process import Aside, Lost
from qgen_core.runs.progress import counter
from qgen_core.support.resources import available_memory, human

#: Seconds that a component may take, compiling for the first time included.
LIMIT = 180.0

State = Literal["works", "broken", "remote", "needs options"]


@dataclass(frozen=True)
class Finding:
    """One component: ``why`` it is not in order, and the command that may ``mend`` it."""

    kind: str
    name: str
    distribution: str
    version: str
    state: State
    why: str = ""
    mend: str = ""
    seconds: float = 0.0
    wraps: bool = False
    noise: bool = False
    gradients: str = ""


@dataclass(frozen=True)
class Checkup:
    """Everything that ``qgen doctor`` says, and the seconds that it took to find out."""

    system: Mapping[str, Any]
    packages: Mapping[str, Mapping[str, str]]
    findings: Sequence[Finding]
    not_installed: Mapping[str, Sequence[str]]
    seconds: float = 0.0

    @property
    def broken(self) -> list[str]:
        """Kind and name of what is installed and does not work."""
        return [f"{found.kind} {found.name}" for found in self.findings if found.state == "broken"]

    @property
    def remote(self) -> list[str]:
        """The backends that run elsewhere."""
        return [found.name for found in self.findings if found.state == "remote"]

    def names(self, kind: str = "backend", *, noise: bool = False) -> list[str]:
        """What works of a kind by itself; with ``noise`` only what runs channels."""
        working = (
            f for f in self.findings if f.kind == kind and f.state == "works" and not f.wraps
        )
        return [found.name for found in working if found.noise or not noise]

    def data(self) -> dict[str, Any]:
        """All of it, as plain data."""
        return asdict(self) | {"broken": self.broken}


def check() -> Checkup:
    """Import and try everything that is installed."""
    from qgen_core.simulators.simd.threads import cores

    begun = time.monotonic()
    offers: dict[str, list[tuple[str, str, str]]] = {}
    for kind, name, distribution, version in _installed():
        offers.setdefault(f"{distribution} {version}", []).append((kind, name, distribution))
    total = sum(len(wanted) for wanted in offers.values())
    found: list[Finding] = []

    def package(title: str) -> None:
        for finding in _examined(offers[title]):
            found.append(finding)
            advance(len(found))

    with Aside() as aside:
        system = _system(aside)
    with counter(total, "trying components") as advance, ThreadPoolExecutor(cores()) as several:
        for _ in several.map(package, offers):
            pass
    order = {kind: number for number, kind in enumerate((*registry.KINDS, "hook"))}
    found.sort(key=lambda f: (order[f.kind], f.name, f.distribution))
    return Checkup(system, packages(), found, _not_installed(), round(time.monotonic() - begun, 1))


def _installed() -> Iterator[tuple[str, str, str, str]]:
    """Kind, name, distribution and version of every offer and of every plugin's hooks."""
    for kind in registry.KINDS:
        for name, several in registry.offers(kind).items():
            for offer in several:
                yield kind, name, offer.distribution, offer.version
    for entry in entries(HOOKS):
        yield "hook", entry.name, *distribution_of(entry)


def _examined(wanted: Sequence[tuple[str, str, str]]) -> Iterator[Finding]:
    """What is found of the components of one package, one after another in one process."""
    with Aside() as aside:
        for kind, name, distribution in wanted:
            try:
                answer = aside.ask(
                    tryout.__name__, "examine", kind, name, distribution, limit=LIMIT
                )
            except Lost as error:
                answer = {
                    "state": "broken",
                    "why": str(error),
                    "mend": tryout.mend("", distribution),
                }
            version = version_of(distribution)
            yield Finding(kind, name, distribution, version, **answer)


def _not_installed() -> dict[str, list[str]]:
    """Packages of this project that would provide more, and what."""
    found: dict[str, list[str]] = {}
    for kind, names in registry.known().items():
        there = registry.offers(kind)
        for name, distribution in names.items():
            if name not in there and not version_of(distribution):
                found.setdefault(distribution, []).append(f"{kind} {name}")
    return dict(sorted(found.items()))


def _system(aside: Aside) -> dict[str, Any]:
    from qgen_core.simulators.simd.threads import cores

    try:
        cache = aside.ask(tryout.__name__, "compiled_code", limit=LIMIT)
    except Lost as error:
        cache = {"state": str(error), "pieces": 0, "bytes": 0, "folders": [], "writable": False}
    return {
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "executable": sys.executable,
        "cores": cores(),
        "memory_free": available_memory(),
        "compiled_code": cache,
    }


def as_text(checkup: Checkup) -> str:
    """The whole of it, to read."""
    system = checkup.system
    memory = "unknown" if system["memory_free"] is None else human(system["memory_free"])
    lines = [
        f"Python {system['python']} on {system['platform']}; {system['cores']} cores, {memory} of memory free",
        f"compiled code: {system['compiled_code']['state']}",
        "",
        "packages",
    ]
    for name, needs in checkup.packages.items():
        others = ", ".join(f"{n} {v or 'MISSING'}" for n, v in needs.items() if n != name)
        lines.append(f"  {name} {needs[name]}" + (f" with {others}" if others else ""))
    lines += [f"  {name} is not installed; `pip install {name}` brings {', '.join(more)}"
              for name, more in checkup.not_installed.items()]  # fmt: skip
    lines += ["", "components", *_offers(checkup), "", "backends", *_backends(checkup)]
    if checkup.broken:
        lines += ["", "broken"]
        for found in (f for f in checkup.findings if f.state == "broken"):
            lines += [f"  {found.kind} {found.name}: {found.why}", f"    try: {found.mend}"]
    return "\n".join(lines)


def _offers(checkup: Checkup) -> Iterator[str]:
    for kind in (*registry.KINDS, "hook"):
        names = checkup.names(kind)
        if names and kind != "backend":
            yield f"  {kind:<10} {', '.join(names)}"


def _backends(checkup: Checkup) -> Iterator[str]:
    for found in checkup.findings:
        if found.kind != "backend":
            continue
        who = f"{found.distribution} {found.version}"
        if found.state == "works":
            what = "wraps another" if found.wraps else f"gradients: {found.gradients}"
            what += ", channels" if found.noise and not found.wraps else ""
            yield f"  {found.name:<20} works   {found.seconds:6.2f} s  {who:<22} {what}"
        else:
            yield f"  {found.name:<20} {found.state:<15}  {who:<22} {'' if found.state == 'broken' else found.why}"
