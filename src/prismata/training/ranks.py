"""Several processes that train one network: who takes what of a batch, and how they stay equal.

Every rank draws the same batches in the same order and computes its share of each. What they tell
each other is sums: of gradients, of losses, of what batch normalisation measures. A sum is the same
bits on every rank, so weights that were equal stay equal; `check_equal` looks whether they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from prismata.core.errors import InternalError

# A rank that is gone is seen by the launcher, one that hangs by the supervisor; the first rank may
# validate and store for as long as it takes.
_PATIENCE = timedelta(days=7)

_Value = TypeVar("_Value")


class RankLostError(Exception):
    """Another rank ended or gave up; it, or the launcher, tells why."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """The processes that train together, as one of them sees them.

    Args:
        number: Which one this is, from 0. The first one alone validates, stores and reports.
        count: How many take part.
        group: Whom to talk to; `None` if there is nobody else.
    """

    number: int = 0
    count: int = 1
    group: dist.ProcessGroup | None = None

    @property
    def is_first(self) -> bool:
        """Whether this is the one that speaks for all."""
        return self.number == 0

    @property
    def is_alone(self) -> bool:
        """Whether there is nobody to share with."""
        return self.count == 1

    def share_of(self, rows: int) -> slice:
        """Return which rows of a batch this rank computes: a part next to its neighbours' parts.

        Fewer rows than ranks cannot be shared: then everybody computes them all.
        """
        if not self.can_share(rows):
            return slice(0, rows)
        return slice(rows * self.number // self.count, rows * (self.number + 1) // self.count)

    def can_share(self, rows: int) -> bool:
        """Whether every rank has a part of a batch of its own."""
        return rows >= self.count

    def sum_gradients(self, parameters: Iterable[Tensor], loss: Tensor, *, stops: bool) -> Told:
        """Replace gradients by their sums over all ranks, in one message.

        Args:
            parameters: Those of the network, in the same order on every rank.
            loss: `()`, this rank's part of it.
            stops: Whether this rank was asked to stop; only the first one's word counts.

        Raises:
            RankLostError: If a rank is gone.
        """
        given = [parameter.grad for parameter in parameters if parameter.grad is not None]
        device = given[0].device
        stop = torch.tensor(float(stops and self.is_first), device=device)
        said = torch.stack([loss.detach().float(), stop])
        message = torch.cat([*(gradient.flatten().float() for gradient in given), said])
        self._sum(message)
        start = 0
        for gradient in given:
            end = start + gradient.numel()
            gradient.copy_(message[start:end].view_as(gradient))
            start = end
        loss_sum, stop_sum = message[start:].tolist()
        return Told(loss_sum, stop_sum > 0)

    def from_first(self, value: _Value) -> _Value:
        """Return what the first rank has for `value`, plain values only.

        Raises:
            RankLostError: If a rank is gone.
        """
        if self.is_alone:
            return value
        held = [value]
        with _told_as_lost():
            dist.broadcast_object_list(held, src=0, group=self.group, device=torch.device("cpu"))
        return held[0]

    def tell_all(self, value: int) -> list[int]:
        """Return what each rank has for `value`, in their order.

        Raises:
            RankLostError: If a rank is gone.
        """
        return [int(told) for told in self.gather(torch.tensor([value]))[:, 0]]

    def take_from_first(self, network: nn.Module) -> None:
        """Give every rank the first one's weights and buffers.

        Raises:
            RankLostError: If a rank is gone.
        """
        if self.is_alone:
            return
        for value in network.state_dict().values():
            with _told_as_lost():
                dist.broadcast(value, src=0, group=self.group)

    def check_equal(self, network: nn.Module) -> None:
        """Compare the weights and buffers of all ranks.

        Raises:
            InternalError: If they have gone apart.
            RankLostError: If a rank is gone.
        """
        if self.is_alone:
            return
        sums = [value.double().sum() for value in network.state_dict().values()]
        known = self.gather(torch.stack(sums).cpu())
        if not torch.equal(known, known[:1].expand_as(known)):
            raise InternalError("the processes of this training have come to different weights")

    def gather(self, value: Tensor) -> Tensor:
        """Return `(ranks, N)` of the `(N,)` that each rank has.

        Raises:
            RankLostError: If a rank is gone.
        """
        parts = [torch.empty_like(value) for _ in range(self.count)]
        with _told_as_lost():
            dist.all_gather(parts, value, group=self.group)
        return torch.stack(parts)

    def sum_of(self, values: Tensor) -> Tensor:
        """Return the sum over all ranks; `values` is overwritten.

        Raises:
            RankLostError: If a rank is gone.
        """
        self._sum(values)
        return values

    def _sum(self, values: Tensor) -> None:
        with _told_as_lost():
            dist.all_reduce(values, group=self.group)


@dataclass(frozen=True, slots=True)
class Told:
    """What all ranks know after a step."""

    loss: float
    stops: bool


ALONE = Ranks()


@contextmanager
def joined(*, use_gpus: bool) -> Iterator[Ranks]:
    """Meet the other ranks that torchrun has started; let go of them at the end.

    Messages in memory go over gloo, those on GPUs over NCCL.

    Args:
        use_gpus: Whether each rank has a GPU of its own, that of its number.

    Raises:
        RankLostError: If a rank is gone.
    """
    with _told_as_lost():
        dist.init_process_group("cpu:gloo,cuda:nccl" if use_gpus else "gloo", timeout=_PATIENCE)
    if use_gpus:
        torch.cuda.set_device(dist.get_rank())
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size(), dist.group.WORLD)
    finally:
        dist.destroy_process_group()


def fewer(ranks: Ranks, wanted: int) -> Ranks | None:
    """Return the first `wanted` of the ranks; `None` for those that can go.

    Every rank has to ask.

    Raises:
        RankLostError: If a rank is gone.
    """
    if wanted >= ranks.count:
        return ranks
    if wanted == 1:
        return ALONE if ranks.is_first else None
    with _told_as_lost():
        group = dist.new_group(list(range(wanted)), timeout=_PATIENCE)
    if ranks.number >= wanted:
        return None
    return Ranks(ranks.number, wanted, cast(dist.ProcessGroup, group))


@contextmanager
def _told_as_lost() -> Iterator[None]:
    """Turn what torch raises when nobody is there any more into `RankLostError`."""
    try:
        yield
    except RuntimeError as error:  # gloo raises nothing more special for a closed connection
        raise RankLostError(str(error)) from error
