"""Write constraints-lowest.txt, the lock of the lowest versions of all dependencies.

    python -m release.locks

Each direct dependency is at the lower bound that its distribution declares; where two of them
exclude each other, at the lowest version that fits. Dependencies of dependencies are the newest
that go with these. ``uv`` resolves it, and takes its indexes from its own settings.
The tested newest versions are in constraints.txt, which is kept by hand.
"""

from __future__ import annotations

import re
import subprocess

from release.projects import ROOT, projects

LOWEST = ROOT / "constraints-lowest.txt"
NEWEST = ROOT / "constraints.txt"
#: What these lower bounds are for: the versions of Python that are declared, at their lowest.
PYTHON = "3.11"
#: What torch needs for graphics cards; its build for CPUs needs none of it.
FOR_GRAPHICS_CARDS = re.compile(r"(nvidia|cuda)-|triton\b")
HEADER = """\
# The lowest versions that were tested together; `python -m release.locks` writes this file.
# torch is the one of constraints.txt, of which a CPU build is at hand.
"""


def direct_requirements() -> list[str]:
    """What the distributions require from others, with their extras; torch as in NEWEST."""
    own = {project.name for project in projects()}
    found = set()
    for project in projects():
        for requirement in project.requirements(extras=True):
            if requirement.name not in own:
                found.add(str(requirement))
    newest = NEWEST.read_text(encoding="utf-8")
    torch = re.findall(r"^torch==\S+$", newest, re.MULTILINE)
    return sorted(found.union(torch))


def resolved(requirements: list[str]) -> list[str]:
    """The pins of the lowest versions of these requirements, sorted."""
    command = ["uv", "pip", "compile", "--quiet", "--python-version", PYTHON]
    options = ["--resolution", "lowest-direct", "--no-header", "--no-annotate", "-"]
    done = subprocess.run(
        [*command, *options],
        input="\n".join(requirements),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    pins = []
    for line in done.stdout.splitlines():
        if not FOR_GRAPHICS_CARDS.match(line):
            pins.append(line.partition("+")[0])
    return sorted(pins)


def main() -> None:
    """Write the lock."""
    pins = resolved(direct_requirements())
    LOWEST.write_text(HEADER + "\n".join(pins) + "\n", encoding="utf-8")
    print(f"{LOWEST.name}: {len(pins)} pins")


if __name__ == "__main__":
    main()
