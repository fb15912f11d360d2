"""The gallery: its stored results are those of its pages, its prose is honest, its pages run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from docs_blocks import ROOT

NEEDED = ("jupytext", "nbclient", "nbformat")
missing = [name for name in NEEDED if find_spec(name) is None]
if missing:
    pytest.skip(f"needs docs/requirements.txt; no {missing}", allow_module_level=True)

sys.path.insert(0, str(ROOT / "docs"))

import make_gallery  # noqa: E402
import nbformat  # noqa: E402

PAGES = make_gallery.pages()
#: Pages that take a few seconds, and run each time.
QUICK = ("born_machine", "noise_mitigation")
#: The most bytes of a picture.
LARGEST = 150_000

of_each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def stored(page: Path) -> Any:
    return nbformat.read(page.with_suffix(".ipynb"), as_version=4)


def test_there_are_eleven_pages_and_the_index_shows_each() -> None:
    assert len(PAGES) == 11
    index = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    for page in PAGES:
        assert f"(gallery/{page.stem}.png)" in index
        assert f"(gallery/{page.stem}.ipynb)" in index
        assert f"\ngallery/{page.stem}\n" in index


@of_each_page
def test_the_stored_results_are_those_of_the_page(page: Path) -> None:
    """Else run `make gallery`."""
    expected = [(cell.cell_type, cell.source) for cell in make_gallery.notebook_of(page).cells]
    assert [(cell.cell_type, cell.source) for cell in stored(page).cells] == expected
    for cell in stored(page).cells:
        if cell.cell_type == "code":
            assert cell.execution_count is not None
            assert all(output.output_type != "error" for output in cell.outputs)


@of_each_page
def test_a_page_opens_with_its_picture_and_a_question(page: Path) -> None:
    opening = stored(page).cells[0].source
    title, picture, question, *said = opening.split("\n\n")
    assert title.startswith("# ")
    assert picture.endswith(f"]({page.stem}.png)")
    assert re.fullmatch(r"\*\*.+\?\*\*|\*\*.+\?.+\*\*", question, flags=re.DOTALL)
    assert re.search("stand-in|simulat", " ".join(said))
    assert page.with_suffix(".png").stat().st_size < LARGEST


@of_each_page
def test_numbers_of_the_prose_are_in_the_code_or_printed(page: Path) -> None:
    prose = ""
    shown = ""
    for cell in stored(page).cells:
        if cell.cell_type == "markdown":
            prose += re.sub(r"\]\([^)]*\)", "]", cell.source)
            continue
        shown += cell.source.replace("_", "")
        for output in cell.outputs:
            shown += output.get("text", "") + output.get("data", {}).get("text/plain", "")
    prose = re.sub(r"PYTHIA 8|Geant4|`[^`]*`", "", prose).replace(",0", "0")
    numbers = set(re.findall(r"\d+(?:\.\d+)?", prose))
    assert {number for number in numbers if number not in shown} == set()


@of_each_page
def test_no_path_of_a_computer_is_stored(page: Path) -> None:
    text = page.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert not re.search(r"/(tmp|home|root|Users|var)/", text)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.stem, marks=[] if page.stem in QUICK else pytest.mark.long)
        for page in PAGES
    ],
)
def test_a_page_runs_and_draws_its_picture(page: Path, tmp_path: Path) -> None:
    compile(page.read_text(encoding="utf-8"), page.name, "exec")
    done = subprocess.run(
        [sys.executable, str(page)],
        cwd=tmp_path,
        env=os.environ | {"MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"{page.stem}.png").read_bytes().startswith(b"\x89PNG")


def test_a_page_is_run_again_when_its_text_or_the_code_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []

    def run(page: Path, results: Path) -> None:
        runs.append(page.read_text(encoding="utf-8"))
        results.mkdir(parents=True)
        (results / "mine.ipynb").write_text(f"results of {runs[-1]}", encoding="utf-8")

    stored_at = tmp_path / "gallery"
    stored_at.mkdir()
    monkeypatch.setattr(make_gallery, "run", run)
    monkeypatch.setattr(make_gallery, "FOLDER", stored_at)
    page = tmp_path / "mine.py"
    for text, code in (("a", "1"), ("a", "1"), ("b", "1"), ("b", "2"), ("a", "1")):
        page.write_text(text, encoding="utf-8")
        make_gallery.run_cached(page, tmp_path / "cache", code)
        shown = (stored_at / "mine.ipynb").read_text(encoding="utf-8")
        assert shown == f"results of {text}"
    assert runs == ["a", "b", "b"]
