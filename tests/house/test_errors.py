"""The error tree is a promise: codes and exit statuses mean one thing each."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from holdfast import errors
from tests.house.source import modules

SHELL_STATUSES = {0, *range(64, 79), *range(125, 256)}
"""Success, sysexits, and what shells use for signals and for commands they could not run."""


def _tree(root: type[errors.HoldfastError]) -> Iterator[type[errors.HoldfastError]]:
    yield root
    for leaf in root.__subclasses__():
        if leaf.__module__ == "holdfast.errors":
            yield from _tree(leaf)


ALL = list(_tree(errors.HoldfastError))


def test_codes_are_unique() -> None:
    codes = [error.code for error in ALL]
    assert sorted(codes) == sorted(set(codes))


def test_every_class_states_its_code() -> None:
    assert [error.__name__ for error in ALL if "code" not in vars(error)] == []


def test_exit_statuses_are_unique_where_a_class_states_one() -> None:
    """A class may leave the status to its parent, but no two state the same one."""
    stated = [error.exit_code for error in ALL if "exit_code" in vars(error)]
    assert sorted(stated) == sorted(set(stated))


def test_exit_statuses_leave_the_shell_its_own() -> None:
    assert {error.exit_code for error in ALL} & SHELL_STATUSES == set()


def test_the_list_in_the_module_names_every_class_under_its_parent() -> None:
    words = (errors.__doc__ or "").splitlines()
    for error in ALL:
        (line,) = [w for w in words if w.strip().startswith(f"* {error.__name__}")]
        depth = len(error.__mro__) - len(errors.HoldfastError.__mro__)
        assert line.index("*") == 4 * depth, error.__name__


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_the_default_hint_is_a_sentence(error: type[errors.HoldfastError]) -> None:
    hint = error.default_hint
    assert hint == "" or (hint[0].isupper() and hint.endswith("."))


def test_an_error_is_one_json_object() -> None:
    error = errors.PeerUnreachable("127.0.0.1:1 does not answer")
    assert error.as_dict() == {
        "event": "error",
        "code": "unreachable",
        "message": "127.0.0.1:1 does not answer",
        "hint": errors.PeerUnreachable.default_hint,
    }
    assert errors.PeerUnreachable("x", "Do this.").as_dict()["hint"] == "Do this."


def test_errors_that_users_meet_belong_to_the_tree() -> None:
    """A signal between two modules may stand outside; what a package exports may not."""
    exported = {
        name.value
        for module in modules()
        for node in module.tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
        for name in ast.walk(node.value)
        if isinstance(name, ast.Constant)
    }
    strays = [
        f"{module.name}.{node.name}"
        for module in modules()
        if module.name != "holdfast.errors"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and node.name in exported
        if {getattr(base, "id", "") for base in node.bases} & {"Exception", "BaseException"}
    ]
    assert strays == []
