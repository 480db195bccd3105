"""Where labelled images come from: one module a source, `read(path, *, options) -> Source`."""
