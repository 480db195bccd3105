"""Read labelled images: one module a source, `read(path, *, options) -> Source`."""
