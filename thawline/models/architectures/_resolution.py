"""Make first layers that keep the resolution, as is usual for images of 64 px and less.

Source: K. He et al., 2016, "Deep residual learning for image recognition", section 4.2: on CIFAR-10
the first layer is a 3x3 convolution of stride 1, and no pooling follows it.
"""

from typing import Any

from torch import nn

_SIDE = 3


def kept(convolution: Any) -> nn.Conv2d:
    """Give a first convolution stride 1 and a kernel of 3x3.

    One of 3x3 is changed in place and keeps its weights, so that pretrained ones survive. Another
    is replaced, with weights after K. He et al., 2015, "Delving deep into rectifiers".
    """
    if convolution.kernel_size == (_SIDE, _SIDE):
        convolution.stride, convolution.padding = (1, 1), (_SIDE // 2, _SIDE // 2)
        return convolution  # type: ignore[no-any-return]
    replaced = nn.Conv2d(
        convolution.in_channels,
        convolution.out_channels,
        _SIDE,
        padding=_SIDE // 2,
        bias=convolution.bias is not None,
    )
    nn.init.kaiming_normal_(replaced.weight, mode="fan_out", nonlinearity="relu")
    return replaced
