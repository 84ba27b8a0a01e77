"""One frozen class per kind: the shape, defaults and rules of the Gateway API v1.6 and of what stands beside it.

Attributes are snake_case, documents camelCase. Absent text is "", an absent object or number is None, lists are tuples,
maps are `FrozenDict`. Every class refuses unknown fields. `built_in.BUILT_IN` lists the kinds.
"""
