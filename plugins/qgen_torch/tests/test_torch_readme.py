"""The example of the README runs."""

from __future__ import annotations

from pathlib import Path


def test_readme_example_runs() -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    assert len(code.strip().splitlines()) <= 14
    exec(compile(code, "README.md", "exec"), {})
