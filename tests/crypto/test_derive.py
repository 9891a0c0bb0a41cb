"""A corestore's primary key gives the same cores here."""

from __future__ import annotations

from holdfast.crypto import ROOT_NAMESPACE, derive_seed, sub_namespace
from tests.vectors.load import unhex

PRIMARY = unhex("corestore", "primaryKey")


def test_seed_in_the_root_namespace() -> None:
    assert derive_seed(PRIMARY, ROOT_NAMESPACE, "db") == unhex("corestore", "dbSeed")
    assert derive_seed(PRIMARY, ROOT_NAMESPACE, b"db") == unhex("corestore", "dbSeed")


def test_seed_in_a_namespace_of_its_own() -> None:
    foo = sub_namespace(ROOT_NAMESPACE, "foo")
    assert foo == sub_namespace(ROOT_NAMESPACE, b"foo") == unhex("corestore", "namespaceFoo")
    assert derive_seed(PRIMARY, foo, "db") == unhex("corestore", "fooDbSeed")
