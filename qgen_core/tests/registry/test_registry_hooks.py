"""Hooks of installed packages and of one run: called alike, with any subset of arguments."""

from __future__ import annotations

import logging
from typing import Any

import pytest

import qgen_core as qgen
from qgen_core.discovery.hooks import discovered, manager
from qgen_core.errors import BrokenPlugin, DataError

HOOKS = """
from qgen_core import hookimpl

class Facts:
    @hookimpl
    def environment(self):
        return {NAME!r: "1"}

facts = Facts()
"""


class Records:
    """A callback for one run that takes one argument of two."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @qgen.hookimpl
    def on_step(self, record: Any) -> None:
        self.seen.append(record)


def offer(shelf: Any, name: str, source: str | None = None, lines: str = "") -> None:
    """Install a package with a hook object."""
    text = source if source is not None else HOOKS.replace("NAME!r", repr(name))
    shelf.install(f"qgen-{name}", text, lines or f"[qgen.hooks]\n{name} = qgen_{name}:facts\n")


def test_a_hook_takes_any_subset_of_the_arguments(only_shelf: Any) -> None:
    class Both:
        def __init__(self) -> None:
            self.seen: list[Any] = []

        @qgen.hookimpl
        def on_step(self, problem: Any, record: Any) -> None:
            self.seen.append((problem, record))

        @qgen.hookimpl
        def on_fit_end(self) -> None:
            self.seen.append("end")

    one, both = Records(), Both()
    calls = manager([one, both])
    calls.on_step(problem="p", record={"step": 0})
    calls.on_fit_end(problem="p", history=None)
    assert one.seen == [{"step": 0}]
    assert both.seen == [("p", {"step": 0}), "end"]


def test_hooks_of_plugins_and_of_a_run_are_called_alike(only_shelf: Any) -> None:
    offer(only_shelf, "facts")

    class Mine:
        @qgen.hookimpl
        def environment(self) -> dict[str, str]:
            return {"mine": "2"}

    assert sorted(map(sorted, manager([Mine()]).environment())) == [["facts"], ["mine"]]
    assert manager().environment() == [{"facts": "1"}], "a callback is for its run only"


def test_an_object_offered_twice_is_called_once(only_shelf: Any) -> None:
    source = HOOKS.replace("NAME!r", "'once'")
    offer(
        only_shelf,
        "once",
        source,
        "[qgen.hooks]\nfirst = qgen_once:facts\nsecond = qgen_once:facts\n",
    )
    assert manager().environment() == [{"once": "1"}]
    again = Records()
    manager([again, again]).on_step(problem=None, record=1)
    assert again.seen == [1]


def test_two_objects_of_one_class_are_two_callbacks(only_shelf: Any) -> None:
    first, second = Records(), Records()
    manager([first, second]).on_step(problem=None, record=1)
    assert first.seen == second.seen == [1]


def test_two_modules_of_one_bare_name_are_two_plugins(only_shelf: Any) -> None:
    """pluggy goes by ``__name__``; two plugins may well call their objects alike."""
    for name in ("left", "right"):
        offer(only_shelf, name, HOOKS.replace("NAME!r", repr(name)) + "facts.__name__ = 'hooks'\n")
    assert sorted(manager().environment(), key=list) == [{"left": "1"}, {"right": "1"}]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import torch_that_is_absent\n", "No module named 'torch_that_is_absent'"),
        ("import sys\nsys.exit(1)\n", "it called exit(1) on import"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("", "AttributeError: module 'qgen_bad' has no attribute 'facts'"),
    ],
    ids=["missing", "exit", "exception", "attribute"],
)
def test_a_hook_module_that_fails_is_left_out_and_logged(
    only_shelf: Any, caplog: pytest.LogCaptureFixture, source: str, reason: str
) -> None:
    offer(only_shelf, "bad", source)
    offer(only_shelf, "good")
    with caplog.at_level(logging.WARNING, "qgen"):
        assert manager().environment() == [{"good": "1"}]
    assert [record.getMessage() for record in caplog.records] == [
        f"BrokenPlugin: hook 'bad' comes from qgen-bad 0.1.0, which could not be imported: "
        f"{reason}; "
        "its hooks are left out"
    ]
    caplog.clear()
    manager()
    assert not caplog.records, "said once"


def test_a_hook_that_asks_for_an_argument_there_is_not(
    only_shelf: Any, caplog: pytest.LogCaptureFixture
) -> None:
    source = (
        "from qgen_core import hookimpl\nclass Facts:\n    @hookimpl\n    def on_step(self, "
        "weather): ...\n"
        "    @hookimpl\n    def environment(self): return {'bad': '1'}\nfacts = Facts()\n"
    )
    offer(only_shelf, "bad", source)
    offer(only_shelf, "good")
    mine = Records()
    with caplog.at_level(logging.WARNING, "qgen"):
        calls = manager([mine])
    calls.on_step(problem=None, record=7)
    assert mine.seen == [7]
    assert calls.environment() == [{"good": "1"}], "of a plugin that does not fit nothing is called"
    assert len(caplog.records) == 1
    assert "weather" in caplog.records[0].getMessage()

    class Wrong:
        @qgen.hookimpl
        def on_step(self, weather: Any) -> None: ...

    with pytest.raises(
        BrokenPlugin, match=r"hooks do not fit: Plugin 'Wrong' for hook 'on_step'.*weather"
    ):
        manager([Wrong()])


FAILING = """
from qgen_core import hookimpl
from qgen_core.errors import DataError
class Facts:
    @hookimpl
    def on_step(self): raise ValueError("a shape")
    @hookimpl
    def on_epoch(self): raise DataError("said by the plugin")
    @hookimpl
    def on_fit_end(self): raise SystemExit(3)
    @hookimpl
    def environment(self): return ["driver"]
    @hookimpl
    def report_sections(self): return None
facts = Facts()
"""


@pytest.mark.parametrize(
    ("hook", "arguments", "error", "said"),
    [
        (
            "on_step",
            ("problem", "record"),
            BrokenPlugin,
            "hook 'on_step' of qgen-bad 0.1.0 failed: ValueError: a shape",
        ),
        (
            "on_fit_end",
            ("problem", "history"),
            BrokenPlugin,
            "hook 'on_fit_end' of qgen-bad 0.1.0 failed: SystemExit: 3",
        ),
        (
            "environment",
            (),
            BrokenPlugin,
            "hook 'environment' of qgen-bad 0.1.0 returned a list instead of a Mapping",
        ),
        ("on_epoch", ("problem", "epoch"), DataError, "said by the plugin"),
    ],
)
def test_a_hook_that_fails_names_its_package(
    only_shelf: Any,
    hook: str,
    arguments: tuple[str, ...],
    error: type[Exception],
    said: str,
) -> None:
    offer(only_shelf, "bad", FAILING)
    calls = manager([Records()])
    with pytest.raises(error) as caught:
        getattr(calls, hook)(**dict.fromkeys(arguments))
    assert str(caught.value) == f"{error.__name__}: {said}"
    assert calls.report_sections(material={}) == []


def test_what_a_callback_of_the_run_raises_is_left_as_it_is(only_shelf: Any) -> None:
    class Ends:
        @qgen.hookimpl
        def on_step(self) -> None:
            raise StopIteration("enough")

    offer(only_shelf, "facts")
    with pytest.raises(StopIteration, match="enough"):
        manager([Ends()]).on_step(problem=None, record={})


def test_qgen_plugins_limits_hooks(only_shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(only_shelf, "one")
    offer(only_shelf, "two")
    monkeypatch.setenv("QGEN_PLUGINS", "qgen-two")
    assert manager().environment() == [{"two": "1"}]


def test_hooks_are_imported_once(only_shelf: Any) -> None:
    offer(only_shelf, "one")
    assert discovered() is discovered()
