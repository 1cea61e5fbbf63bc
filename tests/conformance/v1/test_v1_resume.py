"""Coming back: everything missed in order, then live, without loss, double or swap; or nothing at all (V3.3, V3.4)."""

import json
from collections.abc import Sequence

import pytest
from anyio import Event, create_task_group, fail_after

from tests.conformance.peer import PATIENCE, new_id
from tests.conformance.shapes import JSON
from tests.conformance.v1.peer import V1Peer, V1People, durable
from tests.conformance.v1.resident import Crowd
from tests.conformance.v1.shapes import V1Frame
from tests.running import ServerProcess

pytestmark = pytest.mark.anyio

LONG = 8_000 * "🐾"
"""The longest legal content: 32,000 bytes of UTF-8."""


def told(frames: Sequence[V1Frame]) -> list[tuple[int | None, str, JSON]]:
    """What these frames say, whoever they answered."""
    return [(frame.offset, frame.event, frame.params) for frame in frames]


async def recovered(people: V1People, peer: V1Peer) -> tuple[V1Peer, list[V1Frame]]:
    """The same user on a new connection that went on where `peer` was, and all that it was told."""
    again = await people.back(peer)
    return again, await again.caught_up()


# -- complete ----------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V3.3", "V5.1")
async def test_who_missed_nothing_is_recovered_and_hears_nothing(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    await vet.say(conversation)
    await owner.caught_up()
    await people.client()  # others come and go meanwhile
    await owner.close()
    position = owner.position
    again, frames = await recovered(people, owner)
    assert [frame.event for frame in frames] == ["presence_state"]
    assert again.position == position


@pytest.mark.clause("V3.3", "V3.2")
async def test_all_that_was_missed_comes_exactly_as_a_device_that_stayed_heard_it(people: V1People) -> None:
    owner, vet, first = await people.consultation()
    other_vet = await people.provider()
    stayed, gone = owner, await people.another_device_of(owner)
    await gone.caught_up()
    gone.cut()
    heard = [await stayed.ask("message", {"conversation_id": first, "content": "From my other device."})]
    heard.append(await stayed.ask("new_conversation", {"pet_id": new_id(), "providers": [other_vet.user_id]}))
    second = heard[-1].params["id"]
    for number in range(5):
        await vet.say(first, f"To the first: {number}")
        await other_vet.say(second, f"To the second: {number}")
    await vet.reads(first, 1)
    heard += await stayed.caught_up()
    heard.append(await stayed.reads(first, 3))
    await vet.say(first, "The last.")
    heard += await stayed.caught_up()
    again, frames = await recovered(people, gone)
    assert len(durable(heard)) == 15
    assert told(durable(frames)) == told(sorted(durable(heard), key=lambda frame: frame.offset or 0))
    await vet.say(first, "Live.")
    await again.expect("message_sent", content="Live.")


@pytest.mark.clause("V3.3")
async def test_an_invitation_that_was_missed_comes_with_all_that_was_said_there(people: V1People) -> None:
    owner, vet = await people.client(), await people.provider()
    await vet.close()
    conversation = (await owner.create(vet.user_id))["id"]
    await owner.say(conversation, "Are you there?")
    await owner.create(new_id())
    _, frames = await recovered(people, vet)
    assert [frame.event for frame in durable(frames)] == ["new_conversation_invitation", "message_sent"]
    assert {frame.params.get("id") for frame in frames} >= {conversation}


@pytest.mark.clause("V3.3", "R4.24")
async def test_what_an_earlier_connection_had_unsubscribed_is_replayed_as_well(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    await vet.unsubscribe(conversation)
    missed = [await owner.say(conversation, "Unheard.") for _ in range(3)]
    await vet.expect_silence()
    await vet.close()
    missed.append(await owner.say(conversation, "Missed."))
    again, frames = await recovered(people, vet)
    assert [frame.params for frame in durable(frames)] == missed
    await owner.say(conversation, "Live.")
    await again.expect("message_sent", content="Live.")


@pytest.mark.clause("V3.3", "R3.5")
async def test_only_ones_own_conversations_are_replayed_by_role(people: V1People) -> None:
    as_vet = await people.provider()
    await as_vet.close()
    as_client = await people.client(as_vet.user_id)
    mine = (await as_client.create())["id"]
    await as_client.say(mine)
    owner, vet, others = await people.consultation()
    await owner.say(others)
    conversation = (await owner.create(as_vet.user_id, vet.user_id))["id"]
    await vet.say(conversation)
    _, frames = await recovered(people, as_vet)
    assert [frame.event for frame in durable(frames)] == ["new_conversation_invitation", "message_sent"]
    assert [frame.params.get("conversation_id", conversation) for frame in durable(frames)] == [conversation] * 2


@pytest.mark.clause("V3.3")
async def test_an_old_position_may_be_resumed_from_again_and_again(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    begin = vet.resume
    said = [await owner.say(conversation, str(number)) for number in range(20)]
    offsets = [frame.offset for frame in await vet.caught_up()]
    for _ in range(3):
        for start in (0, 7, 19, 20):
            peer = await people.waiting("provider", vet.user_id)
            resume = begin if start == 0 else begin | {"offset": offsets[start - 1]}
            assert (await peer.hello(resume=resume))["recovered"] is True
            assert [frame.params for frame in durable(await peer.caught_up())] == said[start:]
            await peer.close()


@pytest.mark.clause("V3.3", "V4.3", "V5.1")
async def test_the_order_is_welcome_replay_presence_state_live(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    second = (await owner.create(vet.user_id))["id"]
    await vet.caught_up()
    vet.cut()
    await owner.expect("presence_state")
    for _ in range(2):
        assert (await owner.frame_of("user_left")).params["user_id"] == vet.user_id
    for number in range(30):
        await owner.say(conversation, f"Missed {number}")
    again = await people.waiting("provider", vet.user_id)
    await again.send("hello", {"resume": vet.resume})
    await again.send("ping", {})
    frames = [await again.receive() for _ in range(34)]
    events = [frame.event for frame in frames]
    assert events == ["welcome", *30 * ["message_sent"], *2 * ["presence_state"], "pong"]
    assert frames[0].params["recovered"] is True
    assert {frame.params["conversation_id"] for frame in frames[31:33]} == {conversation, second}
    assert [frame.event for frame in await owner.caught_up()] == ["user_joined", "user_joined"]


@pytest.mark.clause("V3.3", "S5.3")
async def test_the_others_see_a_resumed_user_join_like_any_other(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    base = await people.base.client(owner.user_id)
    vet.cut()
    for peer in (owner, base):
        await peer.expect("user_left", user_id=vet.user_id)
    await people.back(vet)
    for peer in (owner, base):
        await peer.expect("user_joined", user_id=vet.user_id, conversation_id=conversation)


# -- under traffic -----------------------------------------------------------------------------------------------------


@pytest.mark.clause("V3.3", "V3.1", "R4.9")
async def test_resumes_join_the_live_stream_without_a_gap_while_everybody_talks_reads_and_creates(
    people: V1People,
) -> None:
    owner, vet, conversation = await people.consultation()
    witness = await people.another_device_of(vet)
    await witness.caught_up()
    done, heard, witnessed = Event(), list[V1Frame](), list[V1Frame]()
    async with create_task_group() as group:
        for user, act, with_what in (
            (owner, talk_and_read, conversation),
            (vet, talk_and_read, conversation),
            (owner, create_and_talk, vet.user_id),
        ):
            device = await people.another_device_of(user)
            await device.caught_up()
            group.start_soon(act, device, with_what, done)
        for _ in range(20):
            for _ in range(3):
                heard += await vet.caught_up()
                witnessed += await witness.caught_up()
            vet.cut()
            vet = await people.back(vet)
        done.set()
    heard += await vet.caught_up()
    witnessed += await witness.caught_up()
    assert told(durable(heard)) == told(durable(witnessed))
    assert {frame.event for frame in durable(heard)} == {"message_sent", "read_marker", "new_conversation_invitation"}
    said = [frame.params for frame in durable(heard) if frame.event == "message_sent"]
    assert [params for params in said if params["conversation_id"] == conversation] == await owner.log_of(conversation)


async def talk_and_read(peer: V1Peer, conversation: str, done: Event) -> None:
    while not done.is_set():
        said = await peer.say(conversation, "Talk.")
        await peer.reads(conversation, said["seq"])


async def create_and_talk(peer: V1Peer, vet_id: str, done: Event) -> None:
    while not done.is_set():
        created = await peer.create(vet_id)
        await peer.say(created["id"], "In a new conversation.")


@pytest.mark.clause("V3.3", "V5.1")
async def test_however_much_others_said_meanwhile_it_moves_nobodys_position(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    begin, said = vet.resume, await owner.ask("message", {"conversation_id": conversation, "content": "Missed."})
    others = Crowd(people)
    await others.settle_in(conversations=4, devices=1, window=20)
    async with create_task_group() as group:
        for resident in others.residents:
            group.start_soon(resident.run)
        for _ in range(10):
            await others.until_answered(150)
            peer = await people.waiting("provider", vet.user_id)
            assert (await peer.hello(resume=begin))["recovered"] is True
            assert (await peer.command("pong", "ping", {}))["offset"] == said.offset
            await peer.close()
        await others.part()


@pytest.mark.clause("V3.3", "R2.7")
async def test_a_replay_is_pulled_at_the_pace_of_a_slow_reader_beyond_the_bound_of_the_outbox(
    people: V1People,
) -> None:
    owner, vet, conversation = await people.consultation()
    vet.cut()
    await owner.expect("user_left")
    missed = 160  # 5 MB
    for _ in range(missed):
        await say_at_length(owner, conversation)
    again = await people.waiting("provider", vet.user_id, deaf=True)
    await again.send("hello", {"resume": vet.resume})
    await owner.expect("user_joined")
    for _ in range(10):
        await owner.types(conversation)
        await say_at_length(owner, conversation)
    heard: list[V1Frame] = []
    with fail_after(6 * PATIENCE):
        while not heard or heard[-1].params.get("seq") != missed + 10:
            heard.append(await again.receive())
    events = [frame.event for frame in heard]
    replayed = events.index("presence_state") - 1
    assert replayed >= missed
    assert events[: replayed + 1] == ["welcome", *replayed * ["message_sent"]], "nothing ephemeral during the replay"
    assert set(events[replayed + 2 :]) <= {"message_sent", "typing"}
    seqs = [frame.params["seq"] for frame in heard if frame.event == "message_sent"]
    assert seqs == list(range(1, missed + 11))
    await again.expect_silence()


async def say_at_length(peer: V1Peer, conversation: str) -> None:
    params = json.dumps({"conversation_id": conversation, "content": LONG}, ensure_ascii=False)
    await peer.send_text('{"event":"message","params":' + params + "}")
    while (await peer.receive()).event != "message_sent":
        pass


# -- never partial -----------------------------------------------------------------------------------------------------


@pytest.mark.clause("V3.4", "V1.2")
async def test_another_epoch_or_an_offset_beyond_the_head_recovers_nothing(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    position = vet.resume
    await owner.say(conversation, "Missed.")
    head = owner.position
    for resume in (
        position | {"epoch": new_id()},
        position | {"epoch": vet.epoch.upper() + "x"},
        position | {"epoch": "x", "offset": 0},
        position | {"offset": head + 1},
        position | {"offset": 2**63},
    ):
        peer = await people.waiting("provider", vet.user_id)
        welcome = await peer.hello(resume=resume)
        assert welcome["recovered"] is False
        assert welcome["offset"] == head
        assert welcome["epoch"] == vet.epoch
        assert [frame.event for frame in await peer.caught_up()] == ["presence_state"]
        await peer.close()
    peer = await people.waiting("provider", vet.user_id)
    assert (await peer.hello(resume=position | {"offset": head}))["recovered"] is True
    await owner.say(conversation, "Live.")
    assert [frame.params["content"] for frame in durable(await peer.caught_up())] == ["Live."]


@pytest.mark.clause("V3.4")
async def test_more_frames_than_the_limit_recover_nothing_and_others_frames_do_not_count(
    narrow_server: ServerProcess,
) -> None:
    limit = 10
    async with V1People(narrow_server) as people:
        owner, vet, conversation = await people.consultation()
        other_owner, _, elsewhere = await people.consultation()
        await vet.close()
        for number in range(limit):
            await owner.say(conversation, f"Missed {number}")
            await other_owner.say(elsewhere, "Of no concern.")
        again = await people.back(vet)
        assert len(durable(await again.caught_up())) == limit
        await owner.say(conversation, "One more.")
        late = await people.waiting("provider", vet.user_id)
        welcome = await late.hello(resume=vet.resume)
        assert welcome["recovered"] is False
        assert welcome["offset"] == owner.position
        assert [frame.event for frame in await late.caught_up()] == ["presence_state"]
        await owner.say(conversation, "Live.")
        assert [frame.params["content"] for frame in await late.caught_up()] == ["Live."]


@pytest.mark.clause("V3.4", "V3.3")
async def test_after_a_reload_one_goes_on_from_the_offset_of_the_welcome(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    await owner.say(conversation, "Before.")
    fresh = await people.another_device_of(vet)
    await fresh.caught_up()
    begin = fresh.resume
    await owner.say(conversation, "After.")
    await fresh.close()
    again = await people.waiting("provider", vet.user_id)
    assert (await again.hello(resume=begin))["recovered"] is True
    assert [frame.params["content"] for frame in durable(await again.caught_up())] == ["After."]
