"""One directory, one primary key, many logs: opened by name or key, appended to, read, exchanged.

* `Store` opens logs and ties them to connections; `Namespace` keeps names apart.
* `Core` is a session on one log; `Download` a range of it on its way; `Extension` its side channel.
"""

from holdfast.store.attachments import Attachment, Link, Offers, offer_all
from holdfast.store.core import Core
from holdfast.store.download import Download
from holdfast.store.extension import Extension
from holdfast.store.store import Namespace, Store

__all__ = [
    "Attachment",
    "Core",
    "Download",
    "Extension",
    "Link",
    "Namespace",
    "Offers",
    "Store",
    "offer_all",
]
