#!/usr/bin/env bash
# torch-pruning takes wrong columns out of a Linear layer behind a permuted feature map.
#
# Versions: Python 3.11, torch-pruning 1.6.1, torch 2.14.1, numpy 2.4.6.
#
# Behaviour: a convolution of 8 channels, averaged to a map of 2 x 2, then a Linear layer over the 32
# values. The map is laid out place by place, all channels of a place next to each other, in two ways
# that give equal values: permute and flatten, or slices joined by torch.cat. Filters 0 and 3 of the
# convolution are all zeros, so that taking them out must not change what the network computes.
#  1. With slices the columns of channels 0 and 3 go. With permute the columns go that channels 0
#     and 3 would have without it. The shapes fit, nothing is raised, and the result is another one.
#  2. Where a second convolution follows and the Linear layer reads both maps, pruning by the size of
#     the weights works with slices. With permute it ends in an IndexError, far from the permute.
#
# Why it hurts: pruning is followed by fine-tuning, which hides a wrong cut as a worse accuracy. And
# "channels last, then flatten" is common in heads that read several maps.
#
# Seen:
#   1 slices   columns taken out: [0, 3, 8, 11, 16, 19, 24, 27] result as before
#   1 permute  columns taken out: [0, 1, 2, 3, 12, 13, 14, 15] result CHANGED
#   2 slices   pruned
#   2 permute  IndexError: index 6 is out of bounds for dimension 0 with size 6
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export TMPDIR="$folder"  # torch leaves a folder behind there
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    torch-pruning==1.6.1 torch==2.14.1 numpy==2.4.6

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch
import torch_pruning
from torch import nn

SIDE = 2
IMAGES = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def slices(maps):
    places = [(row, column) for row in range(SIDE) for column in range(SIDE)]
    return torch.cat([maps[:, :, row, column] for row, column in places], dim=1)


def permute(maps):
    return maps.permute(0, 2, 3, 1).flatten(1)


class Network(nn.Module):
    def __init__(self, lay_out, both):
        super().__init__()
        torch.manual_seed(0)
        self.lay_out = lay_out
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 6, 3, padding=1) if both else None
        self.pool = nn.AdaptiveAvgPool2d(SIDE)
        self.head = nn.Linear((14 if both else 8) * SIDE**2, 5)

    def forward(self, images):
        maps = self.first(images)
        read = self.lay_out(self.pool(maps))
        if self.second is not None:
            read = torch.cat([read, self.lay_out(self.pool(self.second(maps)))], dim=1)
        return self.head(read)


def cut(lay_out):
    """Take filters 0 and 3 out: columns of the head that go, and whether the result stays."""
    network = Network(lay_out, both=False).eval()
    with torch.no_grad():
        network.first.weight[[0, 3]] = 0
        network.first.bias[[0, 3]] = 0
        before = network(IMAGES)
    columns = network.head.weight.detach().clone().T
    graph = torch_pruning.DependencyGraph().build_dependency(network, IMAGES)
    graph.get_pruning_group(network.first, torch_pruning.prune_conv_out_channels, [0, 3]).prune()
    kept = network.head.weight.detach().T
    gone = [at for at, one in enumerate(columns) if not (kept == one).all(dim=1).any()]
    return gone, torch.allclose(network(IMAGES), before, atol=1e-6)


def by_size(lay_out):
    """Prune half of a network with two convolutions: what came of it."""
    network = Network(lay_out, both=True).eval()
    pruner = torch_pruning.pruner.BasePruner(
        network, IMAGES, torch_pruning.importance.GroupMagnitudeImportance(p=2),
        pruning_ratio=0.5, ignored_layers=[network.head],
    )
    try:
        pruner.step()
    except IndexError as error:
        return f"IndexError: {error}"
    assert network.first.out_channels < 8
    network(IMAGES)
    return "pruned"


assert torch.equal(Network(slices, True)(IMAGES), Network(permute, True)(IMAGES))
as_described = True
for lay_out, expected in (
    (slices, ([0, 3, 8, 11, 16, 19, 24, 27], True)),
    (permute, ([0, 1, 2, 3, 12, 13, 14, 15], False)),
):
    gone, same = cut(lay_out)
    result = "as before" if same else "CHANGED"
    print(f"1 {lay_out.__name__:8} columns taken out: {gone} result {result}")
    as_described &= (gone, same) == expected
for lay_out, expected in ((slices, "pruned"), (permute, "IndexError: ")):
    found = by_size(lay_out)
    print(f"2 {lay_out.__name__:8} {found}")
    as_described &= found.startswith(expected)
sys.exit(0 if as_described else "The behaviour is not as described.")
PYTHON
