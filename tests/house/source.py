"""The source of Holdfast as a tree to ask questions of, without importing it."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

REPO = Path(__file__).resolve().parents[2]
PACKAGE = REPO / "src" / "holdfast"

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Module(NamedTuple):
    """One file of the package."""

    path: Path
    tree: ast.Module
    lines: int

    @property
    def name(self) -> str:
        """Its dotted name, as an import statement would say it."""
        parts = self.path.relative_to(PACKAGE.parent).with_suffix("").parts
        return ".".join(part for part in parts if part != "__init__")

    @property
    def package(self) -> str:
        """The room of the house it stands in: ``crypto``, ``wire``, ... or '' at the top."""
        parts = self.path.relative_to(PACKAGE).parts
        return parts[0] if len(parts) > 1 else ""


@functools.cache
def modules() -> tuple[Module, ...]:
    """Every file of the package, by path."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append(Module(path, ast.parse(text, str(path)), text.count("\n")))
    return tuple(found)


class Public(NamedTuple):
    """A name that users may lean on: a module, class, function or method without an underscore."""

    module: Module
    name: str
    node: ast.Module | Definition
    owner: ast.ClassDef | None

    def __str__(self) -> str:
        return f"{self.module.name}.{self.name}".rstrip(".")


def public_names(module: Module) -> Iterator[Public]:
    """Every public name of one file, the file itself first."""
    yield Public(module, "", module.tree, None)
    for node in module.tree.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield Public(module, node.name, node, None)
            if isinstance(node, ast.ClassDef):
                yield from _members(module, node)


def _members(module: Module, owner: ast.ClassDef) -> Iterator[Public]:
    for node in owner.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield Public(module, f"{owner.name}.{node.name}", node, owner)


def decorators(node: ast.Module | Definition) -> set[str]:
    """The last word of each decorator: ``x.setter`` gives ``setter``."""
    if isinstance(node, ast.Module):
        return set()
    called = [d.func if isinstance(d, ast.Call) else d for d in node.decorator_list]
    return {d.attr if isinstance(d, ast.Attribute) else getattr(d, "id", "") for d in called}
