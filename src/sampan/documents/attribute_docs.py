"""The text under each attribute of the kinds' classes, read from their source: only schemas and pages need it.

pydantic could collect it (`use_attribute_docstrings`), and would read every source file at each start of the program.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise

from pydantic import BaseModel


@cache
def attribute_docs(cls: type[BaseModel]) -> dict[str, str]:
    """Attribute → its text, inherited ones included."""
    result: dict[str, str] = {}
    for parent in reversed(cls.__mro__):
        if issubclass(parent, BaseModel) and parent is not BaseModel:
            result |= _own(parent)
    return result


@cache
def _own(cls: type[BaseModel]) -> dict[str, str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    result: dict[str, str] = {}
    for before, after in pairwise(body):
        if (
            isinstance(before, ast.AnnAssign)
            and isinstance(before.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            result[before.target.id] = inspect.cleandoc(after.value.value)
    return result


def class_doc(cls: type[BaseModel]) -> str:
    """The class's own docstring."""
    return inspect.cleandoc(cls.__dict__.get("__doc__") or "")
