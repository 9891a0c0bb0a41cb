"""The log under everything: appended to on one side, read and verified on the other."""

from __future__ import annotations

import asyncio

from holdfast.crypto import key_pair
from holdfast.net import Connection, dial, listen
from holdfast.store import Store


async def main() -> None:
    """Two stores, one TCP connection between them, one log."""
    async with await Store.open(None) as here, await Store.open(None) as there:
        mine = here.core(name="readings")
        await mine.append([b"Monday 4.1", b"Tuesday 3.9", b"Wednesday 5.0"])

        def opened(connection: Connection) -> None:
            here.attach(connection)

        listener = await listen("127.0.0.1:0", key_pair(), opened)
        connection = await dial(listener.addresses[0], key_pair())
        there.attach(connection)

        theirs = there.core(key=mine.key)
        await theirs.update(wait=True, timeout=10)
        print(theirs.length, "blocks,", theirs.byte_length, "bytes")
        print((await theirs.get(1, timeout=10)).decode())
        print("byte 25 is in block and at:", await theirs.seek(25, timeout=10))

        connection.close()
        await connection.wait_closed()
        await listener.close()


asyncio.run(main())
