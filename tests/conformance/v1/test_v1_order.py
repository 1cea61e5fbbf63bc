"""Numbers: each conversation's seq, and the offset in the one log (V3.1, V3.2)."""

import pytest
from anyio import create_task_group

from tests.conformance.peer import Peer, new_id
from tests.conformance.shapes import JSON
from tests.conformance.v1.peer import V1Peer, V1People, durable
from tests.conformance.v1.shapes import V1Frame
from tests.running import ServerProcess

pytestmark = pytest.mark.anyio


@pytest.mark.clause("V3.1", "R4.10")
async def test_seqs_count_from_1_without_gaps_in_each_conversation(people: V1People) -> None:
    owner, vet, first = await people.consultation()
    second = (await owner.create(vet.user_id))["id"]
    for conversation in (first, first, second, first, second):
        await owner.say(conversation)
    assert [message["seq"] for message in await vet.log_of(first)] == [1, 2, 3]
    assert [message["seq"] for message in await vet.log_of(second)] == [1, 2]
    entries = {entry["id"]: entry["last_seq"] for entry in await owner.conversations()}
    assert entries == {first: 3, second: 2}


@pytest.mark.clause("V3.1", "V2.2")
async def test_what_was_refused_or_retried_takes_no_seq_and_no_offset(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    first = await owner.ask("message", {"conversation_id": conversation, "content": "1", "client_message_id": "m"})
    await owner.fails("message", {"conversation_id": conversation, "content": " "})
    await owner.fails("message", {"conversation_id": conversation, "content": "2", "client_message_id": "m"})
    await owner.say(conversation, "1", client_message_id="m")
    await owner.fails("mark_read", {"conversation_id": conversation, "seq": 2})
    await owner.reads(conversation, 1)
    second = await owner.ask("message", {"conversation_id": conversation, "content": "2"})
    assert (first.params["seq"], second.params["seq"]) == (1, 2)
    assert [frame.offset for frame in durable(await vet.caught_up())] == [first.offset, second.offset]
    assert first.offset is not None
    assert second.offset is not None


@pytest.mark.clause("V3.1", "V3.2", "R4.9")
async def test_everybody_hears_the_same_seqs_and_offsets_whoever_speaks_in_whatever_dialect(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    phone, base = await people.another_device_of(vet), await people.base.client(owner.user_id)
    peers, each = [owner, vet, phone], 20
    await phone.caught_up()

    async def talk(peer: Peer) -> None:
        for number in range(each):
            await peer.send("message", {"conversation_id": conversation, "content": str(number)})

    async with create_task_group() as group:
        for peer in (base, *peers):
            group.start_soon(talk, peer)
    total = each * (len(peers) + 1)
    base_heard = [await base.expect("message_sent") for _ in range(total)]
    frames = [[await peer.frame_of("message_sent") for _ in range(total)] for peer in peers]
    for peer in peers:
        await peer.expect_silence()
    await base.expect_silence()
    assert [frame.params["seq"] for frame in frames[0]] == list(range(1, total + 1))
    for other in frames[1:]:
        assert [(frame.params, frame.offset) for frame in other] == [
            (frame.params, frame.offset) for frame in frames[0]
        ]
    assert [message | {"seq": seq} for seq, message in enumerate(base_heard, 1)] == [
        frame.params for frame in frames[0]
    ]
    assert await owner.log_of(conversation) == [frame.params for frame in frames[0]]


@pytest.mark.clause("V3.2")
async def test_a_larger_offset_is_later_for_everything_in_every_conversation(people: V1People) -> None:
    owner, vet, first = await people.consultation()
    log: list[tuple[V1Peer, V1Frame]] = []

    async def note(peer: V1Peer, event: str, params: JSON) -> V1Frame:
        log.append((peer, await peer.ask(event, params)))
        return log[-1][1]

    await note(owner, "message", {"conversation_id": first, "content": "Hello."})
    created = await note(owner, "new_conversation", {"pet_id": new_id(), "providers": [vet.user_id]})
    second = created.params["id"]
    await note(vet, "mark_read", {"conversation_id": first, "seq": 1})
    await note(vet, "message", {"conversation_id": second, "content": "Hello."})
    await note(owner, "message", {"conversation_id": first, "content": "Hello again."})
    await note(owner, "mark_read", {"conversation_id": second, "seq": 1})
    offsets = [frame.offset or 0 for _, frame in log]
    assert offsets == sorted(set(offsets))
    for peer in (owner, vet):
        answers = [frame.offset for sender, frame in log if sender is peer]
        others = [frame.offset for frame in durable(await peer.caught_up())]
        assert {*answers, *others} == set(offsets)
        assert len(answers) + len(others) == len(offsets)


@pytest.mark.clause("V3.2")
async def test_a_creation_has_one_offset_for_its_creator_and_every_vet(people: V1People) -> None:
    owner, first, second = await people.client(), await people.provider(), await people.provider()
    phone = await people.another_device_of(owner)
    created = await owner.ask("new_conversation", {"pet_id": new_id(), "providers": [first.user_id, second.user_id]})
    assert (await phone.frame_of("conversation_created")).offset == created.offset
    for vet in (first, second):
        invitation = await vet.frame_of("new_conversation_invitation")
        assert (invitation.offset, invitation.params) == (created.offset, created.params)


@pytest.mark.clause("V3.2", "V1.2")
async def test_a_new_database_is_a_new_epoch(
    server: ServerProcess, narrow_server: ServerProcess, default_server: ServerProcess
) -> None:
    epochs = set[str]()
    for one in (server, narrow_server, default_server):
        async with V1People(one) as people:
            epochs.add((await people.client()).epoch)
    assert len(epochs) == 3
