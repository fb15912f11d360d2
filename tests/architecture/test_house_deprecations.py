"""What is deprecated names its replacement and the version of removal, and goes in that version.

docs/versions.md is the policy.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from house import parsed, source_files, where
from packaging.version import Version

import qgen_core as qgen

MESSAGE = re.compile(r"is deprecated: use \S.*\. It will be removed in (\d+\.\d+)\.$")


def messages(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """The message of each deprecation: of ``deprecated`` and of ``warn`` with DeprecationWarning.

    A message that is not a text in the code is empty.
    """
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = ast.unparse(node.func).rpartition(".")[2]
        arguments = [ast.unparse(argument) for argument in node.args]
        arguments += [ast.unparse(keyword.value) for keyword in node.keywords]
        if function == "deprecated" or (function == "warn" and "DeprecationWarning" in arguments):
            message = node.args[0] if node.args else None
            text = message.value if isinstance(message, ast.Constant) else ""
            yield node, str(text)


def fault(message: str, version: Version) -> str:
    """What is wrong with a message in this version; empty if nothing is."""
    match = MESSAGE.search(message)
    if match is None:
        return "says neither what to use nor when it will be removed"
    if version >= Version(match[1]):
        return f"was to be removed in {match[1]}"
    return ""


def test_deprecations_follow_the_policy() -> None:
    faults = []
    for path in source_files():
        for node, message in messages(parsed(path)):
            wrong = fault(message, Version(qgen.__version__))
            if wrong:
                faults.append(f"{where(path, node)} {wrong}")
    assert faults == []


GOOD = '"f is deprecated: use g. It will be removed in 0.4."'


@pytest.mark.parametrize(
    ("code", "version", "wrong"),
    [
        (f"@deprecated({GOOD})\ndef f(): ...", "0.3.9", ""),
        (f"@warnings.deprecated({GOOD})\nclass F: ...", "0.4.0", "was to be removed in 0.4"),
        (f"warnings.warn({GOOD}, DeprecationWarning, stacklevel=2)", "1.0", "was to be removed"),
        ("@deprecated('use g')\ndef f(): ...", "0.3", "says neither"),
        ("warn('old', category=DeprecationWarning)", "0.3", "says neither"),
        ("@deprecated(TEXT)\ndef f(): ...", "0.3", "says neither"),
    ],
)
def test_what_breaks_the_policy_is_found(code: str, version: str, wrong: str) -> None:
    ((_, message),) = messages(ast.parse(code))
    found = fault(message, Version(version))
    assert found.startswith(wrong) and bool(found) == bool(wrong)


def test_other_warnings_are_no_deprecations() -> None:
    assert list(messages(ast.parse("warnings.warn('slow', RuntimeWarning)"))) == []
