"""Changes to a built network: dilation, kernels, bottlenecks, convolutions, activations."""
