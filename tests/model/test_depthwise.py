from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from colorize_core.model.depthwise import depthwise

KERNELS = [(3, 1), (5, 1), (4, 2), (6, 2)]  # side, stride


def made(side: int) -> list[torch.Tensor]:
    torch.manual_seed(side)
    shapes = ((2, 8, 12, 20), (8, 1, side, side), (8,))
    x, weight, bias = (torch.randn(shape).requires_grad_() for shape in shapes)
    return [x.detach().to(memory_format=torch.channels_last).requires_grad_(), weight, bias]


@pytest.mark.parametrize(("side", "stride"), KERNELS)
def test_output_and_gradients_are_those_of_torch(side, stride):
    inputs = made(side)
    found = depthwise(*inputs, stride=stride)
    wanted = F.conv2d(*inputs, stride, (side - 1) // 2, groups=8)
    torch.testing.assert_close(found, wanted)
    incoming = torch.randn_like(wanted)
    gradients = (torch.autograd.grad(y, inputs, incoming) for y in (found, wanted))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("side", "stride"), KERNELS)
def test_in_bf16_gradients_are_near_those_in_fp32(side, stride):
    inputs = made(side)
    with torch.autocast("cpu", torch.bfloat16):
        found = depthwise(*inputs, stride=stride)
    assert found.dtype == torch.bfloat16
    wanted = F.conv2d(*inputs, stride, (side - 1) // 2, groups=8)
    incoming = torch.randn_like(wanted)
    ours = torch.autograd.grad(found, inputs, incoming.bfloat16())
    for got, theirs in zip(ours, torch.autograd.grad(wanted, inputs, incoming), strict=True):
        assert got.dtype == torch.float32
        assert (got - theirs).norm() < 0.01 * theirs.norm()


def test_only_the_gradients_asked_for_are_computed():
    x, weight, bias = made(5)
    frozen = depthwise(x, weight.detach(), bias.detach(), stride=1).sum()
    (gradient,) = torch.autograd.grad(frozen, [x])
    wanted = F.conv2d(x, weight, bias, padding=2, groups=8).sum()
    torch.testing.assert_close(gradient, torch.autograd.grad(wanted, [x])[0])
    with torch.no_grad():
        assert not depthwise(x, weight, bias, stride=1).requires_grad
