"""Plan → Table of Envoy resources. Pure.

`engine` walks the Plan and keeps what did not change; `routes` (with `matches`, `actions`, `paths`, `headers`, `cors`),
`listeners` (with `connections`, `streams`, `transport`), `clusters`, `endpoints` and `secrets` build, one a concern;
`filters` is the order of the HTTP filters, `hooks` what a policy may fill.
"""
