"""Consul, or the embedded registry: `watch` reads services and `convert` says what they mean; `documents` reads the
documents in its KV, whose keys and values `document_keys` and `document_values` know."""
