from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.udx.bursts import MAX_BURST, MAX_SEGMENTS, Packer
from holdfast.udx.outbox import Outbox


@given(st.lists(st.binary(max_size=40), max_size=20), st.lists(st.integers(1, 60), min_size=1))
def test_payloads_are_the_bytes_in_order(written: list[bytes], sizes: list[int]) -> None:
    outbox, taken = Outbox(), b""
    for data in written:
        outbox.write(data)
    left = b"".join(written)
    assert outbox.size == len(left)
    for size in sizes * len(left):
        if not outbox.size:
            break
        payload = outbox.take(size)
        assert len(payload) == min(size, len(left) - len(taken))
        taken += payload
    assert taken == left and outbox.size == 0


def test_a_payload_inside_one_piece_is_not_copied() -> None:
    outbox = Outbox()
    data = bytes(5000)
    outbox.write(data)
    first, second = outbox.take(1000), outbox.take(1000)
    assert isinstance(first, memoryview) and isinstance(second, memoryview)
    assert first.obj is second.obj is data
    outbox.forget()
    assert outbox.size == 0 and outbox.take(10) == b""


@given(st.lists(st.tuples(st.integers(0, 1480), st.integers(0, 255), st.booleans()), max_size=200))
def test_bursts_hold_datagrams_of_one_size(packets: list[tuple[int, int, bool]]) -> None:
    packer, expected = Packer(("host", 1)), []
    for number, (size, padding, fragment) in enumerate(packets):
        header, payload = number.to_bytes(20, "little"), bytes([number & 255]) * size
        packer.add(header, payload, padding, fragment)
        expected.append((header + bytes(padding) + payload, fragment))
    bursts = packer.take()
    got = [(bytes(each), burst.fragment) for burst in bursts for each in burst.datagrams()]
    assert got == expected
    for burst in bursts:
        sizes = [len(each) for each in burst.datagrams()]
        assert len(burst.data) <= MAX_BURST and len(sizes) <= MAX_SEGMENTS
        assert all(size == burst.size for size in sizes[:-1]) and sizes[-1] <= burst.size
    assert packer.take() == []
