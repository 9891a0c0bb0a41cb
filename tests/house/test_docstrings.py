"""Every public name says what it promises."""

from __future__ import annotations

import ast
import functools

from tests.house.source import Module, Public, decorators, modules, public_names

_NO_WORDS_NEEDED = {"overload", "setter", "deleter"}


@functools.cache
def _said_by_bases() -> dict[str, tuple[list[str], set[str]]]:
    """Class name to (its bases, the members whose contract it states)."""
    classes: dict[str, tuple[list[str], set[str]]] = {}
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                bases = [b.attr if isinstance(b, ast.Attribute) else getattr(b, "id", "")
                         for b in node.bases]  # fmt: skip
                said = {
                    member.name
                    for member in node.body
                    if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef)
                    and ast.get_docstring(member)
                }
                classes[node.name] = (bases, said)
    return classes


def _inherits_contract(public: Public) -> bool:
    """A method that keeps the promise its base states needs no second statement of it."""
    if public.owner is None:
        return False
    classes, member = _said_by_bases(), public.name.rpartition(".")[2]
    waiting, seen = list(classes[public.owner.name][0]), set[str]()
    while waiting:
        base = waiting.pop()
        if base in classes and base not in seen:
            seen.add(base)
            if member in classes[base][1]:
                return True
            waiting += classes[base][0]
    return False


def _silent(module: Module) -> list[str]:
    return [
        f"{module.path.name}: {public}"
        for public in public_names(module)
        if not decorators(public.node) & _NO_WORDS_NEEDED
        and not ast.get_docstring(public.node)
        and not _inherits_contract(public)
    ]


def test_every_public_name_has_a_docstring() -> None:
    silent = [line for module in modules() for line in _silent(module)]
    assert silent == []


def test_every_first_line_is_a_sentence_of_its_own() -> None:
    """Tools show the first line alone: it must fit, and not go on into the next."""
    ragged = []
    for module in modules():
        for public in public_names(module):
            first, _, rest = (ast.get_docstring(public.node) or ".").partition("\n")
            if rest and rest[0] != "\n":
                ragged.append(f"{public}: {first}")
    assert ragged == []
