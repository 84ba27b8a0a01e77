"""Consul's filter language (`?filter=`): an expression, parsed once for one kind of answer, says yes or no to each.

The grammar, the fields and the words of the errors are those of Consul's own parser (go-bexpr 0.1.2, which has been in
every Consul since 1.5): clients show those errors to people, and scripts compare them. `tree` is what an expression
says, `reader` and `grammar` make it out of text, `fields` is what each kind of answer may be asked, `predicate` binds
both.

    wanted = parse('"primary" in Service.Tags', fields.INSTANCE)
    [entry for entry in answer if wanted(entry)]

Answers are what the API gives as JSON; a field that is left out is empty. Pure.
"""

from __future__ import annotations

from sampan.registry.filter import fields, grammar
from sampan.registry.filter.predicate import Predicate, bind
from sampan.registry.filter.problem import FilterError

__all__ = ["FilterError", "Predicate", "fields", "parse"]


def parse(expression: str, of: fields.Fields) -> Predicate:
    """Raises FilterError with the sentence that Consul answers (status 500 in 1.8, 400 in later ones)."""
    try:
        return bind(grammar.parse(expression), of)
    except FilterError as error:
        raise FilterError(f"Failed to create boolean expression evaluator: {error}") from None
