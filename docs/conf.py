"""Settings of the documentation; build it with ``make docs``."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "qgen"
author = "the qgen authors"
copyright = author  # Sphinx asks for this name
release = version = version_of("qgen-core")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "qgen_backends",
    "qgen_components",
    "qgen_docstrings",
    "qgen_mathml",
]
# benchmarks/ and the subfolders of studies/ hold results that pages include; they are no pages.
exclude_patterns = ["_build", "studies/*/**", "benchmarks/**", "**/.ipynb_checkpoints"]
highlight_language = "none"
nitpicky = True
nitpick_ignore_regex = [
    ("py:class", ".*")
]  # types of numpy and the standard library, without their inventories

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3

# Pages with code cells are executed at each build; a cell that fails or is slow stops it.
nb_execution_mode = "force"
nb_execution_excludepatterns = ["gallery/*"]  # stored by `make gallery`
nb_execution_timeout = 120  # a cell takes a second, but machines are shared
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "special-members": "__call__"}
autodoc_preserve_defaults = True
autodoc_type_aliases = {
    name: name for name in ("Array", "Floats", "Rng", "Inputs", "Hooks", "Folder")
}
napoleon_numpy_docstring = False
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["qgen.css"]
html_title = "qgen"
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "qgen"},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": [],
    "footer_end": [],
    "show_prev_next": True,
}
html_sidebars = {"**": ["sidebar-nav-bs"], "index": [], "start": []}
html_context = {"default_mode": "auto"}
