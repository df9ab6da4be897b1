"""Nodes in one process, without Ray: each trains its blocks, and they agree in the end."""

import os
import signal
import time
from collections import deque

import numpy as np
import pytest
from conftest import workers_of

from parw2v import TrainSettings, Word2Vec
from parw2v.cluster.actor import NodeActor
from parw2v.cluster.node import Node, Order
from parw2v.cluster.rounds import Member
from parw2v.cluster.sync import words_due
from parw2v.cluster.team import Team
from parw2v.cluster.wire import unpacked
from parw2v.corpus import MAX_BLOCK_WORDS, BlockPlan
from parw2v.crew import Work
from parw2v.ledger import Block
from parw2v.sampling import keep_probabilities


@pytest.fixture
def node_of(small, tmp_path):
    """Makes nodes of one worker; they are closed when the test ends."""
    vocab, corpus = small
    path = corpus.save(tmp_path / "corpus.i32").path
    nodes = []

    def make(*, reads_corpus=True, workers=1):
        settings = TrainSettings(workers=workers, epochs=2)
        model = Word2Vec(vocab, 20)
        keep = keep_probabilities(vocab.counts, settings.sample, settings.sample_rule)
        plan = BlockPlan(len(corpus), settings.seed)
        shape = (20, "skipgram", 5, path if reads_corpus else None, 0.025, 2 * len(corpus), 0)
        nodes.append(Node(Work(settings, plan, vocab.counts, keep, *shape), model.W_in, model.W_out))
        return nodes[-1]

    make.plan, make.corpus, make.n_words = BlockPlan(len(corpus), 42), corpus, len(vocab)
    yield make
    for node in nodes:
        node.close()


def order(blocks=(), *, number=1, takes_in=0, n_words=None, tell=0, elsewhere=0, with_tokens=False, n_nodes=1, **more):
    return Order(
        number,
        list(blocks),
        with_tokens,
        takes_in,
        more.get("combines", False),
        n_words,
        tell,
        n_nodes,
        more.get("parts", n_nodes),
        more.get("boost", 1.0),
        more.get("waits", False),
        elsewhere,
    )


def blocks_of(plan):
    return [Block(0, i) for i in range(plan.n_blocks)]


def test_a_node_trains_its_blocks_and_tells_of_all_rows(node_of):
    node = node_of()
    before = node.vectors()
    answer, [told] = node.round(order(blocks_of(node_of.plan), tell=node_of.n_words))
    assert sorted(block for block, _ in answer.results) == blocks_of(node_of.plan)
    assert answer.words == sum(result.raw_words for _, result in answer.results) == len(node_of.corpus)
    assert np.allclose(before + unpacked(told), node.vectors(), atol=1e-6)  # a node alone tells all
    assert np.abs(unpacked(told)).max() > 0.01
    assert answer.deaths == []


def test_tokens_that_come_along_give_the_same_as_reading(node_of):
    blocks = blocks_of(node_of.plan)
    reader, receiver = node_of(), node_of(reads_corpus=False)
    reader.round(order(blocks))
    tokens = [node_of.corpus.read_block(node_of.plan, *block) for block in blocks]
    receiver.round(order(blocks, with_tokens=True), *tokens)
    assert np.array_equal(reader.vectors(), receiver.vectors())


def test_a_quota_of_words_ends_a_round_but_not_the_training(node_of):
    node = node_of()
    answer, _ = node.round(order(blocks_of(node_of.plan), n_words=100))
    assert answer.words >= 100
    results = list(answer.results)
    while node.n_unfinished:
        results += node.round(order(n_words=100))[0].results
    assert sorted(block for block, _ in results) == blocks_of(node_of.plan)


def test_workers_wait_for_the_next_order_where_they_should(node_of):
    node = node_of()
    given = order(blocks_of(node_of.plan), n_words=100, waits=True)
    answer, _ = node.round(given)
    time.sleep(0.1)
    then, still = node.crew.words, node.vectors()
    time.sleep(0.3)
    assert node.n_unfinished
    assert answer.words <= then == node.crew.words
    assert np.array_equal(still, node.vectors())
    answer, _ = node.round(order(boost=2.0))
    assert answer.words == len(node_of.corpus)


@pytest.mark.parametrize("whole", [True, False])
def test_nodes_agree_after_rounds(node_of, whole):
    """What is told in a round is taken in two rounds later: as it was told, or combined by ranges."""
    nodes = [node_of(), node_of()]
    given = [blocks_of(node_of.plan)[i::2] for i in range(2)]
    on_the_way, results, number = deque(), [], 0
    while not number or on_the_way:
        number += 1
        done = number > 1 and not any(node.n_unfinished for node in nodes)
        takes_in, combined = on_the_way.popleft() if on_the_way and (len(on_the_way) == 2 or done) else (0, None)
        tell = (
            words_due(number, node_of.n_words, 2)
            if not done
            else node_of.n_words * (len(results) < sum(map(len, given)))
        )
        if done and combined is None:
            tell = node_of.n_words
        told = []
        for node, blocks in zip(nodes, given, strict=True):
            blocks = blocks if number == 1 else ()
            answer, shards = node.round(
                order(
                    blocks,
                    number=number,
                    takes_in=takes_in,
                    combines=whole,
                    n_words=100,
                    tell=tell,
                    n_nodes=2,
                    parts=1 if whole else 2,
                    boost=2.0,
                ),
                *(combined or ()),
            )
            results += answer.results
            told.append(shards)
        if tell:
            shards = [NodeActor().combine(2.0, *parts) for parts in zip(*told, strict=True)]
            on_the_way.append((number, [part for [part] in told] if whole else shards))
    assert number > 3
    assert sorted(block for block, _ in results) == blocks_of(node_of.plan)
    for node in nodes:
        node.mirror._told.clear()
    assert np.allclose(nodes[0].state(), nodes[1].state(), atol=1e-4)
    assert np.abs(nodes[0].state()).max() > 0.05


def test_a_worker_that_dies_is_replaced_and_its_block_trained_again(node_of):
    node = node_of(workers=2)
    blocks = blocks_of(node_of.plan)
    node.round(order(blocks, n_words=0, waits=True))  # they have blocks, and do not go on with them
    victim = workers_of(os.getpid())[0]
    os.kill(victim, signal.SIGKILL)
    answer, _ = node.round(order())
    assert [pid for pid, _ in answer.deaths] == [victim]
    assert "SIGKILL" in answer.deaths[0][1]
    assert answer.words == len(node_of.corpus)


def test_a_node_takes_over_another_ones_state(node_of):
    old, new = node_of(), node_of()
    old.round(order(blocks_of(node_of.plan), tell=node_of.n_words))
    new.start_anew(old.start_anew(None))
    assert np.allclose(new.vectors(), old.vectors(), atol=1e-6)


def test_who_has_fewest_blocks_gets_the_next_and_few_are_left_for_a_round():
    team = Team(BlockPlan(50 * MAX_BLOCK_WORDS, seed=1), lambda n_nodes: 3 * MAX_BLOCK_WORDS, max_restarts=0)
    for number in range(2):
        team.add(Member(number, "", None, 1, f"node {number}"))
    assert team.free(depth=1) == [0, 1, 0, 1]  # a block and a half is a round
    assert team.free(depth=2) == [0, 1] * 5
    for block in range(2):
        team.give(1, Block(0, block))
    assert team.free(depth=1) == [0, 0]
    assert team.free(depth=2)[:3] == [0, 0, 0]
    team.give(0, Block(0, 2))
    assert team.free(depth=1) == [0]
