"""What has been read: markers, and unread counts on several devices, judged by counting anew (V4.2)."""

import random
from dataclasses import dataclass, field

import pytest

from tests.conformance.shapes import JSON
from tests.conformance.v1.peer import V1Peer, V1People, durable

pytestmark = pytest.mark.anyio


async def entry_of(peer: V1Peer, conversation: str) -> JSON:
    """What `conversations` tells this peer about one of them."""
    (entry,) = [entry for entry in await peer.conversations() if entry["id"] == conversation]
    return entry


async def counts_of(peer: V1Peer, conversation: str) -> tuple[int, int, int]:
    entry = await entry_of(peer, conversation)
    return entry["last_seq"], entry["read_seq"], entry["unread_count"]


# -- markers -----------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V4.2", "V3.2")
async def test_a_marker_goes_to_all_subscribed_connections_and_answers_the_reader(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    vet_phone, owner_phone = await people.another_device_of(vet), await people.another_device_of(owner)
    away, base = await people.another_device_of(owner), await people.base.client(owner.user_id)
    await away.unsubscribe(conversation)
    await owner.say(conversation)
    for peer in (owner, vet, vet_phone, owner_phone, away):
        await peer.caught_up()
    answer = await vet.reads(conversation, 1)
    assert answer.event == "read_marker"
    assert answer.params == {"conversation_id": conversation, "user_id": vet.user_id, "seq": 1}
    for peer in (owner, owner_phone, vet_phone):
        marker = await peer.frame_of("read_marker")
        assert (marker.params, marker.offset) == (answer.params, answer.offset)
    for peer in (owner, vet, vet_phone, owner_phone, away):
        await peer.expect_silence()
    await base.expect("message_sent")
    await base.expect_silence()


@pytest.mark.clause("V4.2")
async def test_a_reader_that_is_not_subscribed_is_answered_by_its_marker_all_the_same(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    await owner.say(conversation)
    await vet.unsubscribe(conversation)
    await owner.caught_up()
    await vet.caught_up()
    marker = await vet.reads(conversation, 1)
    assert marker.event == "read_marker"
    assert [frame.event for frame in await owner.caught_up()] == ["read_marker"], "reading does not subscribe"
    await owner.say(conversation, "Unheard.")
    await vet.expect_silence()


@pytest.mark.clause("V4.2", "V2.4")
async def test_a_marker_never_goes_backwards_and_what_moves_nothing_is_answered_ok(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    for number in range(5):
        await owner.say(conversation, str(number))
    phone = await people.another_device_of(vet)
    assert (await vet.reads(conversation, 3)).event == "read_marker"
    for peer in (owner, vet, phone):
        await peer.caught_up()
    for reader in (vet, phone):
        for seq in (3, 2, 1, 0):
            assert (await reader.reads(conversation, seq)).event == "ok"
    for peer in (owner, vet, phone):
        await peer.expect_silence()
    assert await counts_of(vet, conversation) == (5, 3, 2)
    assert (await phone.reads(conversation, 4)).params["seq"] == 4
    assert await counts_of(vet, conversation) == (5, 4, 1)


@pytest.mark.clause("V4.2", "V2.3")
async def test_a_marker_beyond_the_last_seq_is_an_error_and_moves_nothing(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    assert await vet.fails("mark_read", {"conversation_id": conversation, "seq": 1}) == "invalid_params"
    await owner.say(conversation)
    await vet.caught_up()
    for seq in (2, 3, 2**31, 2**63, 10**30):
        assert await vet.fails("mark_read", {"conversation_id": conversation, "seq": seq}) == "invalid_params"
    await owner.expect_silence()
    assert await counts_of(vet, conversation) == (1, 0, 1)


@pytest.mark.clause("V4.2", "S3.3", "R3.4")
async def test_only_participants_mark(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    await owner.say(conversation)
    await vet.caught_up()
    stranger = await people.provider()
    assert await stranger.fails("mark_read", {"conversation_id": conversation, "seq": 1}) == "not_found"
    assert await stranger.fails("mark_read", {"conversation_id": conversation, "seq": 9}) == "not_found"
    for peer in (owner, vet):
        await peer.expect_silence()


@pytest.mark.clause("V4.2", "V3.3")
async def test_a_marker_that_was_missed_is_replayed(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    await owner.say(conversation)
    await owner.close()
    marker = await vet.reads(conversation, 1)
    again = await people.back(owner)
    assert [(frame.offset, frame.params) for frame in durable(await again.caught_up())] == [
        (marker.offset, marker.params)
    ]


# -- counts ------------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V4.2")
async def test_sending_reads_ones_own_message_only_when_nothing_before_it_is_unread(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    for _ in range(2):
        await owner.say(conversation)
    assert await counts_of(owner, conversation) == (2, 2, 0)
    assert await counts_of(vet, conversation) == (2, 0, 2)
    await vet.caught_up()
    await vet.say(conversation)
    assert await counts_of(vet, conversation) == (3, 0, 2), "what it has not seen stays unread"
    assert await counts_of(owner, conversation) == (3, 2, 1)
    assert [frame.event for frame in await owner.caught_up()] == ["message_sent"], "sending announces no marker"
    await vet.reads(conversation, 2)
    assert await counts_of(vet, conversation) == (3, 2, 0)
    await vet.say(conversation)
    assert await counts_of(vet, conversation) == (4, 2, 0), "its own third message is not above but not read either"
    await vet.reads(conversation, 4)
    await vet.say(conversation)
    assert await counts_of(vet, conversation) == (5, 5, 0)


@dataclass
class Ledger:
    """The clause itself, without any cleverness: every message with its sender, and each user's read_seq."""

    senders: list[str] = field(default_factory=list[str])
    read: dict[str, int] = field(default_factory=dict[str, int])

    def say(self, user: str) -> None:
        self.senders.append(user)
        if self.read.get(user, 0) == len(self.senders) - 1:
            self.read[user] = len(self.senders)

    def mark(self, user: str, seq: int) -> str:
        """The event that answers the mark."""
        if seq > len(self.senders):
            return "error"
        if seq <= self.read.get(user, 0):
            return "ok"
        self.read[user] = seq
        return "read_marker"

    def counts(self, user: str) -> tuple[int, int, int]:
        read = self.read.get(user, 0)
        unread = [seq for seq, sender in enumerate(self.senders, 1) if seq > read and sender != user]
        return len(self.senders), read, len(unread)


@pytest.mark.clause("V4.2")
@pytest.mark.parametrize("seed", range(4))
async def test_unread_counts_are_what_counting_anew_gives_on_every_device(people: V1People, seed: int) -> None:
    generator = random.Random(seed)
    owner, vet, other_vet = await people.client(), await people.provider(), await people.provider()
    conversation = (await owner.create(vet.user_id, other_vet.user_id))["id"]
    devices = [owner, vet, other_vet, *[await people.another_device_of(peer) for peer in (owner, vet)]]
    ledger = Ledger()
    for step in range(60):
        device = generator.choice(devices)
        if generator.random() < 0.5:
            await device.say(conversation, str(step))
            ledger.say(device.user_id)
        else:
            seq = generator.randint(0, len(ledger.senders) + 1)
            answer = await device.reads(conversation, seq)
            assert answer.event == ledger.mark(device.user_id, seq)
        for peer in devices:
            assert await counts_of(peer, conversation) == ledger.counts(peer.user_id), f"step {step}"


@pytest.mark.clause("V4.2", "V2.2")
async def test_messages_sent_in_one_go_and_retried_ones_are_counted_once(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    base, ledger = await people.base.client(owner.user_id), Ledger()
    for number in range(10):
        await owner.start(
            "message", {"conversation_id": conversation, "content": str(number), "client_message_id": f"m{number}"}
        )
        ledger.say(owner.user_id)
    await owner.caught_up()
    for number in range(10):
        await owner.say(conversation, str(number), client_message_id=f"m{number}")
    for _ in range(10):
        await base.expect("message_sent")
    await base.say(conversation, "From the other dialect.")
    ledger.say(owner.user_id)
    for peer in (owner, vet):
        assert await counts_of(peer, conversation) == ledger.counts(peer.user_id)


@pytest.mark.clause("V4.2", "V3.6")
async def test_counts_are_told_on_pages_too_and_belong_to_each_conversation(people: V1People) -> None:
    owner, vet, first = await people.consultation()
    second = (await owner.create(vet.user_id))["id"]
    for conversation in (first, first, second):
        await owner.say(conversation)
    await vet.reads(first, 1)
    page = {entry["id"]: entry for entry in await vet.conversations(limit=10)}
    assert (page[first]["last_seq"], page[first]["read_seq"], page[first]["unread_count"]) == (2, 1, 1)
    assert (page[second]["last_seq"], page[second]["read_seq"], page[second]["unread_count"]) == (1, 0, 1)
