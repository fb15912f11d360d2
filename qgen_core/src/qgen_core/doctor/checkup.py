"""What is installed, what of it works, and why the rest does not: ``qgen doctor``.

Every component is imported, and every backend runs a circuit whose result is known. Each package
gets a process of its own, so that what it does on import, a crash included, does not affect the
others. A remote backend is never run; its class may have a class method ``missing_account()`` that
returns what the account lacks (empty: nothing) without contacting the service.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from qgen_core.discovery import registry
from qgen_core.discovery.contract import CONTRACT
from qgen_core.discovery.entry_points import (
    CORE,
    contracts_of,
    distribution_of,
    entries,
    packages,
    version_of,
)
from qgen_core.discovery.hooks import GROUP as HOOKS
from qgen_core.discovery.install_hints import source_of
from qgen_core.doctor import probe
from qgen_core.doctor.child_process import ChildLost, ChildProcess
from qgen_core.runs.progress import counter
from qgen_core.support.resources import available_memory, cores, readable_size

#: Seconds that one component may take; the engine may have to be compiled in them.
TIMEOUT = 180.0
#: Seconds that the import of one module may take.
IMPORT_TIMEOUT = 60.0

State = Literal["works", "broken", "remote", "needs options"]


@dataclass(frozen=True)
class Component:
    """An installed component, and the module that it is imported from."""

    kind: str
    name: str
    distribution: str
    version: str
    module: str


@dataclass(frozen=True)
class Finding:
    """The state of one component.

    ``why`` says what is wrong, or why a backend was not run, and ``mend`` is a command that may
    repair it. For a backend that works: whether it ``wraps`` another one, runs circuits with
    channels (``noise``), and how it computes ``gradients``.
    """

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
    """The result of ``qgen doctor``, and the seconds that it took.

    ``contracts`` are those that each plugin declares, and the one that the core offers.

    >>> cirq = Finding("backend", "cirq", "qgen-cirq", "0.1.0", "broken")
    >>> Checkup(system={}, packages={}, findings=[cirq], not_installed={}).broken
    ['backend cirq']
    """

    system: Mapping[str, Any]
    packages: Mapping[str, Mapping[str, str]]
    findings: Sequence[Finding]
    not_installed: Mapping[str, Sequence[str]]
    seconds: float = 0.0
    contracts: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def broken(self) -> list[str]:
        """Kind and name of each component that is installed and does not work."""
        return [f"{found.kind} {found.name}" for found in self.findings if found.state == "broken"]

    @property
    def remote(self) -> list[str]:
        """The names of the backends that run elsewhere."""
        return [found.name for found in self.findings if found.state == "remote"]

    def names(self, kind: str = "backend", *, noise: bool = False) -> list[str]:
        """The components of a kind that work without another one to wrap.

        With ``noise``, only those that run circuits with channels.
        """
        names = []
        for found in self.findings:
            works = found.kind == kind and found.state == "works" and not found.wraps
            if works and (found.noise or not noise):
                names.append(found.name)
        return names

    def data(self) -> dict[str, Any]:
        """The whole result as data that JSON can hold."""
        return asdict(self) | {"broken": self.broken}


def check() -> Checkup:
    """Import and try everything that is installed, several packages at a time."""
    begun = time.monotonic()
    by_package = _by_package(_installed())
    number = sum(len(components) for components in by_package.values())
    findings: list[Finding] = []

    def examine_package(package: str) -> None:
        for finding in _examine(by_package[package]):
            findings.append(finding)
            advance(len(findings))

    with ChildProcess() as child:
        system = _system(child)
    with counter(number, "trying components") as advance, ThreadPoolExecutor(cores()) as pool:
        for _ in pool.map(examine_package, by_package):
            pass  # raises here what a thread raised
    kinds = [*registry.KINDS, "hook"]
    findings.sort(key=lambda found: (kinds.index(found.kind), found.name, found.distribution))
    seconds = round(time.monotonic() - begun, 1)
    return Checkup(system, packages(), findings, _not_installed(), seconds, _contracts())


def _contracts() -> dict[str, list[str]]:
    """The contracts of the core and of each plugin."""
    contracts = {name: contracts_of(name) for name in packages()}
    contracts[CORE] = [str(CONTRACT)]
    return contracts


def _installed() -> set[Component]:
    """Every component and every plugin's hooks."""
    found = set()
    for kind, group in (*registry.KINDS.items(), ("hook", HOOKS)):
        for entry in entries(group):
            module = entry.value.partition(":")[0]
            found.add(Component(kind, entry.name, *distribution_of(entry), module))
    return found


def _by_package(components: Collection[Component]) -> dict[str, list[Component]]:
    """The components of each package; first the packages with backends.

    Those import SDKs, which takes longest: no process is to begin with one when the others end.
    """
    runs_circuits = {one.distribution for one in components if one.kind == "backend"}
    ordered = sorted(components, key=lambda one: one.distribution not in runs_circuits)
    found: dict[str, list[Component]] = {}
    for component in ordered:
        package = f"{component.distribution} {component.version}"
        found.setdefault(package, []).append(component)
    return found


def _examine(components: Sequence[Component]) -> Iterator[Finding]:
    """Findings about the components of one package, tried one after another in one process.

    Of a module whose import takes its process down, or does not end, nothing more is tried.
    """
    lost: dict[str, str] = {}
    with ChildProcess() as child:
        for component in components:
            if component.module not in lost:
                lost[component.module] = _import(child, component.module)
            why = lost[component.module]
            result: dict[str, Any] = {}
            if not why:
                try:
                    result = child.call(
                        probe.__name__,
                        "examine",
                        component.kind,
                        component.name,
                        component.distribution,
                        timeout=TIMEOUT,
                    )
                except ChildLost as error:
                    why = str(error)
            if why:
                command = probe.repair_command("", component.distribution)
                result = {"state": "broken", "why": why, "mend": command}
            yield Finding(
                component.kind,
                component.name,
                component.distribution,
                component.version,
                **result,
            )


def _import(child: ChildProcess, module: str) -> str:
    """Import a module in the child; why its process was lost, empty if it was not."""
    try:
        child.call("os", "getpid", timeout=TIMEOUT)  # its start is not a part of the import
        child.call(probe.__name__, "import_module", module, timeout=IMPORT_TIMEOUT)
    except ChildLost as error:
        return f"importing {module}: {error}"
    return ""


def _not_installed() -> dict[str, list[str]]:
    """Packages of this project that are not installed, with the components they would add."""
    found: dict[str, list[str]] = {}
    for kind, providers in registry.known_providers().items():
        available = registry.offers(kind)
        for name, distribution in providers.items():
            if name not in available and not version_of(distribution):
                found.setdefault(distribution, []).append(f"{kind} {name}")
    return dict(sorted(found.items()))


def _system(child: ChildProcess) -> dict[str, Any]:
    try:
        cache = child.call(probe.__name__, "compiled_code", timeout=TIMEOUT)
    except ChildLost as error:
        cache = {
            "state": str(error),
            "pieces": 0,
            "bytes": 0,
            "folders": [],
            "writable": False,
            "removed": {"damaged": 0, "outdated": 0},
            "in_the_way": [],
        }
    return {
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "executable": sys.executable,
        "cores": cores(),
        "memory_free": available_memory(),
        "compiled_code": cache,
    }


def as_text(checkup: Checkup) -> str:
    """The report that ``qgen doctor`` prints."""
    system = checkup.system
    memory = "unknown"
    if system["memory_free"] is not None:
        memory = readable_size(system["memory_free"])
    lines = [
        f"Python {system['python']} on {system['platform']}; {system['cores']} cores, "
        f"{memory} of memory free",
        f"compiled code: {system['compiled_code']['state']}",
        "",
        "packages",
        *_package_lines(checkup),
        "",
        "components",
        *_component_lines(checkup),
        "",
        "backends",
        *_backend_lines(checkup),
    ]
    if checkup.broken:
        lines += ["", "broken", *_broken_lines(checkup)]
    return "\n".join(lines)


def _package_lines(checkup: Checkup) -> Iterator[str]:
    for name, versions in checkup.packages.items():
        requirements = []
        for requirement, version in versions.items():
            if requirement != name:
                requirements.append(f"{requirement} {version or 'MISSING'}")
        contracts = ", ".join(checkup.contracts.get(name, ())) or "none declared"
        line = f"  {name} {versions[name]} (contract {contracts})"
        if requirements:
            line += f" with {', '.join(requirements)}"
        yield line
    for name, components in checkup.not_installed.items():
        source = source_of(name)
        yield f"  {name} is not installed; {source} provides {', '.join(components)}"


def _component_lines(checkup: Checkup) -> Iterator[str]:
    for kind in (*registry.KINDS, "hook"):
        names = checkup.names(kind)
        if names and kind != "backend":
            yield f"  {kind:<10} {', '.join(names)}"


def _backend_lines(checkup: Checkup) -> Iterator[str]:
    for found in checkup.findings:
        if found.kind != "backend":
            continue
        package = f"{found.distribution} {found.version}"
        if found.state != "works":
            why = found.why
            if found.state == "broken":
                why = ""  # the section "broken" says it
            yield f"  {found.name:<20} {found.state:<15}  {package:<22} {why}"
            continue
        what = f"gradients: {found.gradients}"
        if found.wraps:
            what = "wraps another"
        elif found.noise:
            what += ", channels"
        yield f"  {found.name:<20} works   {found.seconds:6.2f} s  {package:<22} {what}"


def _broken_lines(checkup: Checkup) -> Iterator[str]:
    for found in checkup.findings:
        if found.state == "broken":
            yield f"  {found.kind} {found.name}: {found.why}"
            yield f"    try: {found.mend}"
