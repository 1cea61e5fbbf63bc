"""A base connection never learns that vetchat.v1 exists: the same room, in both dialects at once (the extension)."""

import json
import random
import re

import pytest

from tests.conformance.peer import Peer, new_id
from tests.conformance.shapes import CONVERSATION, JSON, UUID, Frame
from tests.conformance.v1.peer import V1People

pytestmark = pytest.mark.anyio

TIME = re.compile(r'(timestamp": ?)[0-9]{13}')


@pytest.mark.clause("V1.1", "S2.1", "S2.2")
async def test_a_base_connection_hears_exactly_the_base_wire_whatever_others_do_in_v1(people: V1People) -> None:
    owner, vet = await people.client(), await people.provider()
    base_owner, base_vet = await people.base.client(owner.user_id), await people.base.provider(vet.user_id)
    created = await owner.create(vet.user_id, client_conversation_id="c")
    await owner.create(vet.user_id, pet=created["pet"], client_conversation_id="c")
    conversation = created["id"]
    whole = {key: created[key] for key in CONVERSATION}
    assert await base_owner.expect("conversation_created") == whole
    assert await base_vet.expect("new_conversation_invitation") == whole
    await owner.types(conversation)
    said = await owner.say(conversation, "Hello.", client_message_id="m")
    await owner.say(conversation, "Hello.", client_message_id="m")
    await vet.reads(conversation, 1)
    await owner.fails("message", {"conversation_id": conversation, "content": " "})
    await owner.command("pong", "ping", {})
    await vet.history(conversation, around=1, subscribe=False)
    message = {key: value for key, value in said.items() if key != "seq"}
    for peer in (base_owner, base_vet):
        assert await peer.expect("message_sent") == message
        assert (await peer.history(conversation))["messages"] == [message]
        assert [entry["id"] for entry in await peer.conversations()] == [conversation]
        await peer.subscribe(conversation)
        await peer.expect_silence()
    for peer in (base_owner, base_vet):
        for event in ("hello", "ping", "typing", "mark_read", "refresh"):
            await peer.refused(event, {"conversation_id": conversation, "state": "active", "seq": 1})
    for frame in (*await owner.caught_up(), *await vet.caught_up()):
        assert frame.event in {"presence_state", "new_conversation_invitation", "message_sent", "typing", "read_marker"}


@pytest.mark.clause("V1.1", "V2.1", "V2.2", "V3.5", "V3.6", "R2.4")
async def test_what_only_v1_knows_is_an_unknown_key_on_the_base_wire(people: V1People) -> None:
    owner, vet = await people.base.client(), await people.base.provider()
    conversation = (await owner.create(vet.user_id))["id"]
    await vet.expect("new_conversation_invitation")
    for ref in ("r", 7, None, ""):
        await owner.send("conversations", {"limit": "x", "before": "y"}, ref=ref, offset=1)
        await owner.expect("conversations")
    await vet.unsubscribe(conversation)
    await owner.expect("user_left")
    params: JSON = {"conversation_id": conversation, "before": "x", "after": 1, "around": -1, "subscribe": False}
    await vet.send("conversation_history", params)
    await vet.expect("conversation_history_response")
    await owner.expect("user_joined", user_id=vet.user_id)


@pytest.mark.clause("V1.1", "S2.1", "R5.5", "R4.9")
@pytest.mark.parametrize("seed", range(3))
async def test_a_base_connection_hears_the_same_to_the_letter_whichever_dialect_the_others_speak(
    people: V1People, seed: int
) -> None:
    in_base, in_v1 = await Story(people, seed, v1=False).heard(), await Story(people, seed, v1=True).heard()
    assert in_v1 == in_base
    assert {json.loads(text)["event"] for text in in_base} >= {
        "message_sent",
        "new_conversation_invitation",
        "user_joined",
        "user_left",
    }


class Story:
    """The same random story of an owner and a vet with two devices each, in either dialect, as others hear it.

    In vetchat.v1 they also do what nobody but them may notice.
    """

    def __init__(self, people: V1People, seed: int, *, v1: bool) -> None:
        self.people = people
        self.random, self.noise = random.Random(seed), random.Random(seed)
        self.v1 = v1
        self.conversations: list[str] = []

    async def heard(self) -> list[str]:
        """Every frame that the two vets' base connections heard, with numbers for ids and no times."""
        opens = self.people if self.v1 else self.people.base
        owner, vet = await opens.client(), await opens.provider()
        actors: list[Peer] = [owner, vet, await opens.another_device_of(owner), await opens.another_device_of(vet)]
        base = [await self.people.base.provider(vet.user_id), await self.people.base.provider()]
        texts: list[str] = []
        for _ in range(60):
            actor = self.random.choice(actors)
            await actor.send(*self.next_command(actor, [peer.user_id for peer in base]))
            if self.v1:
                await actor.send(*self.next_noise())
            for peer in (actor, *base):
                texts += [frame.text for frame in await heard_until_now(peer) if peer in base]
            invited = [json.loads(text)["params"] for text in texts if "new_conversation_invitation" in text]
            self.conversations = list(dict.fromkeys(params["id"] for params in invited))
        return anonymous(texts)

    def next_command(self, actor: Peer, vets: list[str]) -> tuple[str, JSON]:
        if not self.conversations or (actor.role == "client" and self.random.random() < 0.1):
            return "new_conversation", {"pet_id": new_id(), "providers": vets}
        here = {"conversation_id": self.random.choice(self.conversations)}
        message = here | {"content": self.random.choice(["Hello.", " ", "How is your cat?", "🐾"])}
        commands: list[tuple[str, JSON]] = [
            *3 * [("message", message)],
            ("conversation_history", here),
            ("subscribe_conversation", here),
            *2 * [("unsubscribe_conversation", here)],
        ]
        return self.random.choice(commands)

    def next_noise(self) -> tuple[str, JSON]:
        here = {"conversation_id": self.noise.choice(self.conversations or [new_id()])}
        noise: list[tuple[str, JSON]] = [
            ("typing", here | {"state": "active"}),
            ("mark_read", here | {"seq": self.noise.randrange(5)}),
            ("conversation_history", here | {"around": 1, "subscribe": False}),
            ("ping", {}),
            ("hello", {}),
        ]
        return self.noise.choice(noise)


async def heard_until_now(peer: Peer) -> list[Frame]:
    """All that was on its way to this connection, in whatever dialect."""
    await peer.send("conversations", {})
    frames = [await peer.receive()]
    while frames[-1].event != "conversations":
        frames.append(await peer.receive())
    return frames[:-1]


def anonymous(texts: list[str]) -> list[str]:
    """The texts with each id replaced by the number of its first appearance, and each time by 0."""
    numbers: dict[str, str] = {}
    named = [UUID.sub(lambda match: numbers.setdefault(match[0], f"id {len(numbers)}"), text) for text in texts]
    return [TIME.sub(r"\g<1>0", text) for text in named]
