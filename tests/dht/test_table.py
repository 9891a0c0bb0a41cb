"""The routing table: the nearest are the nearest, rows are bounded, nobody is twice in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.dht.ids import key_of, node_id, split
from holdfast.dht.table import Contact, K, Table

packeds = st.binary(min_size=6, max_size=6)
targets = st.binary(min_size=32, max_size=32)


def _filled(own: bytes, addresses: list[bytes]) -> Table:
    table = Table(own)
    for packed in addresses:
        table.add(Contact(packed, 0.0))
    return table


@given(targets, st.lists(packeds, unique=True, max_size=60), targets, st.integers(1, 30))
def test_closest_are_those_with_the_least_distance(
    own: bytes, addresses: list[bytes], target: bytes, count: int
) -> None:
    table = _filled(own, addresses)
    held = [contact.packed for contact in table]
    key = key_of(target)
    nearest = sorted(held, key=lambda packed: key_of(node_id(packed)) ^ key)
    assert [contact.packed for contact in table.closest(key, count)] == nearest[:count]
    given_away = split(table.closest_packed(target))
    assert sorted(given_away) == sorted(nearest[:K])


@given(targets, st.lists(st.tuples(st.booleans(), packeds), max_size=80))
def test_what_is_added_is_there_until_it_is_removed(
    own: bytes, steps: list[tuple[bool, bytes]]
) -> None:
    table, model = Table(own), set[bytes]()
    for adds, packed in steps:
        if adds:
            if table.add(Contact(packed, 0.0)):
                model.add(packed)
        else:
            assert table.remove(packed) == (packed in model)
            model.discard(packed)
        assert {contact.packed for contact in table} == model
        assert len(table) == len(model)
        assert set(split(table.closest_packed(own))) <= model


def test_a_row_is_bounded() -> None:
    table = _filled(bytes(32), [n.to_bytes(6, "big") for n in range(1, 500)])
    far = table.row_of(1 << 255)
    assert len(far) == K
    assert len(table) < 200


def test_we_are_not_in_our_own_table() -> None:
    packed = bytes(range(6))
    table = Table(node_id(packed))
    assert not table.add(Contact(packed, 0.0))


def test_the_order_is_by_last_word() -> None:
    table = _filled(b"\xff" * 32, [b"aaaaaa", b"bbbbbb", b"cccccc"])
    first = table.get(b"aaaaaa")
    assert first is not None
    table.heard(first, 5.0)
    assert [contact.packed for contact in table] == [b"bbbbbb", b"cccccc", b"aaaaaa"]
    assert [contact.packed for contact in table.latest(2)] == [b"aaaaaa", b"cccccc"]
    assert first.seen == 5.0


def test_another_id_keeps_the_contacts() -> None:
    table = _filled(bytes(32), [n.to_bytes(6, "big") for n in range(1, 30)])
    moved = table.rebase(b"\xff" * 32)
    assert {contact.packed for contact in moved} <= {contact.packed for contact in table}
    assert len(moved) >= K
