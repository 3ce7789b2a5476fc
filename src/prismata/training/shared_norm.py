"""Batch normalisation over what all ranks see, on processors and GPUs.

torch has `SyncBatchNorm` for this, on GPUs only; what could not be tested where there is none would
not be trusted where there is. In training a layer here does what `BatchNorm2d` does in one process
that sees the whole batch, up to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn.modules.batchnorm import _BatchNorm

from prismata.training.ranks import Ranks


@contextmanager
def shared_statistics(network: nn.Module, ranks: Ranks) -> Iterator[None]:
    """Have the network's batch normalisation count what all ranks see while inside.

    Args:
        network: Its layers that are in evaluation stay what they are.
        ranks: Each has a part of the batch.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
    shared = [layer for layer in layers if layer.training]
    for layer in shared:
        layer.forward = partial(_normalise, layer, ranks)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in shared:
            del layer.forward


def _normalise(layer: _BatchNorm, ranks: Ranks, inputs: Tensor) -> Tensor:
    """Return `(N, C, …)` normalised, and move the layer's running statistics."""
    axes = [axis for axis in range(inputs.ndim) if axis != 1]
    values = inputs.detach().float()
    variance, mean = torch.var_mean(values, axes, correction=0)
    count = torch.full((1,), float(values.numel() // values.shape[1]), device=values.device)
    channels = mean.numel()
    # Chan, Golub and LeVeque 1979: from the moments of parts to those of the whole.
    known = ranks.gather(torch.cat([mean, variance, count]))
    means, variances = known[:, :channels], known[:, channels:-1]
    counts = known[:, -1:]
    total = counts.sum()
    mean = (means * counts).sum(0) / total
    variance = ((variances + (means - mean) ** 2) * counts).sum(0) / total
    if layer.track_running_stats:
        _move_running(layer, mean, variance * total / (total - 1))
    inverse = torch.rsqrt(variance + layer.eps)
    normalised: Tensor = _SharedNorm.apply(
        inputs, layer.weight, layer.bias, mean, inverse, total, ranks
    )
    return normalised


def _move_running(layer: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    assert layer.running_mean is not None  # noqa: S101 - it tracks
    assert layer.running_var is not None  # noqa: S101
    assert layer.num_batches_tracked is not None  # noqa: S101
    layer.num_batches_tracked.add_(1)
    momentum = layer.momentum
    share = 1.0 / float(layer.num_batches_tracked) if momentum is None else momentum
    layer.running_mean.lerp_(mean.to(layer.running_mean.dtype), share)
    layer.running_var.lerp_(variance.to(layer.running_var.dtype), share)


class _SharedNorm(torch.autograd.Function):
    """`(inputs - mean) * inverse * scale + shift`, where mean and inverse depend on all inputs.

    Ioffe and Szegedy 2015 (arXiv 1502.03167); keeps of the forward pass what torch's own keeps.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        inputs: Tensor,
        scale: Tensor,
        shift: Tensor,
        mean: Tensor,
        inverse: Tensor,
        count: Tensor,
        ranks: Ranks,
    ) -> Tensor:
        """Return `(N, C, …)`; `scale` to `inverse` are `(C,)`, `count` is of all ranks."""
        ctx.save_for_backward(inputs, scale, mean, inverse, count)
        ctx.ranks = ranks  # type: ignore[attr-defined]  # torch's way to hand something on
        factor = scale * inverse
        return torch.addcmul(
            _spread(shift - mean * factor, inputs), inputs.float(), _spread(factor, inputs)
        ).to(inputs.dtype)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients; those of scale and shift are this rank's, as of any parameter."""
        inputs, scale, mean, inverse, count = ctx.saved_tensors  # type: ignore[attr-defined]
        axes = [axis for axis in range(inputs.ndim) if axis != 1]
        values = (inputs.float() - _spread(mean, inputs)) * _spread(inverse, inputs)
        slopes = gradient.float()
        of_scale, of_shift = (slopes * values).sum(axes), slopes.sum(axes)
        means = ctx.ranks.sum_of(torch.cat([of_scale, of_shift])) / count  # type: ignore[attr-defined]
        along_values, along_ones = means.split(of_scale.numel())
        slopes = slopes - values * _spread(along_values, inputs) - _spread(along_ones, inputs)
        of_inputs = (slopes * _spread(scale * inverse, inputs)).to(inputs.dtype)
        return of_inputs, of_scale, of_shift, None, None, None, None


def _spread(values: Tensor, over: Tensor) -> Tensor:
    """Give `(C,)` the shape that goes with `(N, C, …)`."""
    return values.view(1, -1, *[1] * (over.ndim - 2))
