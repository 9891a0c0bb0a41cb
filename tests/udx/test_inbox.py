from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.udx.inbox import COST, MAX_AHEAD, Inbox
from holdfast.udx.packet import DATA, END


@given(st.integers(1, 20).flatmap(lambda n: st.lists(st.integers(0, n - 1), max_size=60).map(
    lambda order: (n, [*order, *range(n)]))))  # fmt: skip
def test_any_order_with_repeats_gives_the_bytes_once(case: tuple[int, list[int]]) -> None:
    count, order = case
    inbox, read = Inbox(0), b""
    for number in order:
        kind = DATA | END if number == count - 1 else DATA
        inbox.offer(number, kind, memoryview(bytes([number])))
        read += b"".join(inbox.read())
        assert inbox.waiting == 0
    assert read == bytes(range(count))
    assert inbox.ended and inbox.expected == count
    assert inbox.kept_bytes == 0 and not inbox.seen


def test_what_is_far_ahead_is_not_kept() -> None:
    inbox = Inbox(0)
    assert not inbox.offer(MAX_AHEAD + 1, DATA, memoryview(b"x"))
    assert inbox.offer(MAX_AHEAD, DATA, memoryview(b"x"))
    assert not inbox.offer(MAX_AHEAD, DATA, memoryview(b"x"))


def test_early_packets_are_bounded_in_bytes() -> None:
    inbox = Inbox(0, limit=10_000)
    payload = memoryview(bytes(1000))
    taken = sum(inbox.offer(number, DATA, payload) for number in range(1, 5000))
    assert taken * (1000 + COST) <= 10_000 + MAX_AHEAD * COST
    assert inbox.kept_bytes == taken * (1000 + COST)


def test_a_sender_who_heeds_no_window_is_not_heard() -> None:
    inbox = Inbox(0, limit=10_000)
    for number in range(100):
        inbox.offer(number, DATA, memoryview(bytes(1000)))
    assert inbox.waiting <= 21_000 and inbox.window == 0 and inbox.full
    inbox.read()
    assert inbox.offer(inbox.expected, DATA, memoryview(b"x"))


def test_small_pieces_are_put_together() -> None:
    inbox = Inbox(0)
    for number in range(10_000):
        inbox.offer(number, DATA, memoryview(b"x"))
    pieces = inbox.read()
    assert len(pieces) < 20 and b"".join(pieces) == b"x" * 10_000


def test_nothing_counts_after_the_end() -> None:
    inbox = Inbox(0)
    inbox.offer(2, DATA, memoryview(b"beyond"))
    inbox.offer(0, DATA, memoryview(b"a"))
    inbox.offer(1, END, memoryview(b""))
    assert inbox.ended and inbox.kept_bytes == 0
    assert not inbox.offer(2, DATA, memoryview(b"x"))
    assert inbox.read() == [b"a"]
    inbox.forget()
    assert inbox.read() == []
