"""A node as a Ray actor."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

from parw2v.arraytypes import FloatArray
from parw2v.blas import KEEP_FREED_MEMORY
from parw2v.cluster.node import Node, Order
from parw2v.cluster.sync import combine
from parw2v.cluster.wire import Packed
from parw2v.corpus import Corpus
from parw2v.crew import Work
from parw2v.errors import Parw2vError

BESIDE = "beside training"
"""Calls of this concurrency group do not wait for the round that is under way."""


def actor_on(ray: ModuleType, node_id: str, cpus: int) -> Any:
    """A new `NodeActor` on one node of the cluster, with so many of its CPUs."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    place = NodeAffinitySchedulingStrategy(node_id, soft=False)
    kind = ray.remote(concurrency_groups={BESIDE: 1})(NodeActor)
    memory = {"env_vars": KEEP_FREED_MEMORY}
    return kind.options(num_cpus=cpus, scheduling_strategy=place, max_restarts=0, runtime_env=memory).remote()


def answers_a_ping(ray: ModuleType, actor: Any) -> bool:
    """Whether a node lives; one that waits for the changes of another does, and says so beside its training."""
    ping = actor.ping.options(concurrency_group=BESIDE).remote()
    return bool(ray.wait([ping], timeout=2)[0])


class NodeActor:
    """A `Node` as a Ray actor."""

    def start(self, work: Work, fingerprint: str | None, W_in: FloatArray, W_out: FloatArray) -> tuple[str, bool]:
        """Start the workers; returns the node's name and whether it reads the corpus itself."""
        reads = fingerprint is not None and _holds(work, fingerprint)
        self.node = Node(work if reads else replace(work, corpus_path=None), W_in, W_out)
        self.spare = self.node.vectors()  # new memory comes page by page, while all workers wait for a checkpoint
        return self.node.name, reads

    def round(self, order: Order, *arrays: Any) -> tuple[Any, ...]:
        answer, changes = self.node.round(order, *arrays)
        return (answer, *changes)

    def combine(self, boost: float, *changes: Packed) -> Packed:
        """What all nodes' changes of the same rows come to."""
        return combine(changes, boost)

    def state(self) -> FloatArray:
        return self.node.state()

    def copy(self) -> None:
        """Copy the vectors as they are now."""
        self.node.vectors(self.spare)

    def copied(self) -> tuple[FloatArray, None]:
        """What was copied, (2V, D) float32, and nothing, by which to know that it was sent; to be called beside training."""
        return self.spare, None

    def is_finite(self) -> bool:
        return self.node.crew.is_finite()

    def start_anew(self, state: FloatArray | None) -> FloatArray | None:
        """Take over a state, or keep the own and return it; nothing that was told is waited for."""
        return self.node.start_anew(state)

    def ping(self) -> None:
        """Answer, if only that it lives."""

    def close(self) -> None:
        self.node.close()


def _holds(work: Work, fingerprint: str) -> bool:
    """Whether the same corpus can be read at the same path."""
    try:
        return work.corpus_path is not None and Corpus(path=work.corpus_path).fingerprint == fingerprint
    except Parw2vError:
        return False
