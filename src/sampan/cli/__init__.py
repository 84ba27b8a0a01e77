"""The words users type: `sampan COMMAND …`.

One thin file per command in `commands/`, imported only when asked for, so that `sampan --help` and `sampan check` stay
quick. Data goes to stdout and words to stderr; exit codes are 0, 1 (mistakes found, or failed) and 2 (wrong usage).

- `main`: the entry point; maps a command's name to its module
- `output`: errors and hints, tables, JSON and YAML, colours, the renderer of diagnostics
- `kinds`: the names by which kinds are known, and the columns of their tables in `columns`
- `state`: where a running Sampan keeps its sockets; `api`: asks it, over the Unix socket there
"""
