"""Sections of params.yaml: every knob with its type, unit and range, without defaults.

Without defaults this module only accepts or refuses values, it never supplies one, so it cannot
change a result and is no dependency of a DVC stage.
"""
