"""One project that ran once, for all modules here: each that imported it itself made its own."""

from tests.pipeline.conftest import built, copied, copy

__all__ = ["built", "copied", "copy"]
