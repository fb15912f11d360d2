"""Work shared out over threads: all of it, once, whatever happens meanwhile."""

import os
import threading
import time

import numba
import numpy as np
import pytest

from qgen_core.simulators.simd import threads, work_sharing
from qgen_core.simulators.simd.intrinsics import FLAT, pointer
from qgen_core.simulators.simd.threads import spread, together
from qgen_core.simulators.simd.work_sharing import share, take, withdraw
from qgen_core.support import resources


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


@numba.njit(nogil=True, **FLAT)
def _compiled(done, who, sums, length, work, boxes, helpers):
    """A compiled call that others may join: counts each piece, notes who did it, and takes some
    time for it.
    """
    if helpers >= 0:
        share(boxes, helpers)
        withdraw(pointer(boxes, 0), helpers)
        return
    me = take(work, 1, 1)
    piece = take(work, 0, 1)
    while piece < len(done):
        done[piece] += 1
        who[piece] = me
        for k in range(length):
            sums[piece] += 1.0 / (1.0 + k + sums[piece])
        piece = take(work, 0, 1)


def joined(pieces, count, length=0):
    """How often each piece is done, and by whom."""
    done, who, sums, work = (
        np.zeros(pieces, int),
        np.zeros(pieces, int),
        np.zeros(pieces),
        np.zeros(2, int),
    )
    together(
        lambda boxes, helpers: _compiled(done, who, sums, length, work, boxes, helpers),
        pieces,
        count,
    )
    assert 1 <= work[1] <= max(min(count, pieces), 1)
    return done, who


@pytest.mark.parametrize(("pieces", "count"), [(0, 2), (1, 1), (2, 2), (7, 3), (1000, 5)])
def test_every_piece_of_a_compiled_call_is_done_once(pieces, count):
    for _ in range(20):
        np.testing.assert_array_equal(joined(pieces, count)[0], np.ones(pieces, dtype=int))


@pytest.mark.parametrize("pause", [0.0, 0.05])
def test_helpers_join_compiled_calls(pause):
    """Awake or asleep; a call lasts some milliseconds, and a busy machine may take longer to begin
    a thread.
    """
    for _ in range(50):
        time.sleep(pause)
        done, who = joined(200, 2, length=20_000)
        assert done.tolist() == [1] * 200
        if set(who) == {0, 1}:
            return
    pytest.fail("no helper ever joined")


def test_who_does_not_come_is_not_waited_for():
    box = np.zeros(work_sharing.BOX, dtype=np.int64)
    done, who, work = np.zeros(5, int), np.zeros(5, int), np.zeros(2, int)
    _compiled(done, who, np.zeros(5), 0, work, np.array([box.ctypes.data]), 1)
    assert done.tolist() == [1] * 5 and box[0] == work_sharing.IDLE and work[1] == 1


def test_compiled_calls_and_pieces_of_python_take_turns():
    for k in range(40):
        time.sleep(0.01 * (k % 5 == 4))
        assert joined(30, 3)[0].tolist() == [1] * 30
        assert covered(10, 3).tolist() == [1] * 10


def test_compiled_calls_of_several_threads_at_once():
    results = []

    def many():
        results.extend(joined(20, 2, length=100)[0].tolist() == [1] * 20 for _ in range(200))

    callers = [threading.Thread(target=many) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert results == [True] * 800


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_after_a_fork():
    covered(4, 2)
    child = os.fork()
    if child == 0:
        fine = covered(8, 2).tolist() == [1] * 8 and len(threads._helpers) == 1
        os._exit(0 if fine and joined(50, 2)[0].tolist() == [1] * 50 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def seconds_of_helpers():
    """Processor time of the helpers alone: threads of other libraries may be computing."""
    clocks = []
    for thread in threading.enumerate():
        if thread.name == "qgen-engine":
            clocks.append(time.pthread_getcpuclockid(thread.ident))
    assert clocks
    return sum(time.clock_gettime(clock) for clock in clocks)


@pytest.mark.skipif(
    not hasattr(time, "pthread_getcpuclockid"), reason="no clocks of threads on this system"
)
def test_a_helper_between_calls_takes_no_processor():
    """It looks for work for 50 microseconds; before it slept after 2 to 9 milliseconds."""
    assert covered(4, 2).tolist() == [1] * 4
    time.sleep(0.05)
    before = seconds_of_helpers()
    calls = 40
    for _ in range(calls):
        covered(4, 2)
        time.sleep(0.01)
    assert (seconds_of_helpers() - before) / calls < 0.001


@pytest.mark.parametrize(
    ("omp", "numba_threads", "expected"),
    [
        ("1", None, 1),
        (None, "2", 2),
        ("3,2", "2", 2),
        ("3", "64", 3),
        ("", "0", 8),
        ("all", None, 8),
    ],
)
def test_numbers_of_threads_in_the_environment(omp, numba_threads, expected, monkeypatch):
    monkeypatch.setattr(resources, "cores", lambda: 8)
    for name, value in (("OMP_NUM_THREADS", omp), ("NUMBA_NUM_THREADS", numba_threads)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert resources.usable_threads() == expected
