"""Ids are random UUIDs, however many are drawn at a time."""

from uuid import RFC_4122, UUID

from vetchat_protocol.fields import canonical_uuid
from vetchat_server.clock import AT_ONCE, random_ids


def test_ids_are_random_uuids_of_version_4_and_never_the_same() -> None:
    draw = random_ids()
    drawn = [draw() for _ in range(4 * AT_ONCE + 1)]
    assert len(set(drawn)) == len(drawn)
    assert [canonical_uuid(name) for name in drawn] == drawn
    assert {(UUID(name).version, UUID(name).variant) for name in drawn} == {(4, RFC_4122)}
    for place in range(32):
        seen = {UUID(name).hex[place] for name in drawn}
        assert len(seen) == {12: 1, 16: 4}.get(place, 16), "all other digits are luck"
