from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.net.relay.stream import CONFIRM_STEP
from holdfast.net.relay.window import Pool, Window
from holdfast.net.relay.wire import FIRST_WINDOW, MAX_WINDOW, PIECE_COST


def window(pool: Pool) -> Window:
    pool.taken += FIRST_WINDOW
    return Window(pool)


def test_a_window_grows_while_it_is_used_and_there_is_room() -> None:
    pool = Pool(64 * MAX_WINDOW)
    used = window(pool)
    for _ in range(40):
        assert used.send(used.credit) and used.taken(used.on_way)
        used.grant()
    assert used.size == MAX_WINDOW == pool.taken
    used.close()
    used.close()
    assert pool.taken == 0


def test_large_windows_give_back_when_the_pool_gets_scarce() -> None:
    pool = Pool(4 * MAX_WINDOW)
    large = window(pool)
    for _ in range(40):
        large.send(large.credit)
        large.taken(large.on_way)
        large.grant()
    assert large.size == MAX_WINDOW
    others = [window(pool) for _ in range(pool.free // FIRST_WINDOW - 1)]
    for _ in range(40):
        large.send(large.credit)
        large.taken(large.on_way)
        large.grant()
    assert large.size == FIRST_WINDOW
    assert all(other.size == FIRST_WINDOW for other in others)


def test_more_than_it_allows_is_refused_in_both_directions() -> None:
    one = window(Pool(MAX_WINDOW))
    assert not one.send(FIRST_WINDOW + 1)
    assert one.send(FIRST_WINDOW) and not one.send(1)
    assert not one.taken(FIRST_WINDOW + 1)
    assert one.taken(10) and one.grant() == 0, "too little for a message"
    one.close()
    assert one.grant() == 0 and not one.taken(1)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 70_000)), max_size=200))
def test_what_is_promised_never_exceeds_the_pool_and_nothing_stalls(
    steps: list[tuple[int, int]],
) -> None:
    pool = Pool(3 * FIRST_WINDOW * 2)
    windows = [window(pool), window(pool), window(pool)]
    for which, amount in steps:
        if which < 3:
            windows[which].send(min(amount, windows[which].credit))
        else:
            each = windows[amount % 3]
            each.taken(min(amount, each.on_way))
            each.grant()
        assert pool.taken == sum(each.size for each in windows) <= pool.total
        for each in windows:
            assert 0 <= each.credit <= each.size <= MAX_WINDOW
            assert each.credit + each.on_way <= each.size
    for each in windows:
        # The receiver confirms all but a step; what the sender has then carries a piece.
        each.taken(max(each.on_way - CONFIRM_STEP, 0))
        each.grant()
        assert each.credit > PIECE_COST
