"""The oracle: judges a whole run by the clauses, from what was said and heard on every connection and from the log.

It is transcribed from the clauses and imports nothing of what it judges. `ledger` knows what happened, `refusals` what
must be refused, `answers` what answers what, `witness` what a connection must hear, `subscriptions` and `spells` where
and what of one conversation, `histories` what is listed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.protocol.oracle.ledger import Entry, Facts, Ledger, Person
from tests.protocol.oracle.refusals import Command
from tests.protocol.oracle.transcript import Heard, Line
from tests.protocol.oracle.witness import Witness


@dataclass(frozen=True)
class Seen:
    """One connection as it was seen: whose it is, which wire it speaks, and its transcript."""

    person: Person
    dialect: str
    transcript: Sequence[Line]


@dataclass(frozen=True)
class Rest:
    """A moment at which nothing was under way: the time (ms), the log's head, each transcript's length by then."""

    at: int
    head: int
    lengths: Mapping[str, int]


@dataclass(frozen=True)
class Run:
    """What the oracle judges. The last rest is the end. `faulty`: the store has failed meanwhile (R6.3)."""

    log: Sequence[Entry]
    connections: Mapping[str, Seen]
    rests: Sequence[Rest]
    faulty: bool = False
    resume_frames: int = 10_000

    def facts(self) -> Facts:
        people = [seen.person for seen in self.connections.values()]
        return Facts(
            Ledger(self.log),
            {person.id: person for person in people},
            frozenset(person.id for person in people if person.role == "client"),
            self.faulty,
            self.resume_frames,
        )


def judge(run: Run) -> None:
    """Judges a run.

    Raises:
        AssertionError: a clause was broken; the message begins with its id.
    """
    facts = run.facts()
    witnesses = {key: Witness(seen.person, seen.dialect, facts) for key, seen in run.connections.items()}
    so_far: dict[str, int] = defaultdict(int)
    for rest in run.rests:
        for key, length in rest.lengths.items():
            try:
                witnesses[key].take(run.connections[key].transcript[so_far[key] : length])
            except AssertionError as error:
                raise AssertionError(f"{error}\n  on {key} of {run.connections[key].person}") from error
            so_far[key] = length
        _judge_rest(rest, [witnesses[key] for key in rest.lengths if not witnesses[key].gone])
    _judge_log(facts.ledger, witnesses.values())


def _judge_rest(rest: Rest, living: Sequence[Witness]) -> None:
    """Everybody has been told everything, and what everybody believes is so (R4.9, R5.5)."""
    there: dict[str, set[str]] = defaultdict(set)
    for witness in living:
        witness.rest(rest.head)
        for conversation_id, _ in witness.subscriptions.all(rest.head):
            there[conversation_id].add(witness.person.id)
    online = {witness.person.id for witness in living}
    for witness in living:
        for conversation_id, spell in witness.subscriptions.all(rest.head):
            spell.rest(there[conversation_id], online, rest.at)


# -- what is in the log, against what was asked for --------------------------------------------------------------------

Subject = tuple[str, ...]
"""What a command is about: its event, who said it, and what tells it from all others."""


@dataclass(frozen=True)
class Attempt:
    """One command that was in order and asked for something to be stored, and its answer, if one was heard."""

    subject: Subject
    key: tuple[str, ...] | None
    answer: Heard | None

    @property
    def succeeded(self) -> bool:
        return self.answer is not None and self.answer.event != "error"


def _judge_log(ledger: Ledger, witnesses: Iterable[Witness]) -> None:
    """What was acknowledged is stored once, what was refused is not, and nothing comes from nowhere (R4.7, V2.2)."""
    attempts = [attempt for witness in witnesses for attempt in _attempts(witness)]
    asked = {attempt.subject for attempt in attempts if attempt.answer is None or attempt.succeeded}
    stored = Counter(_stored_subject(entry) for entry in ledger.entries)
    for subject, times in stored.items():
        assert times == 1, f"V2.2: stored {times} times: {subject}"
        assert subject in asked, f"R4.7: stored, though refused or never asked for: {subject}"
    for attempt in attempts:
        if attempt.succeeded and attempt.answer is not None and attempt.answer.event != "ok":
            assert attempt.subject in stored, f"R4.7: acknowledged and not stored: {attempt}"
    _judge_keys(attempts)
    for witness in witnesses:
        _judge_joins(witness, attempts)


def _judge_keys(attempts: Sequence[Attempt]) -> None:
    """A client-chosen id stands for one thing, for ever (V2.2)."""
    shown: dict[tuple[str, ...], set[str]] = defaultdict(set)
    subjects: dict[tuple[str, ...], set[Subject]] = defaultdict(set)
    for attempt in attempts:
        if attempt.key is not None:
            subjects[attempt.key].add(attempt.subject)
            if attempt.succeeded and attempt.answer is not None:
                shown[attempt.key].add(attempt.answer.params["id"])
    for key, ids in shown.items():
        assert len(ids) == 1, f"V2.2: {key} stands for {ids}"
    for attempt in attempts:
        if attempt.key and attempt.answer and attempt.answer.params.get("code") == "idempotency_conflict":
            assert len(subjects[attempt.key]) > 1, f"V2.2: {attempt} conflicts with nothing"


def _judge_joins(witness: Witness, attempts: Sequence[Attempt]) -> None:
    """Whose connection lives on to be answered is there when its message comes (S4.6)."""
    first = [one.answer.params for one in attempts if one.succeeded and one.answer and one.subject[0] == "message"]
    answered = {params["id"] for params in first if "duplicate" not in params}
    for message_id, sender in witness.before_a_join:
        assert message_id not in answered, f"S4.6: {sender} had left and sent {message_id} without joining"


def _attempts(witness: Witness) -> Iterator[Attempt]:
    answers: list[tuple[Command, Heard | None]] = [*witness.answers.done]
    answers += [(command, None) for command in witness.answers.said]
    for command, heard in answers:
        subject = _subject(command, witness.person)
        if subject is not None and command.refusal is None:
            key = command.params.get("client_message_id") or command.params.get("client_conversation_id")
            yield Attempt(subject, None if key is None else (command.event, witness.person.id, key), heard)


def _subject(command: Command, person: Person) -> Subject | None:
    params = command.params
    match command.event:
        case "message":
            return "message", person.id, str(params.get("conversation_id")), str(params.get("content"))
        case "new_conversation":
            return "new_conversation", person.id, str(params.get("pet_id"))
        case "mark_read":
            return "mark_read", person.id, str(params.get("conversation_id")), str(params.get("seq"))
        case _:
            return None


def _stored_subject(entry: Entry) -> Subject:
    shown = entry.shown
    match entry.kind:
        case "message":
            return "message", shown["sender_id"], entry.conversation_id, shown["content"]
        case "conversation":
            return "new_conversation", shown["client"], shown["pet"]
        case "read":
            return "mark_read", shown["user_id"], entry.conversation_id, str(shown["seq"])
