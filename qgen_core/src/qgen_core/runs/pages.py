"""Pages from the templates of this package; what is filled in is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any


def rendered(template: str, **values: Any) -> str:
    """A template of this package with its values filled in.

    >>> rendered("pre.html", text='a = "<b>"')
    '<pre>a = &#34;&lt;b&gt;&#34;</pre>'
    """
    return str(_environment().get_template(template).render(**values))


def short(value: Any) -> str:
    """A float with four digits, a mapping or list on one line, anything else as text.

    >>> short({"rate": 0.123456, "window": [0, 1]})
    'rate: 0.1235, window: 0, 1'
    """
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {short(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(short(v) for v in value)
    return str(value)


def _text_of(name: str) -> str:
    """The text of a file beside the templates."""
    return resources.files("qgen_core.runs").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_text_of),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.ChainableUndefined,
    )
    environment.filters["short"] = short
    environment.globals["text_of"] = _text_of  # of style sheets and scripts, which are no templates
    return environment
