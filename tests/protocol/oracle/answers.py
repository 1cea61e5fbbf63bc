"""Which command a frame answers, and whether it had to be answered so (R2.6, V2.1, V2.3).

Imports nothing of what it judges.
"""

from collections import deque
from collections.abc import Mapping

from tests.protocol.oracle.ledger import JSON, Facts, Person
from tests.protocol.oracle.refusals import Command, read
from tests.protocol.oracle.transcript import Heard, Line

ANSWERED_BY: Mapping[str, tuple[str, ...]] = {
    "conversations": ("conversations",),
    "message": ("message_sent",),
    "new_conversation": ("conversation_created",),
    "conversation_history": ("conversation_history_response",),
    "subscribe_conversation": ("subscribed",),
    "unsubscribe_conversation": ("unsubscribed",),
    "hello": ("welcome",),
    "refresh": ("refreshed",),
    "typing": ("ok",),
    "mark_read": ("read_marker", "ok"),
    "ping": ("pong",),
}
"""Which events answer a command that is in order."""

SAID_TO_OTHERS_TOO = {"message_sent", "conversation_created", "read_marker"}
ALWAYS_ANSWERS = {event for events in ANSWERED_BY.values() for event in events} - SAID_TO_OTHERS_TOO | {"error"}
"""Events that are answers and nothing else."""


class Answers:
    """The commands of one connection, in order; `done` holds those that were answered, each with its answer.

    `next` is the one whose turn it is, and `knew` what the connection had heard when its turn came: of which
    conversation how many messages. The answer must not be behind that.
    """

    def __init__(self, person: Person, facts: Facts, *, is_v1: bool) -> None:
        self.greeted = not is_v1
        self.done: list[tuple[Command, Heard]] = []
        self.next: Command | None = None
        self.knew: Mapping[str, int] = {}
        self._person = person
        self._facts = facts
        self._is_v1 = is_v1
        self._said: deque[Line] = deque()

    @property
    def said(self) -> list[Command]:
        """What was said and not answered yet."""
        return [self._read(line.text) for line in self._said]

    @property
    def head_when_said(self) -> int:
        """How far the log had come when the next command was said."""
        return self._said[0].head

    def say(self, line: Line, knows: Mapping[str, int]) -> None:
        """A command was said."""
        self._said.append(line)
        if len(self._said) == 1:
            self._come_to_the_next(knows)

    def match(self, heard: Heard) -> Command | None:
        """The command that this frame is the direct answer to, judged; None for a broadcast."""
        command = self._answered(heard)
        assert heard.line.answers == (command is not None), f"R2.7: who knows what the answer is? {heard}"
        if command is not None:
            if heard.event == "error":
                self._judge_error(command, heard)
            else:
                self._judge_success(command, heard)
        return command

    def close(self, command: Command, heard: Heard, knows: Mapping[str, int]) -> None:
        """The answer has been taken note of; now it is the next one's turn."""
        self.done.append((command, heard))
        self._said.popleft()
        self._come_to_the_next(knows)

    def _come_to_the_next(self, knows: Mapping[str, int]) -> None:
        self.next = self._read(self._said[0].text) if self._said else None
        self.knew = dict(knows)

    def _read(self, text: str | bytes) -> Command:
        return read(text, self._person if self.greeted else None, self._facts.ledger, v1=self._is_v1)

    def _answered(self, heard: Heard) -> Command | None:
        command = self.next
        if command is None:
            assert heard.event not in ALWAYS_ANSWERS, f"R2.6: an answer without a command: {heard}"
            assert heard.ref is None, f"V2.1: only an answer carries a ref: {heard}"
            return None
        if heard.event in ALWAYS_ANSWERS or heard.ref is not None:
            assert heard.ref == command.ref, f"V2.1: {heard} is not the answer to {command}"
            return command
        mine = command.ref is None and heard.event in ANSWERED_BY.get(command.event, ())
        return command if mine and self._looks_like_the_answer(command, heard.params) else None

    def _looks_like_the_answer(self, command: Command, params: JSON) -> bool:
        """One's own message from another device looks like an answer: compare the content (R2.6)."""
        asked = command.params
        match command.event:
            case "message":
                expected = {"sender_id": self._person.id, "content": asked.get("content")}
            case "new_conversation":
                expected = {"client": self._person.id, "pet": asked.get("pet_id")}
            case _:
                expected = {"user_id": self._person.id, "seq": asked.get("seq")}
        return expected.items() <= params.items()

    def _judge_success(self, command: Command, heard: Heard) -> None:
        assert command.refusal is None, f"V2.3: {command} had to be refused and was answered {heard}"
        assert heard.event in ANSWERED_BY[command.event], f"R2.6: {heard.event} does not answer {command}"
        params: JSON = heard.params
        if heard.event != "conversations":
            about = params.get("conversation_id")
            assert about in (None, command.conversation_id), f"R2.6: {heard} does not answer {command}"

    def _judge_error(self, command: Command, heard: Heard) -> None:
        code, message = heard.params.get("code"), heard.params["message"]
        allowed = self._excuses(command) if command.refusal is None else {command.refusal}
        if self._facts.faulty:
            allowed.add("unavailable")
        assert allowed, f"R2.6: {command} was in order and was refused: {heard.params}"
        assert code is None or code in allowed, f"V2.3: {command} was refused for {code}, not for {allowed}"
        assert message.endswith("."), f"R6.2: a sentence: {message!r}"
        content = command.params.get("content")
        assert not isinstance(content, str) or content not in message, f"R6.2: it repeats the input: {message!r}"

    def _excuses(self, command: Command) -> set[str]:
        """Codes that a command may be refused with although by itself it is in order."""
        codes: set[str] = set()
        match command.event:
            case "mark_read":
                codes.add("invalid_params")  # that message had not come yet
            case "message" if "client_message_id" in command.params:
                codes.add("idempotency_conflict")
            case "new_conversation":
                if not self._facts.client_ids.isdisjoint(one.lower() for one in command.params["providers"]):
                    codes.add("invalid_params")  # somebody had connected as a client only, so far (R4.13)
                if "client_conversation_id" in command.params:
                    codes.add("idempotency_conflict")
            case _:
                pass
        return codes
