"""One connection's transcript, judged line by line by the clauses.

Imports nothing of what it judges.
"""

from collections.abc import Sequence

from tests.protocol.oracle.answers import Answers
from tests.protocol.oracle.histories import Question, judge_history, judge_listing
from tests.protocol.oracle.ledger import JSON, Entry, Facts, Person
from tests.protocol.oracle.refusals import Command
from tests.protocol.oracle.subscriptions import Subscriptions
from tests.protocol.oracle.transcript import Heard, Line, parse

EPHEMERAL = {"user_joined", "user_left", "typing", "presence_state"}

SHOWN_AS = {
    "message": ("message_sent",),
    "conversation": ("conversation_created", "new_conversation_invitation"),
    "read": ("read_marker",),
}
"""Which events show a record."""


class Witness:
    """Judges what one connection says and hears.

    `before_a_join` lists the messages that were heard of somebody who was thought to have left (S4.6).
    """

    def __init__(self, person: Person, dialect: str, facts: Facts) -> None:
        self.person = person
        self.gone = False
        self.before_a_join: list[tuple[str, str]] = []
        self._facts = facts
        self._is_v1 = dialect != "base"
        self.answers = Answers(person, facts, is_v1=self._is_v1)
        self.subscriptions = Subscriptions(person, facts, is_v1=self._is_v1)
        self._knows: dict[str, int] = {}
        self._welcome_offset: int | None = None
        self._position = 0
        self._ephemeral = False
        self._just_subscribed: str | None = None

    def take(self, lines: Sequence[Line]) -> None:
        """The next lines of the transcript."""
        for line in lines:
            assert not self.gone, f"nothing comes after the end: {line}"
            try:
                self._take(line)
            except AssertionError as error:
                raise AssertionError(f"{error}\n  at {line}") from error

    def _take(self, line: Line) -> None:
        match line.kind:
            case "opened":
                self.subscriptions.begin(None if self._is_v1 else line.head)
            case "said":
                self.answers.say(line, self._knows)
            case "heard":
                self._hear(parse(line, is_v1=self._is_v1))
            case "closed":
                self.gone = True
                self.subscriptions.cut()

    def rest(self, head: int) -> None:
        """Nothing is under way: every command is answered, and everything is heard."""
        assert not self.answers.said, f"R2.6: never answered: {self.answers.next}"
        self._no_presence_state()
        for _, spell in self.subscriptions.all(head):
            spell.complete(head)

    def _hear(self, heard: Heard) -> None:
        if self._is_v1 and self._welcome_offset is None:
            assert heard.event in ("welcome", "error"), f"V1.1: before the welcome came {heard}"
        command = self.answers.match(heard)
        if heard.event != "presence_state":
            self._no_presence_state()
        self._ephemeral |= heard.event in EPHEMERAL
        if command is None:
            self._broadcast(heard, self.answers.next)
        else:
            self._answer(command, heard)
            self.answers.close(command, heard, self._knows)

    # -- answers -------------------------------------------------------------------------------------------------------

    def _answer(self, command: Command, heard: Heard) -> None:
        """What an answer tells, beyond being one."""
        params, ledger = heard.params, self._facts.ledger
        asked = Question(command.params, self._is_v1, self.answers.knew, heard.line.head)
        match heard.event:
            case "welcome":
                self._welcome(command, heard)
            case "message_sent" | "conversation_created" | "read_marker":
                self._stored(command, heard)
            case "pong":
                assert params["offset"] == self._position, f"V5.1: the position is {self._position}: {heard}"
            case "conversations":
                judge_listing(ledger, self.person, asked, params)
            case "conversation_history_response":
                judge_history(ledger, asked, params)
                if command.subscribes:
                    self.subscriptions.confirm(command, params["total_count"], heard)
            case "subscribed":
                self.subscriptions.confirm(command, params.get("last_seq"), heard)
                self._just_subscribed = command.conversation_id if self._is_v1 else None
            case "unsubscribed":
                self.subscriptions.end(params["conversation_id"])
            case "error" if command.subscribes:
                self.subscriptions.fail(command)
            case _:
                pass

    def _welcome(self, command: Command, heard: Heard) -> None:
        """With or without a resume, which is never partial (V1.2, V3.3, V3.4)."""
        params, resume = heard.params, command.params.get("resume")
        assert params["user_id"] == self.person.id, f"R1.4: {params} for {self.person}"
        assert params["role"] == self.person.role, f"R1.6: {params} for {self.person}"
        begins_at, head = params["offset"], params["offset"]
        if resume is None or resume["epoch"] != params["epoch"] or resume["offset"] > head:
            assert not params["recovered"], f"V3.4: {resume} cannot be resumed: {params}"
        elif params["recovered"]:
            begins_at = resume["offset"]
            missed = self._facts.ledger.missed(self.person, begins_at, self.answers.head_when_said)
            assert missed <= self._facts.resume_frames, f"V3.4: {missed} frames are too many"
        else:
            missed = self._facts.ledger.missed(self.person, resume["offset"], heard.line.head)
            assert missed > self._facts.resume_frames, f"V3.4: {missed} frames can be replayed"
        self._welcome_offset = head
        self._position = begins_at
        self.subscriptions.begin(begins_at)
        self.answers.greeted = True

    def _stored(self, command: Command, heard: Heard) -> None:
        """The answer is a record of the log, or shows an older one again (V2.2)."""
        if "duplicate" in heard.params:
            original = self._facts.ledger.by_id.get(heard.params["id"])
            assert original is not None, f"V2.2: the original is not in the log: {heard}"
            assert original.shown.items() <= heard.params.items(), f"V2.2: {heard.params} is not {original}"
            return
        entry = self._entry(heard)
        if entry.kind == "message":
            self.subscriptions.sent(command, entry)
        self._durable(entry, heard, command)

    # -- broadcasts ----------------------------------------------------------------------------------------------------

    def _broadcast(self, heard: Heard, asking: Command | None) -> None:
        params = heard.params
        match heard.event:
            case "user_joined" | "user_left":
                self._shown(params)
                spell = self.subscriptions.hearing(params["conversation_id"], asking)
                (spell.joined if heard.event == "user_joined" else spell.left)(params["user_id"])
            case "presence_state":
                self._presence_state(params, asking)
            case "typing":
                spell = self.subscriptions.hearing(params["conversation_id"], asking)
                spell.writes(params["user_id"], params["state"], heard.line.at)
            case "token_expiring":
                pass
            case _:
                assert "duplicate" not in params, f"V2.2: a retry is answered to its own connection alone: {heard}"
                self._durable(self._entry(heard), heard, asking)

    def _presence_state(self, params: JSON, asking: Command | None) -> None:
        conversation_id = params["conversation_id"]
        assert self._just_subscribed in (None, conversation_id), "V4.3: right after `subscribed`"
        self._just_subscribed = None
        for user in params["users"]:
            self._shown(user)
        self.subscriptions.hearing(conversation_id, asking).there([user["user_id"] for user in params["users"]])

    def _no_presence_state(self) -> None:
        """None came after `subscribed`, where one comes if somebody else is there (V4.3)."""
        if self._just_subscribed is not None:
            self.subscriptions.spell(self._just_subscribed).nobody_there()
            self._just_subscribed = None

    def _shown(self, params: JSON) -> None:
        person = self._facts.people[params["user_id"]]
        shown = (params["display_name"], params["profile_image_url"])
        assert shown == (person.name, person.picture), f"R5.4: {shown} is not {person}"

    # -- records -------------------------------------------------------------------------------------------------------

    def _entry(self, heard: Heard) -> Entry:
        """The record that a durable frame shows, as it was stored."""
        params, ledger = heard.params, self._facts.ledger
        if heard.offset is None:
            entry = ledger.by_id.get(params["id"])
        else:
            entry = ledger.entries[heard.offset - 1] if heard.offset <= len(ledger.entries) else None
        assert entry is not None, f"R4.7: not in the log: {heard}"
        shown = {key: value for key, value in entry.shown.items() if self._is_v1 or key != "seq"}
        assert heard.event in SHOWN_AS[entry.kind], f"V3.2: {heard.event} shows {entry}"
        assert shown.items() <= params.items(), f"R4.8: {params} is not what was stored: {entry}"
        return entry

    def _durable(self, entry: Entry, heard: Heard, command: Command | None) -> None:
        """A record of the log (R4.7, V3.2, V3.3)."""
        assert entry.offset <= heard.line.head, f"R4.7: told before it was committed: {entry}"
        if self._is_v1:
            self._in_order(entry, heard)
        conversation_id = entry.conversation_id
        if entry.kind == "read" and command is not None and self.subscriptions.out(conversation_id):
            return  # its answer, wherever it is subscribed (V4.2)
        if entry.kind == "conversation":
            expected = "conversation_created" if self.person.role == "client" else "new_conversation_invitation"
            assert heard.event == expected, f"S4.12: {heard.event} for a {self.person.role}"
            self._knows.setdefault(conversation_id, 0)
        spell = self.subscriptions.hearing(conversation_id, command)
        spell.durable(entry)
        if entry.kind == "message":
            self._knows[conversation_id] = max(self._knows.get(conversation_id, 0), entry.shown["seq"])
            if spell.present.get(entry.shown["sender_id"]) is False:
                self.before_a_join.append((entry.shown["id"], entry.shown["sender_id"]))

    def _in_order(self, entry: Entry, heard: Heard) -> None:
        assert heard.offset == entry.offset, f"V3.2: {heard} is at {entry.offset}"
        assert entry.offset > self._position, f"V3.2, V3.3: {heard} comes after {self._position}"
        self._position = entry.offset
        assert self._welcome_offset is not None, f"V1.1: before welcome: {heard}"
        replayed = entry.offset <= self._welcome_offset
        assert not (replayed and self._ephemeral), f"V3.3: something ephemeral came before the replayed {heard}"
