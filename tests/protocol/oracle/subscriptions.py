"""Where one connection is subscribed, as far as it can know (S5.1, S5.2, R4.24).

Imports nothing of what it judges.
"""

from collections.abc import Iterator

from tests.protocol.oracle.ledger import Entry, Facts, Person
from tests.protocol.oracle.refusals import Command
from tests.protocol.oracle.spells import Spell
from tests.protocol.oracle.transcript import Heard


class Subscriptions:
    """Begins with all of the person's conversations, in each of which everything after `floor` must be heard."""

    def __init__(self, person: Person, facts: Facts, *, is_v1: bool) -> None:
        self.floor: int | None = None
        self._person = person
        self._ledger = facts.ledger
        self._is_v1 = is_v1
        self._spells: dict[str, Spell] = {}
        self._out: set[str] = set()

    def begin(self, floor: int | None) -> None:
        """From here on everything must be heard; None: that is to be told later, by `welcome`."""
        self.floor = floor
        for spell in self._spells.values():
            self._certain(spell)

    def _certain(self, spell: Spell) -> None:
        if self.floor is not None:
            spell.confirm(self.floor, self.floor, told_who_is_there=self._is_v1)

    def out(self, conversation_id: str) -> bool:
        """Whether it has unsubscribed, and no answer has said yet that it is subscribed again."""
        return conversation_id in self._out

    def all(self, head: int) -> Iterator[tuple[str, Spell]]:
        """Every subscription when the log has come to `head`; only at rest is that certain."""
        if self.floor is not None:
            for conversation_id, thread in self._ledger.of(self._person):
                if not self.out(conversation_id) and thread.entries[0].offset <= head:
                    yield conversation_id, self.spell(conversation_id)

    def spell(self, conversation_id: str) -> Spell:
        """The spell that lasts."""
        if conversation_id not in self._spells:
            self._certain(self._new(conversation_id))
        return self._spells[conversation_id]

    def hearing(self, conversation_id: str, asking: Command | None) -> Spell:
        """The spell in which something is heard; only who takes part and is subscribed hears anything (S5.2).

        A command that subscribes does so silently before it is answered.
        """
        assert self._ledger.threads[conversation_id].includes(self._person), f"S5.2: {self._person} does not take part"
        if self.out(conversation_id) and conversation_id not in self._spells:
            asked = asking is not None and asking.subscribes and asking.conversation_id == conversation_id
            assert asked, f"S4.21: {conversation_id} is heard of after it was unsubscribed"
            return self._new(conversation_id)
        return self.spell(conversation_id)

    def _new(self, conversation_id: str) -> Spell:
        spell = Spell(self._ledger.threads[conversation_id], self._person, self._is_v1)
        self._spells[conversation_id] = spell
        return spell

    # -- what changes them ---------------------------------------------------------------------------------------------

    def confirm(self, command: Command, last_seq: int | None, heard: Heard) -> None:
        """A command that subscribes has been answered; `last_seq` is how many messages it told there were."""
        conversation_id = command.conversation_id
        assert conversation_id is not None
        if self.out(conversation_id):
            head = heard.line.head
            message_floor = head if last_seq is None else self._ledger.threads[conversation_id].offset_of(last_seq)
            told = self._is_v1 and heard.event == "subscribed"
            self.hearing(conversation_id, command).confirm(head, message_floor, told_who_is_there=told)
            self._out.discard(conversation_id)

    def sent(self, command: Command, entry: Entry) -> None:
        """Its own message is the answer, and subscribes it (S4.6)."""
        if self.out(entry.conversation_id):
            self.hearing(entry.conversation_id, command).confirm(entry.offset - 1, entry.offset - 1)
            self._out.discard(entry.conversation_id)

    def end(self, conversation_id: str) -> None:
        """`unsubscribed` (S4.21)."""
        if not self.out(conversation_id):
            self.spell(conversation_id).complete()
            del self._spells[conversation_id]
            self._out.add(conversation_id)

    def fail(self, command: Command) -> None:
        """A command that subscribes was refused: nothing has changed (R6.3)."""
        if command.conversation_id in self._out and command.conversation_id in self._spells:
            self._spells.pop(command.conversation_id).complete()

    def cut(self) -> None:
        """The connection is gone: whatever was heard must be complete up to there."""
        for spell in self._spells.values():
            spell.complete()
