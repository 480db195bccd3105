"""From a stranger's bytes to upright 8-bit sRGB squares."""
