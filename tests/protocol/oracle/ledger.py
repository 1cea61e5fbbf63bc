"""What really happened, as the oracle knows it: the log as plain values, and what follows from it by the clauses.

Imports nothing of what it judges.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

JSON = Any
"""A value as `json.loads` gives it."""


@dataclass(frozen=True)
class Person:
    """Who a connection belongs to, and what the others are to be shown of them (R5.4)."""

    id: str
    role: Literal["client", "provider"]
    name: str
    picture: str | None


@dataclass(frozen=True)
class Entry:
    """One record of the log; `shown` holds the fields of its event's params that the base wire and v1 share."""

    offset: int
    kind: Literal["conversation", "message", "read"]
    conversation_id: str
    shown: Mapping[str, JSON]


@dataclass(frozen=True)
class Standing:
    """How a conversation stands after some entry of the log (R4.3, V4.2)."""

    offset: int
    last_message: str
    updated: int
    last_seq: int
    last_offset: int
    read: Mapping[str, int]


@dataclass
class Thread:
    """One conversation: who takes part, everything in it, and how it stood after each entry."""

    client: str
    providers: tuple[str, ...]
    entries: list[Entry] = field(default_factory=list[Entry])
    messages: list[Entry] = field(default_factory=list[Entry])
    standings: list[Standing] = field(default_factory=list[Standing])

    def includes(self, person: Person) -> bool:
        """By id and role (R3.5)."""
        return person.id == self.client if person.role == "client" else person.id in self.providers

    def offset_of(self, seq: int) -> int:
        """The offset of the message of this seq; of the conversation's beginning for 0."""
        return self.messages[seq - 1].offset if seq else self.entries[0].offset

    def at(self, head: int) -> Standing | None:
        """How it stood when the log had come to `head`."""
        index = bisect_right([standing.offset for standing in self.standings], head)
        return self.standings[index - 1] if index else None

    def unread(self, user_id: str, read: int, last_seq: int) -> int:
        """How many messages of others have a seq above `read` (V4.2)."""
        return sum(entry.shown["sender_id"] != user_id for entry in self.messages[read:last_seq])


class Ledger:
    """The log, judged by itself when it is read: dense offsets and seqs, times that never run backwards."""

    def __init__(self, log: Sequence[Entry]) -> None:
        self.entries = log
        self.threads: dict[str, Thread] = {}
        self.by_id = {entry.shown["id"]: entry for entry in log if "id" in entry.shown}
        for number, entry in enumerate(log, 1):
            assert entry.offset == number, f"V3.2: offsets are dense here, not {entry.offset} as number {number}"
            match entry.kind:
                case "conversation":
                    self._begin(entry)
                case "message":
                    self._message(entry)
                case "read":
                    self._read(entry)

    def _begin(self, entry: Entry) -> None:
        shown = entry.shown
        assert entry.conversation_id not in self.threads, "a conversation begins once"
        assert len(set(shown["providers"])) == len(shown["providers"]), f"R4.13: a provider is named twice: {shown}"
        assert shown["client"] not in shown["providers"], f"R4.13: the creator is a provider: {shown}"
        thread = self.threads[entry.conversation_id] = Thread(shown["client"], tuple(shown["providers"]), [entry])
        thread.standings.append(Standing(entry.offset, "", shown["last_updated_timestamp"], 0, entry.offset, {}))

    def _message(self, entry: Entry) -> None:
        thread, shown = self.threads[entry.conversation_id], entry.shown
        last, sender = thread.standings[-1], shown["sender_id"]
        seq = last.last_seq + 1
        assert shown["seq"] == seq, f"V3.1: seqs are dense: {shown}"
        assert shown["timestamp"] >= last.updated, f"R4.10: time ran backwards: {shown}"
        assert sender == thread.client or sender in thread.providers, f"S3.3: only participants send: {shown}"
        read = dict(last.read)
        if read.get(sender, 0) == seq - 1:
            read[sender] = seq
        thread.entries.append(entry)
        thread.messages.append(entry)
        thread.standings.append(Standing(entry.offset, shown["content"], shown["timestamp"], seq, entry.offset, read))

    def _read(self, entry: Entry) -> None:
        thread, shown = self.threads[entry.conversation_id], entry.shown
        last, reader, seq = thread.standings[-1], shown["user_id"], shown["seq"]
        assert last.read.get(reader, 0) < seq <= last.last_seq, f"V4.2: read positions move forward only: {shown}"
        read = {**last.read, reader: seq}
        thread.entries.append(entry)
        thread.standings.append(
            Standing(entry.offset, last.last_message, last.updated, last.last_seq, last.last_offset, read)
        )

    def of(self, person: Person) -> Iterable[tuple[str, Thread]]:
        """The person's conversations."""
        return ((one, thread) for one, thread in self.threads.items() if thread.includes(person))

    def missed(self, person: Person, since: int, head: int) -> int:
        """How many entries of the person's conversations lie in `(since, head]`."""
        return sum(since < entry.offset <= head for _, thread in self.of(person) for entry in thread.entries)


@dataclass(frozen=True)
class Facts:
    """What the oracle knows of a run beside the transcripts.

    `client_ids` have connected as a client at some time (R4.13); `faulty`: the store has failed at some time (R6.3);
    `resume_frames` is the most that a resume may replay (V3.4).
    """

    ledger: Ledger
    people: Mapping[str, Person]
    client_ids: frozenset[str]
    faulty: bool
    resume_frames: int
