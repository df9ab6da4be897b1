"""Each block is done exactly once, whatever becomes of the workers."""

import random

import pytest

from parw2v.ledger import Block, Ledger


def test_blocks_go_out_in_order():
    ledger = Ledger(2, 2)
    assert [ledger.lease() for _ in range(4)] == [Block(0, 0), Block(0, 1), Block(1, 0), Block(1, 1)]
    assert ledger.lease() is None
    assert (ledger.issued, ledger.done, ledger.is_complete, ledger.is_settled) == (4, 0, False, False)


def test_what_was_done_before_does_not_go_out_again():
    ledger = Ledger(3, 2, done=4)
    assert ledger.is_settled
    assert ledger.lease() == Block(1, 1)


def test_a_block_that_comes_back_goes_out_first():
    ledger = Ledger(3, 1)
    first, second = ledger.lease(), ledger.lease()
    ledger.finish(second)
    ledger.give_back(first)
    assert not ledger.is_settled
    assert ledger.lease(only_returned=True) == first
    assert ledger.lease(only_returned=True) is None
    assert ledger.again == 1
    ledger.finish(first)
    assert ledger.is_settled
    assert not ledger.is_complete


@pytest.mark.parametrize("act", ["finish", "give_back"])
def test_nothing_counts_twice(act):
    ledger = Ledger(3, 1)
    block = ledger.lease()
    ledger.finish(block)
    with pytest.raises(KeyError):
        getattr(ledger, act)(block)
    with pytest.raises(KeyError):
        getattr(ledger, act)(Block(0, 2))


def test_where_epochs_end():
    ledger = Ledger(3, 2)
    ends = []
    while not ledger.is_complete:
        ends.append((ledger.at_epoch_end, ledger.left_in_epoch, ledger.in_last_epoch))
        ledger.finish(ledger.lease())
    assert ends == [(*end, last) for last in (False, True) for end in ((True, 3), (False, 2), (False, 1))]
    assert not ledger.at_epoch_end


def test_any_history_ends_with_each_block_done_once():
    rng = random.Random(3)
    for _ in range(200):
        ledger = Ledger(rng.randint(1, 5), rng.randint(1, 4))
        out, done = [], []
        while not ledger.is_complete:
            if (block := ledger.lease()) is not None:
                out.append(block)
            if out and rng.random() < 0.7:
                block = out.pop(rng.randrange(len(out)))
                if rng.random() < 0.3:
                    ledger.give_back(block)
                else:
                    ledger.finish(block)
                    done.append(block)
        assert sorted(done) == [Block(*divmod(i, ledger.n_blocks)) for i in range(ledger.total)]
        assert ledger.is_settled
        assert ledger.done == ledger.issued == ledger.total
