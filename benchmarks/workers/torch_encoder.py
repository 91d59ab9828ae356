"""PyTorch: forward and backward pass of ResNet-18 and the compression to `width` numbers, on two views in turn."""

import torch
from serve import problem, serve
from torch import nn


def conv_bn(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    """Return a convolution without bias and its batch norm."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class Block(nn.Module):
    """Two 3x3 convolutions with a shortcut (arXiv:1512.03385, Fig. 2)."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        """Make the layers."""
        super().__init__()
        self.first, self.second = conv_bn(inputs, outputs, 3, stride), conv_bn(outputs, outputs, 3, 1)
        self.shortcut = conv_bn(inputs, outputs, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x):
        """Return the block's output."""
        return torch.relu(self.second(torch.relu(self.first(x))) + self.shortcut(x))


def resnet18(width: int) -> nn.Sequential:
    """Return ResNet-18 with the ImageNet stem and a linear layer to `width` numbers."""
    stem = [conv_bn(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    sizes = ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2))
    blocks = [block for a, b, stride in sizes for block in (Block(a, b, stride), Block(b, b, 1))]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, width))


given = problem()
views = [torch.tensor(given[name]).permute(0, 3, 1, 2).contiguous() for name in ("view_a", "view_b")]
network = resnet18(int(given["width"])).train()


def call():
    """Run one forward and backward pass of both views."""
    network.zero_grad(set_to_none=True)
    total = sum(torch.sum(torch.sigmoid(network(view))) for view in views)
    total.backward()
    return {"total": total.detach().numpy()}


serve(call)
