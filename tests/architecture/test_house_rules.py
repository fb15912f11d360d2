"""What no source may hold: code run from data, hidden randomness, swallowed errors, local paths."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable, Iterator

import house
import pytest

from qgen_core.discovery import registry

#: Modules that run what they read, or that hold a global random state.
MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "joblib",
    "random",
    "imp",
}
#: Functions that run text.
CALLS = {"eval", "exec", "compile", "__import__"}
#: What may be taken from ``numpy.random``: classes with a state of their own.
RANDOM = {
    "Generator",
    "SeedSequence",
    "BitGenerator",
    "Philox",
    "PCG64",
    "PCG64DXSM",
    "default_rng",
}
PLACES = re.compile(
    r"(?:/(?:home|root|work|tmp|Users|mnt|scratch|opt)/\w)|(?:\b[A-Z]:\\\\)|(?:\blocalhost\b)|(?:\b127\.0\.0\.1\b)"
)


def dotted(node: ast.AST) -> str:
    """``a.b.c`` of an attribute chain, or an empty string."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def executes(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Imports and calls that run what is read."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            tops = {
                name.partition(".")[0]
                for name in ([module] if module else [a.name for a in node.names])
            }
            yield from ((node, f"imports {name}") for name in tops & MODULES)
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            if name in CALLS or name in {
                "torch.load",
                "yaml.load",
                "os.system",
                "np.loads",
                "numpy.loads",
            }:
                yield node, f"calls {name}"
            for keyword in node.keywords:
                if keyword.arg in {"allow_pickle", "shell"} and getattr(
                    keyword.value, "value", True
                ):
                    yield node, f"passes {keyword.arg}"


def random_state(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """The global random state of numpy or torch, and generators without a seed."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "numpy.random":
            yield from ((node, f"imports {a.name}") for a in node.names if a.name not in RANDOM)
        name = dotted(node) if isinstance(node, ast.Attribute) else ""
        match = re.fullmatch(r"(?:np|numpy)\.random\.(\w+)", name)
        if match and match[1] not in RANDOM:
            yield node, f"uses {name}"
        if isinstance(node, ast.Call) and not node.args and not node.keywords:
            called = dotted(node.func)
            if called.endswith("default_rng") or called.endswith("SeedSequence"):
                yield node, f"{called} without a seed"


def swallows(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Bare ``except``, ``except Exception: pass``, and what is announced instead of done."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            wide = node.type is None or dotted(node.type) in {"Exception", "BaseException"}
            if node.type is None or (
                wide and all(isinstance(s, ast.Pass | ast.Continue) for s in node.body)
            ):
                yield node, "swallows every error"
        if isinstance(node, ast.Name) and node.id == "NotImplementedError":
            yield node, "NotImplementedError"


RULES: dict[str, Callable[[ast.AST], Iterator[tuple[ast.AST, str]]]] = {
    "nothing that is read is executed": executes,
    "no hidden randomness": random_state,
    "no error is swallowed": swallows,
}


@pytest.mark.parametrize("rule", RULES)
def test_all_sources_keep(rule: str) -> None:
    found = [
        f"{house.where(path, n)} {what}"
        for path in house.source_files()
        for n, what in RULES[rule](house.parsed(path))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (executes, "import pickle"),
        (executes, "from joblib import load"),
        (executes, "import os, marshal"),
        (executes, "eval('1')"),
        (executes, "x = exec(text)"),
        (executes, "torch.load(path)"),
        (executes, "np.load(path, allow_pickle=True)"),
        (executes, "run(text, shell=True)"),
        (random_state, "import numpy as np\nnp.random.seed(3)"),
        (random_state, "x = numpy.random.rand(3)"),
        (random_state, "from numpy.random import normal"),
        (random_state, "rng = np.random.default_rng()"),
        (swallows, "try:\n    f()\nexcept:\n    raise"),
        (swallows, "try:\n    f()\nexcept Exception:\n    pass"),
        (swallows, "def f():\n    raise NotImplementedError"),
    ],
)
def test_each_rule_notices(
    rule: Callable[[ast.AST], Iterator[tuple[ast.AST, str]]], source: str
) -> None:
    assert len(list(rule(ast.parse(source)))) == 1


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (
            executes,
            "re.compile('x')\nmodel.eval()\nnp.load(path, allow_pickle=False)\nimport copyreg",
        ),
        (
            random_state,
            "rng = np.random.default_rng(seed)\nx = rng.normal()\ny: np.random.Generator",
        ),
        (
            swallows,
            "try:\n    f()\nexcept OSError:\n    pass\nexcept Exception as error:\n    log(error)",
        ),
    ],
)
def test_the_rules_leave_the_rest_alone(
    rule: Callable[[ast.AST], Iterator[tuple[ast.AST, str]]], source: str
) -> None:
    assert list(rule(ast.parse(source))) == []


def test_no_place_of_one_machine_is_named() -> None:
    settings = [
        *house.ROOT.glob("*.toml"),
        *house.ROOT.glob("*/pyproject.toml"),
        *house.ROOT.glob("plugins/*/pyproject.toml"),
    ]
    recipes = list((house.ROOT / "recipes").rglob("*.toml"))
    found = [
        f"{house.where(path)}:{number} {line.strip()}"
        for path in [*house.source_files(), *settings, *recipes]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if PLACES.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line", ["open('/home/someone/x')", "p = '/work/main'", "http://localhost:80", "'/tmp/x'"]
)
def test_places_are_noticed(line: str) -> None:
    assert PLACES.search(line)


def test_nothing_is_left_to_do() -> None:
    mark = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    found = [
        f"{house.where(path)}:{number}"
        for path in house.source_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if mark.search(line)
    ]
    assert found == []


def test_continuous_integration_checks_types_and_style_once() -> None:
    """``make test``, which CI calls, runs ruff and mypy; so no test starts them again."""
    target = (
        (house.ROOT / "Makefile")
        .read_text(encoding="utf-8")
        .partition("\ntest:")[2]
        .partition("\n\n")[0]
    )
    for command in ("ruff check .", "ruff format --check .", "bin/mypy", "pytest"):
        assert command.replace("bin/", "(BIN)/") in target or command in target
    assert "make test" in (house.ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_a_message_can_name_the_package_of_every_component() -> None:
    """The list of names that messages use holds what the packages offer, but for the template."""
    for kind, group in registry.KINDS.items():
        offered = {}
        for source in house.SOURCES:
            text = (source.parent / "pyproject.toml").read_text(encoding="utf-8")
            project = tomllib.loads(text)["project"]
            for name in project.get("entry-points", {}).get(group, {}):
                offered[name] = project["name"]
        given = {name: of for name, of in offered.items() if of != "qgen-template"}
        assert registry.known_providers().get(kind, {}) == given, kind
