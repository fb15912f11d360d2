"""Work shared out over threads: all of it, once, whatever happens meanwhile."""

import os
import threading
import time

import numpy as np
import pytest

from qgen_core.engine import threads
from qgen_core.engine.threads import spread


def covered(pieces, count):
    """How often each piece is done."""
    done = np.zeros(pieces, dtype=int)

    def work(first, last):
        done[first:last] += 1

    spread(work, pieces, count)
    return done


@pytest.mark.parametrize(("pieces", "count"), [(0, 2), (1, 2), (2, 2), (7, 3), (100, 5)])
def test_every_piece_is_done_once(pieces, count):
    np.testing.assert_array_equal(covered(pieces, count), np.ones(pieces, dtype=int))


def test_helpers_that_sleep_wake_up():
    for pause in (0.0, 0.002, 0.05, 0.0005) * 5:
        time.sleep(pause)
        assert covered(10, 3).tolist() == [1] * 10
    assert len(threads._helpers) >= 2


def test_work_that_takes_long_is_waited_for():
    ends = []
    spread(lambda a, b: (time.sleep(0.05 * b), ends.append(b)), 2, 2)
    assert ends == [1, 2]


def test_pieces_run_at_the_same_time():
    both, numbers = threading.Barrier(2, timeout=10), []
    spread(lambda a, b: numbers.append(both.wait()), 2, 2)
    assert sorted(numbers) == [0, 1]


@pytest.mark.parametrize("who", [0, 1, 2])
def test_what_a_piece_raises_comes_out_after_the_others_have_ended(who):
    ended = []

    def work(first, last):
        if first == who:
            raise ArithmeticError(f"piece {who}")
        time.sleep(0.02 * (1 + first))
        ended.append(first)

    covered(3, 3)
    known = list(threads._helpers)
    with pytest.raises(ArithmeticError, match=f"piece {who}"):
        spread(work, 3, 3)
    assert ended == [k for k in range(3) if k != who]
    assert threads._helpers == known
    assert covered(6, 3).tolist() == [1] * 6


def test_an_interrupt_while_waiting_leaves_nothing_half_done(monkeypatch):
    release = threading.Event()

    def interrupted(helper):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(threads._Helper, "finish", interrupted)
        spread(lambda a, b: a and release.wait(), 2, 2)
    try:
        assert covered(10, 2).tolist() == [1] * 10  # though one helper is still busy
    finally:
        release.set()


def test_several_threads_at_once():
    results, count = [], 4

    def many():
        results.extend(covered(9, 2).tolist() == [1] * 9 for _ in range(50))

    callers = [threading.Thread(target=many) for _ in range(count)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert results == [True] * (50 * count)


def test_work_within_work():
    inner = np.zeros((2, 6), dtype=int)

    def work(first, last):
        for k in range(first, last):
            inner[k] += covered(6, 2)

    spread(work, 2, 2)
    assert (inner == 1).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_after_a_fork():
    covered(4, 2)
    child = os.fork()
    if child == 0:
        os._exit(0 if covered(8, 2).tolist() == [1] * 8 and len(threads._helpers) == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
