"""Run the pages of the gallery and store what they show: ``make gallery``.

A page is a Python file of cells, in jupytext's percent format. It is run in a folder of its own,
where it saves its picture under its own name. The notebook with all outputs and the picture are
stored beside the page, and the documentation shows them without running anything.

With ``--cache FOLDER`` a page is run only if its text, the code of qgen or the pinned versions have
changed since its results came into the cache.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import jupytext
import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent / "gallery"
ROOT = FOLDER.parents[1]
#: The most seconds that a page may take.
LIMIT = 600
#: The line below the opening of each page.
DOWNLOADS = "Download this page: [notebook](path:{name}.ipynb), [Python file]({name}.py)"


def pages() -> list[Path]:
    """The sources of all pages."""
    return sorted(FOLDER.glob("*.py"))


def notebook_of(page: Path) -> nbformat.NotebookNode:
    """A page as a notebook without outputs. It is the same each time."""
    notebook = jupytext.read(page, fmt="py:percent")
    downloads = nbformat.v4.new_markdown_cell(DOWNLOADS.format(name=page.stem))
    notebook.cells.insert(1, downloads)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata = nbformat.NotebookNode(kernelspec=kernel)
    return notebook


def run(page: Path, results: Path) -> None:
    """Run a page and write its notebook and its picture into a folder."""
    notebook = notebook_of(page)
    metadata = notebook.metadata.copy()
    with TemporaryDirectory() as folder:
        place = {"metadata": {"path": folder}}
        client = NotebookClient(notebook, timeout=LIMIT, resources=place)
        client.record_timing = False
        client.coalesce_streams = True
        client.execute()
        notebook.metadata = metadata  # not the version of this Python
        drop_notes_on_fonts(notebook)
        results.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(folder, f"{page.stem}.png"), results)
        text = nbformat.writes(notebook).replace(f"{folder}/", "")
    (results / f"{page.stem}.ipynb").write_text(f"{text}\n", encoding="utf-8")


def drop_notes_on_fonts(notebook: nbformat.NotebookNode) -> None:
    """Leave out what matplotlib says about fonts that this computer lacks."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [
                output
                for output in cell.outputs
                if not output.get("text", "").startswith("findfont")
            ]


def code_hash() -> str:
    """A hash of the code of all packages and of the versions that they are tested with."""
    files = [ROOT / "constraints.txt"]
    files += sorted(ROOT.glob("qgen_core/src/**/*.py"))
    files += sorted(ROOT.glob("plugins/*/src/**/*.py"))
    found = hashlib.sha256()
    for file in files:
        found.update(file.relative_to(ROOT).as_posix().encode())
        found.update(file.read_bytes())
    return found.hexdigest()


def run_cached(page: Path, cache: Path, code: str) -> None:
    """Store the results of a page from the cache, and run the page first if they are not there."""
    key = hashlib.sha256(code.encode() + page.read_bytes()).hexdigest()
    results = cache / page.stem / key
    if not (results / f"{page.stem}.ipynb").exists():
        run(page, results)
    shutil.copytree(results, FOLDER, dirs_exist_ok=True)


def main() -> None:
    """Run the pages that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="names of pages, without .py")
    parser.add_argument("--cache", type=Path, help="a folder for results, used again if they fit")
    given = parser.parse_args()
    code = code_hash()
    for page in pages():
        if given.names and page.stem not in given.names:
            continue
        started = time.perf_counter()
        if given.cache is None:
            run(page, FOLDER)
        else:
            run_cached(page, given.cache, code)
        print(f"{page.stem}: {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
