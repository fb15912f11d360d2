"""The packages of the workers, which have to be those of the process that asks for results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from qgen_core.errors import BrokenPlugin
from qgen_core.studies import package_versions

if TYPE_CHECKING:
    from distributed import Client

#: What may differ: it changes no more than two processors do.
FREE = ("platform",)
ABSENT = "not installed"


def check(client: Client) -> None:
    """Compare the packages of all workers that are there. Raises BrokenPlugin with a table.

    A worker that dies while it is asked says nothing about its packages; those that replace it are
    found out when they run their first task.
    """
    answers = client.run(package_versions, on_error="return")
    said = {}
    for address, answer in answers.items():
        if not isinstance(answer, OSError | TimeoutError):
            said[address] = answer
    refuse_skew(package_versions(), said)


def refuse_skew(
    here: Mapping[str, str], answers: Mapping[str, Mapping[str, str] | BaseException]
) -> None:
    """Raise BrokenPlugin with a table of packages, versions and hosts, unless all are equal.

    ``here`` has the versions of the process that asks, ``answers`` those of each worker by its
    address, or why it could not say them.

    >>> refuse_skew({"numpy": "2.4.6"}, {"tcp://192.0.2.7:40001": {"numpy": "2.4.6"}})
    """
    rows: dict[tuple[str, str, str], list[str]] = {}
    for address, there in answers.items():
        for row in differences(here, there):
            rows.setdefault(row, []).append(host_of(address))
    if not rows:
        return
    lines = [("package", "here", "there", "hosts")]
    for row, hosts in sorted(rows.items()):
        lines.append((*row, ", ".join(sorted(set(hosts)))))
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    texts = []
    for line in lines:
        cells = [text.ljust(width) for text, width in zip(line, widths, strict=False)]
        texts.append("  " + "  ".join([*cells, line[3]]))
    raise BrokenPlugin(
        "workers have other packages than this process, so their results could differ; install "
        "the same ones there\n" + "\n".join(texts)
    )


def differences(
    here: Mapping[str, str], there: Mapping[str, str] | BaseException
) -> list[tuple[str, str, str]]:
    """Package, version here and version there, for each package that differs.

    >>> differences({"numpy": "2.4.6", "scipy": "1.17.1"}, {"numpy": "2.4.5", "scipy": "1.17.1"})
    [('numpy', '2.4.6', '2.4.5')]
    """
    if isinstance(there, BaseException):
        return [("qgen-core", here["qgen-core"], f"cannot be imported: {there}")]
    found = []
    for package in sorted({*here, *there} - set(FREE)):
        ours = here.get(package, ABSENT)
        theirs = there.get(package, ABSENT)
        if ours != theirs:
            found.append((package, ours, theirs))
    return found


def host_of(address: str) -> str:
    """The host in the address of a worker.

    >>> host_of("tls://192.0.2.7:40001")
    '192.0.2.7'
    """
    return address.rpartition("/")[2].rpartition(":")[0]
