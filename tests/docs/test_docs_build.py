"""The documentation builds without a warning, lists every component and public name, and loads
nothing from other sites.
"""

from __future__ import annotations

import html
import json
import posixpath
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import pytest
from docs_blocks import ROOT
from public_names import public_names

import qgen_core as qgen
from qgen_core import interfaces
from qgen_core.discovery.registry import KINDS, known_providers

NEEDED = ("sphinx", "myst_nb", "pydata_sphinx_theme")
missing = [name for name in NEEDED if find_spec(name) is None]
pytestmark = pytest.mark.skipif(
    bool(missing), reason=f"needs docs/requirements.txt; {missing} not installed"
)
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built pages; a warning of Sphinx fails the build and all tests here."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q"]
    done = subprocess.run(
        [*command, "-d", str(folder / "trees"), str(DOCS), str(folder / "html")],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


class Loaded(HTMLParser):
    """Addresses that a browser fetches to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in ("script", "img", "iframe", "source", "video", "audio", "embed"):
            self.fetched.append(found.get("src") or "")
        elif tag == "link" and found.get("rel") not in (
            "canonical",
            "next",
            "prev",
            "index",
            "search",
            "author",
        ):
            self.fetched.append(found.get("href") or "")


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        outside = [address for address in loaded.fetched if re.match(r"(https?:)?//", address)]
        assert outside == [], page.name
    for style in site.rglob("*.css"):
        assert not re.search(
            r"(url\(|@import)\s*['\"]?(https?:)?//", style.read_text(encoding="utf-8")
        ), style.name


def test_every_component_is_in_the_reference_with_its_options(site: Path) -> None:
    packages: set[str] = set()
    for by_name in known_providers().values():
        packages |= set(by_name.values())
    seen = 0
    for kind in KINDS:
        page = site / "reference" / f"{kind}.html"
        text = ""
        if page.exists():
            text = html.unescape(page.read_text(encoding="utf-8"))
        for name in qgen.names(kind):
            found = qgen.describe(kind, name)
            if found.distribution not in packages:
                continue
            opening = f'<section id="{name.replace("_", "-")}">'
            section = text.partition(opening)[2].partition("</section>")[0]
            assert f"{name}<a" in section, f"{kind} {name} is missing"
            expected = [option.name for option in found.options]
            cells = re.findall(
                r'<code[^>]*><span class="pre">(\w+)</span></code></p></td>', section
            )
            assert expected == [cell for cell in cells if cell in expected]
            seen += 1
    assert seen > 40


def described_names(site: Path) -> set[str]:
    """The names in Python that the pages describe."""
    from sphinx.util.inventory import InventoryFile

    with open(site / "objects.inv", "rb") as file:
        inventory = InventoryFile.load(file, "", posixpath.join)
    described = set()
    for role, items in inventory.items():
        if role.startswith("py:"):
            described |= set(items)
    return described


def test_each_method_of_the_contract_is_on_its_page(site: Path) -> None:
    """Those that a component has to implement, ``__call__`` too, and what a trainer is given."""
    described = described_names(site)
    contract = "qgen_core.interfaces"
    required = {f"{contract}.Problem"}
    for name, value in vars(interfaces).items():
        if hasattr(value, "__qgen_kind__"):
            for method in value.__abstractmethods__:
                required.add(f"{contract}.{name}.{method}")
    assert {f"{contract}.Loss.__call__", f"{contract}.Generator.sample"} <= required
    assert required - described == set()


def test_each_public_name_is_on_an_api_page(site: Path) -> None:
    """Under its own name, or under the name of the public module that it comes from."""
    described = described_names(site)
    values = {id(public.value) for public in public_names() if str(public) in described}
    lacking = {str(public) for public in public_names() if id(public.value) not in values}
    assert lacking == set(), "describe these, a constant by a comment that begins with #:"


def test_code_cells_were_executed_and_drew_their_figures(site: Path) -> None:
    for name in ("python", "metrics"):
        text = (site / f"{name}.html").read_text(encoding="utf-8")
        cells = (DOCS / f"{name}.md").read_text(encoding="utf-8").count("```{code-cell}")
        assert text.count('class="cell_output') >= cells - 1 > 0
        assert 'src="_images/' in text


def test_the_picture_of_the_flow_is_in_the_concepts(site: Path) -> None:
    text = (site / "concepts.html").read_text(encoding="utf-8")
    assert '<svg class="flow"' in text and "The flow of training" in text


def test_errors_are_listed_with_their_exit_codes(site: Path) -> None:
    text = re.sub(r"<[^>]+>", " ", (site / "errors.html").read_text(encoding="utf-8"))
    assert re.search(r"\b75\s+Interrupted\s+A signal or the time limit stopped the work", text)


def test_backends_are_tabled_with_what_they_can_do(site: Path) -> None:
    rows = re.findall(
        r"<tr.*?</tr>", (site / "backends.html").read_text(encoding="utf-8"), flags=re.DOTALL
    )
    table = [re.sub(r"<[^>]+>", " ", row).split() for row in rows]
    found = {cells[0]: " ".join(cells[1:]) for cells in table if cells}
    assert set(known_providers()["backend"]) <= set(found)
    assert found["statevector"] == "qgen-core exact no adjoint complex128 all"
    assert found["density"].startswith("qgen-core exact yes")
    measured = json.loads(
        (ROOT / "benchmarks" / "results" / "latest.json").read_text(encoding="utf-8")
    )["cases"]
    for name, cells, kinds in (
        ("lightning", "exact no adjoint complex128 all", ("probabilities", "gradient")),
        ("qsim", "exact no parameter-shift complex64 all", ("probabilities",)),
    ):
        package = known_providers()["backend"][name]
        if name not in qgen.names("backend"):
            folder = package.replace("-", "_")
            assert found[name] == f"pip install ./plugins/{folder}"
            continue
        said, *shown = re.split(r" (?=[0-9.e+]+ ms)", found[name])
        assert said == f"{package} {cells}" and len(shown) == len(kinds)
        for kind, text in zip(kinds, shown, strict=True):
            (case,) = (case for case in measured if case["id"] == f"adapters/{name}/{kind}")
            (seconds,) = (row["median"] for row in case["rows"] if row["label"] == "qgen's adapter")
            assert float(text.removesuffix(" ms")) == pytest.approx(1e3 * seconds, rel=0.005)
