"""Decode untrusted bytes into upright 8-bit sRGB squares."""
