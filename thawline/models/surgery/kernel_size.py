"""Resize square kernels, with every shape between the layers as it was."""

from torch import nn

from thawline.models.surgery.layers import is_square, similar

FITS = "a k x k convolution, k > 1 and odd"


def resized(conv: nn.Conv2d, side: int) -> nn.Module | None:
    """Build a convolution with a kernel of another side and the same centre.

    So stride and dilation stay, and the padding grows or shrinks by half the difference. Where
    there is less padding than that, the image is cropped instead (AlexNet's 11 x 11 at stride 4).

    Returns:
        The new layer; the old one if its kernel has that side; None if it is 1x1, not square or
        even.
    """
    if not is_square(conv) or conv.kernel_size[0] % 2 == 0:
        return None
    if conv.kernel_size[0] == side:
        return conv
    if isinstance(conv.padding, str):
        return similar(conv, kernel_size=side)
    grown = (side - conv.kernel_size[0]) // 2
    padding = [conv.padding[axis] + conv.dilation[axis] * grown for axis in (0, 1)]
    new = similar(conv, kernel_size=side, padding=tuple(max(p, 0) for p in padding))
    if min(padding) >= 0 or new.padding == conv.padding:  # Conv2dSame pads by itself
        return new
    rows, columns = (min(p, 0) for p in padding)
    return nn.Sequential(nn.ZeroPad2d((columns, columns, rows, rows)), new)
