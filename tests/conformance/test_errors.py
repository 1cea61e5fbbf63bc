"""Errors: to the sender alone, one plain sentence, nothing of the input in it (S6.1, R6.2)."""

import re
from typing import Any

import pytest

from tests.conformance.peer import People, new_id

pytestmark = pytest.mark.anyio

MARK = "Zyzzyva"
SENTENCE = re.compile(r"[A-Z`'\"“].*[.]", re.DOTALL)


async def every_error(people: People) -> dict[str, str]:
    """One message of each kind that a client can cause."""
    owner, vet, conversation = await people.consultation()
    here: dict[str, Any] = {"conversation_id": conversation}
    await owner.send_text(MARK)
    messages = {"not JSON": await owner.expect_error()}
    await owner.send_text(f'["{MARK}"]')
    messages["not an object"] = await owner.expect_error()
    await owner.send_binary(MARK.encode())
    messages["binary"] = await owner.expect_error()
    messages["event"] = await owner.refused(MARK)
    messages["sender"] = await owner.refused("conversations", sender_id=MARK)
    messages["params"] = await owner.refused("message", MARK)
    messages["id"] = await owner.refused("message", {"conversation_id": MARK, "content": "Hello."})
    messages["missing"] = await owner.refused("message", here | {MARK: MARK})
    messages["mistyped"] = await owner.refused("message", here | {"content": [MARK]})
    messages["empty"] = await owner.refused("message", here | {"content": ""})
    messages["too long"] = await owner.refused("message", here | {"content": MARK * 2_000})
    messages["page"] = await owner.refused("conversation_history", here | {"page": MARK})
    messages["limit"] = await owner.refused("conversation_history", here | {"limit": 4242})
    messages["role"] = await vet.refused("new_conversation", {"pet_id": new_id(), "providers": []})
    messages["pet"] = await owner.refused("new_conversation", {"pet_id": MARK, "providers": []})
    messages["provider"] = await owner.refused("new_conversation", {"pet_id": new_id(), "providers": [owner.user_id]})
    messages["not found"] = await owner.refused("message", {"conversation_id": new_id(), "content": MARK})
    return messages


@pytest.mark.clause("R6.2", "S6.1")
async def test_every_error_is_one_plain_sentence_without_the_input(people: People) -> None:
    messages = await every_error(people)
    for kind, message in messages.items():
        assert SENTENCE.fullmatch(message), f"{kind}: {message}"
        assert "\n" not in message, f"{kind}: {message}"
        for secret in (MARK, "4242", "Traceback", "pydantic", "sqlite", "SELECT", "Exception", "eyJ", "type=", "loc="):
            assert secret.lower() not in message.lower(), f"{kind}: {message}"
        assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}", message), f"{kind}: {message}"


@pytest.mark.clause("R6.2")
async def test_different_mistakes_are_told_apart(people: People) -> None:
    messages = await every_error(people)
    kinds = ("not JSON", "event", "sender", "missing", "too long", "page", "limit", "role", "provider", "not found")
    assert len({messages[kind] for kind in kinds}) == len(kinds)


@pytest.mark.clause("R6.2")
async def test_where_it_helps_an_error_says_what_is_allowed(people: People) -> None:
    messages = await every_error(people)
    assert re.search(r"8[, ’'_]?000", messages["too long"]), messages["too long"]
    assert "100" in messages["limit"], messages["limit"]


@pytest.mark.clause("S6.1")
async def test_an_error_goes_to_the_connection_that_caused_it_and_to_nobody_else(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    phone = await people.another_device_of(owner)
    await owner.refused("message", {"conversation_id": conversation, "content": ""})
    await owner.refused("nonsense")
    for peer in (owner, phone, vet):
        await peer.expect_silence()
