"""A sorted tree of keys and values on a log: ranges, versions, what differs between them."""

from __future__ import annotations

import asyncio

from holdfast.hyperbee import Bee
from holdfast.store import Store


async def main() -> None:
    """Three songs, then a correction."""
    async with await Store.open(None) as store:
        bee = Bee(store.core(name="songs"), key_encoding="utf-8", value_encoding="json")
        async with bee.batch() as batch:
            await batch.put("1984/poi-e", {"by": "Patea Maori Club"})
            await batch.put("1958/pokarekare-ana", {"by": "Howard Morrison"})
            await batch.put("1917/e-pari-ra", {"by": "Paraire Tomoana"})

        async for entry in bee.iterate(gte="1950", lt="2000"):
            print(entry.key, entry.value["by"])

        before = bee.version
        await bee.put("1958/pokarekare-ana", {"by": "Howard Morrison Quartet"})
        async for difference in bee.diff(before):
            assert difference.left is not None and difference.right is not None
            print(f"{difference.left.key}: {difference.right.value} -> {difference.left.value}")

        old = await bee.checkout(before).get("1958/pokarekare-ana")
        assert old is not None and old.value == {"by": "Howard Morrison"}


asyncio.run(main())
