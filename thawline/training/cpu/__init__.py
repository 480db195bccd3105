"""Faster forms of some convolutions, on the CPU in float32."""
