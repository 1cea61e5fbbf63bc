"""What the server promised before it ended, and whether it keeps it afterwards."""

from tests.conformance.peer import new_id
from tests.conformance.shapes import JSON
from tests.conformance.v1.peer import V1Peer, V1People, durable
from tests.conformance.v1.vetchat_command import check_revoked, revoke


class Promises:
    """What one owner and one vet were told, and what must still be so after every restart."""

    def __init__(self, people: V1People) -> None:
        self.people = people
        self.pet = new_id()

    async def give(self) -> None:
        self.owner, self.vet = await self.people.client(), await self.people.provider()
        self.begin = self.vet.resume
        self.created = await self.create(self.owner)
        self.said = await self.say(self.owner)
        await self.vet.reads(self.created["id"], 1)
        await self.vet.say(self.created["id"], "And once more.")
        self.entries = [await peer.conversations() for peer in (self.owner, self.vet)]
        self.heard = durable(await self.vet.caught_up())
        self.revoked = new_id()
        self.void = self.people.token(self.revoked, "client")
        await revoke(self.people.server.database, self.revoked)

    async def create(self, owner: V1Peer) -> JSON:
        return await owner.create(self.vet.user_id, pet=self.pet, client_conversation_id="c")

    async def say(self, owner: V1Peer) -> JSON:
        return await owner.say(self.created["id"], "Once.", client_message_id="m")

    async def check(self) -> None:
        owner, vet = await self.people.back(self.owner), await self.people.waiting("provider", self.vet.user_id)
        welcome = await vet.hello(resume=self.begin)
        assert (welcome["recovered"], welcome["epoch"]) == (True, self.begin["epoch"])
        replay = [(frame.event, frame.offset, frame.params) for frame in durable(await vet.caught_up())]
        assert [event for event, _, _ in replay] == [
            "new_conversation_invitation",
            "message_sent",
            "read_marker",
            "message_sent",
        ]
        assert replay[:2] == [(frame.event, frame.offset, frame.params) for frame in self.heard]
        assert [await peer.conversations() for peer in (owner, vet)] == self.entries
        assert await self.create(owner) == self.created | {"duplicate": True}
        assert await self.say(owner) == self.said | {"duplicate": True}
        await check_revoked(self.people, self.revoked, self.void)
        for peer in (owner, vet):
            await peer.close()
