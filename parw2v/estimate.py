"""How much memory training will take, and whether there is so much: found out before it starts."""

from __future__ import annotations

from dataclasses import dataclass

from parw2v.errors import MemoryLimitError
from parw2v.memory import address_room, memory_rooms, own_memory

_MB = 1 << 20

_WORKER_BYTES = 50 * _MB
"""A worker holds 44 to 48 MB of its own (Python 3.11, NumPy 2.4), of which 4 grow with the size of a batch."""

_OWN_BYTES = 30 * _MB
"""What this process takes beside: the writer's buffers, the resource tracker that Python starts."""

_WORKER_ADDRESSES = 250 * _MB
"""And has 202 to 227 MB of addresses, most of them never used: libraries, stacks, arenas."""

_OWN_ADDRESSES = 130 * _MB
"""A second thread's stack and arena, that of the writer of checkpoints."""


@dataclass(frozen=True)
class Estimate:
    """Bytes that training adds to what this process holds before it starts.

    Attributes
    ----------
    shared : int
        Arrays that all processes see, W_in and W_out most of all.
    copies : int
        A copy of the vectors for a checkpoint.
    n_workers : int
    """

    shared: int
    copies: int
    n_workers: int

    @property
    def added(self) -> int:
        """Of all processes, what they share counted once."""
        return self.shared + self.copies + _OWN_BYTES + self.n_workers * _WORKER_BYTES

    @property
    def total(self) -> int:
        """With what this process holds now."""
        return self.added + own_memory()

    def check(self) -> None:
        """Raise MemoryLimitError where there is less, naming what sets the limit and what to do."""
        remedy = f"lower --dim{' or --workers' if self.n_workers > 1 else ''}, raise --min_count, or"
        for room in memory_rooms():
            if room.free < self.added:
                raise MemoryLimitError(
                    f"training needs about {_mb(self.added)} more memory, {room.limit} has {_mb(room.free)}; "
                    f"{remedy} give it more"
                )
        room_of_each = address_room()
        needed = max(self.shared + self.copies + _OWN_ADDRESSES, self.shared + _WORKER_ADDRESSES)
        if room_of_each and room_of_each.free < needed:
            raise MemoryLimitError(
                f"training needs about {_mb(needed)} more memory addresses in a process, {room_of_each.limit} leaves "
                f"{_mb(room_of_each.free)}; {remedy} raise that limit"
            )


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / _MB:,.0f} MB"
