"""Where documents come from: each source is a `watch` (I/O) and a pure `convert`; `merge` makes them one Snapshot."""
