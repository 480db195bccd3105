"""Faster kernels for some convolutions, on the CPU in float32."""
