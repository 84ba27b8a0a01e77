"""YAML and JSON text to objects with line numbers, and JSON Schema and reference pages out of the same classes.

Pure: text in, `Loaded` (objects and diagnostics) out. Import from the modules: `load`, `locate`, `render`, `schema`,
`regex`, and `kinds` for the classes themselves.
"""
