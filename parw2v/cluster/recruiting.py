"""Nodes of a cluster that are to take part: found, started, and handed over when they are up."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import replace
from types import ModuleType
from typing import Any

from parw2v.arraytypes import FloatArray
from parw2v.cluster.access import as_ours
from parw2v.cluster.actor import actor_on
from parw2v.cluster.rounds import Member
from parw2v.cluster.settings import Cluster
from parw2v.corpus import Corpus
from parw2v.crew import Work

_LOOK_SECONDS = 2.0


class Recruiting:
    """Starts an actor on each node that has none, as far as nodes are wanted.

    Parameters
    ----------
    ray : module
    work : Work
    W_in, W_out : (V, D) float32
        What nodes start with; the driver gives later ones the state of the others.
    cluster : Cluster
    """

    def __init__(self, ray: ModuleType, work: Work, W_in: FloatArray, W_out: FloatArray, cluster: Cluster) -> None:
        self._ray, self._work, self._cluster = ray, work, cluster
        self._start = (W_in, W_out)
        self._refs: tuple[Any, ...] = ()
        self._fingerprint = Corpus(path=work.corpus_path).fingerprint if cluster.shared_corpus else None
        self._starting: list[tuple[Member, Any]] = []
        self._n_started = 0
        self._looked = -math.inf

    @property
    def pending(self) -> list[Member]:
        """Nodes that are starting."""
        return [member for member, _ in self._starting]

    def arrived(self, members: Iterable[Member], timeout: float) -> list[Member]:
        """Look for nodes beside those that take part; returns those that are up now.

        Raises
        ------
        Parw2vError
            A node could not start.
        """
        self._look(members)
        up = []
        for member, answer in list(self._starting):
            if not self._ray.wait([answer], timeout=timeout)[0]:
                continue
            self._starting.remove((member, answer))
            try:
                member.name, member.reads_corpus = self._ray.get(answer)
            except self._ray.exceptions.RayTaskError as error:
                raise as_ours(error) from error
            except self._ray.exceptions.RayActorError:  # gone before it was there
                continue
            up.append(member)
        return up

    def _look(self, members: Iterable[Member]) -> None:
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        known = {member.node_id for member in (*members, *self.pending)}
        for node in sorted(self._nodes(), key=lambda node: str(node["NodeID"])):
            if node["NodeID"] in known:
                continue
            if self._cluster.nodes is not None and len(known) >= self._cluster.nodes:
                return
            known.add(node["NodeID"])
            self._begin(node["NodeID"], str(node["NodeManagerAddress"]), int(node["Resources"]["CPU"]))

    def _nodes(self) -> list[dict[str, Any]]:
        """Nodes that live and have CPUs."""
        return [node for node in self._ray.nodes() if node["Alive"] and int(node["Resources"].get("CPU", 0))]

    def _begin(self, node_id: str, address: str, cpus: int) -> None:
        n_workers = self._work.settings.workers or cpus
        work = replace(
            self._work,
            settings=replace(self._work.settings, workers=n_workers),
            corpus_path=self._work.corpus_path if self._fingerprint else None,
        )
        if not self._refs:
            self._refs = tuple(map(self._ray.put, self._start))
        actor = actor_on(self._ray, node_id, min(n_workers, cpus))
        up = actor.start.remote(work, self._fingerprint, *self._refs)
        self._starting.append((Member(self._n_started, node_id, actor, n_workers, address), up))
        self._n_started += 1
