"""The log in memory, which the simulator runs on: what the stories trust in, at a glance."""

from collections.abc import Iterable

import pytest
from vetchat_protocol.memory import MemoryLog
from vetchat_protocol.models import Listing
from vetchat_protocol.records import (
    Conflict,
    ConversationDraft,
    ConversationStarted,
    Draft,
    Duplicate,
    MessageDraft,
    MessageStored,
    Outcome,
    ReadDraft,
    ReadMoved,
    RoleDraft,
    Stamped,
    Unchanged,
)

from tests.protocol.stage import OLGA, OTTO, PET, VERA, VITO

NOW = 1_700_000_000_000


class Diary:
    """A log and what was written into it."""

    def __init__(self) -> None:
        self.log = MemoryLog("the log")
        self._entries = 0

    def write(self, *drafts: Draft, at: int = NOW) -> list[Outcome]:
        """All in one commit."""
        return self.log.commit([self._stamped(draft, at) for draft in drafts])

    def _stamped(self, draft: Draft, at: int) -> Stamped:
        self._entries += 1
        return Stamped(draft, f"id {self._entries:03}", at)

    def start(self, *, key: str | None = None, at: int = NOW) -> str:
        (outcome,) = self.write(ConversationDraft(OLGA.id, PET, (VERA.id,), key), at=at)
        assert isinstance(outcome, ConversationStarted)
        return outcome.conversation.id

    def listed(self) -> Iterable[Listing]:
        return self.log.list_conversations(OLGA, None, None)


@pytest.mark.clause("V3.1", "V3.2")
def test_offsets_and_seqs_are_dense_across_commits() -> None:
    diary = Diary()
    one, two = diary.start(), diary.start()
    outcomes = diary.write(
        MessageDraft(one, OLGA.id, "1"), MessageDraft(two, OLGA.id, "2"), MessageDraft(one, VERA.id, "3")
    ) + diary.write(MessageDraft(one, OLGA.id, "4"))
    stored = [outcome for outcome in outcomes if isinstance(outcome, MessageStored)]
    assert [(record.offset, record.message.seq) for record in stored] == [(3, 1), (4, 1), (5, 2), (6, 3)]
    assert diary.log.head == 6


@pytest.mark.clause("R4.10")
def test_times_never_run_backwards_within_a_conversation() -> None:
    diary = Diary()
    conversation = diary.start(at=NOW)
    for at, expected in ((NOW - 5, NOW), (NOW + 9, NOW + 9), (NOW + 3, NOW + 9)):
        (outcome,) = diary.write(MessageDraft(conversation, OLGA.id, "."), at=at)
        assert isinstance(outcome, MessageStored)
        assert outcome.message.timestamp == expected


@pytest.mark.clause("V2.2")
def test_the_same_key_is_stored_once_within_a_commit_and_across() -> None:
    diary = Diary()
    conversation, other = diary.start(), diary.start()
    first, again, changed = diary.write(
        MessageDraft(conversation, OLGA.id, "Once.", "key"),
        MessageDraft(conversation, OLGA.id, "Once.", "key"),
        MessageDraft(conversation, OLGA.id, "Not the same.", "key"),
    )
    assert isinstance(first, MessageStored)
    assert (again, changed) == (Duplicate(first), Conflict())
    assert diary.write(MessageDraft(conversation, OLGA.id, "Once.", "key")) == [Duplicate(first)]
    assert diary.write(MessageDraft(other, OLGA.id, "Once.", "key")) == [Conflict()]
    (of_another,) = diary.write(MessageDraft(conversation, VERA.id, "Once.", "key"))
    assert isinstance(of_another, MessageStored)
    assert diary.log.head == of_another.offset == 4


@pytest.mark.clause("V2.2")
def test_a_conversation_is_created_once_by_its_key() -> None:
    diary = Diary()
    conversation = diary.start(key="key")
    (again,) = diary.write(ConversationDraft(OLGA.id, PET, (VERA.id,), "key"))
    assert isinstance(again, Duplicate)
    assert diary.write(ConversationDraft(OLGA.id, PET, (), "key")) == [Conflict()]
    found = diary.log.find_conversation(OLGA.id, "key")
    assert found is not None
    assert found.id == conversation
    assert diary.log.find_conversation(OTTO.id, "key") is None


@pytest.mark.clause("V4.2")
def test_a_read_position_only_moves_forward_and_ones_own_message_moves_it_by_one() -> None:
    diary = Diary()
    conversation = diary.start()
    diary.write(*(MessageDraft(conversation, who, ".") for who in (OLGA.id, VERA.id, OLGA.id)))
    assert [(one.read_seq, one.unread_count) for one in diary.listed()] == [(1, 1)]
    (moved,) = diary.write(ReadDraft(conversation, OLGA.id, 2))
    assert moved == ReadMoved(5, conversation, OLGA.id, 2)
    assert diary.write(ReadDraft(conversation, OLGA.id, 2), ReadDraft(conversation, OLGA.id, 1)) == [Unchanged()] * 2
    assert [(one.read_seq, one.unread_count) for one in diary.listed()] == [(2, 0)]


@pytest.mark.clause("R4.2")
def test_conversations_are_listed_newest_update_first_and_ties_by_id() -> None:
    diary = Diary()
    first, second, third = diary.start(), diary.start(), diary.start(at=NOW + 1)
    assert [one.conversation.id for one in diary.listed()] == [third, first, second]
    diary.write(MessageDraft(second, VERA.id, "."), at=NOW + 2)
    assert [one.conversation.id for one in diary.listed()] == [second, third, first]


@pytest.mark.clause("V3.6")
def test_pages_of_the_list_go_by_offset() -> None:
    diary = Diary()
    ids = [diary.start() for _ in range(5)]
    diary.write(MessageDraft(ids[0], OLGA.id, "."))
    seen, before = list[str](), None
    while page := diary.log.list_conversations(OLGA, 2, before):
        seen += [one.conversation.id for one in page]
        before = page[-1].conversation.last_offset
    assert seen == [ids[0], ids[4], ids[3], ids[2], ids[1]]


@pytest.mark.clause("R3.5", "V3.3", "V3.4")
def test_the_log_is_read_page_by_page_and_only_what_is_ones_own() -> None:
    diary = Diary()
    mine = diary.start()
    diary.write(ConversationDraft(OTTO.id, PET, (VITO.id,)))
    diary.write(*(MessageDraft(mine, OLGA.id, ".") for _ in range(3)))
    page = diary.log.read_log(VERA, 0, 0, 5, 2)
    assert ([record.offset for record in page.records], page.position) == ([1, 3], 3)
    page = diary.log.read_log(VERA, 0, page.position, 5, 2)
    assert ([record.offset for record in page.records], page.position) == ([4, 5], 5)
    assert diary.log.read_log(OTTO, 0, 2, 5, 2).records == ()
    assert diary.log.read_log(OTTO, 0, 2, 5, 2).position == 5
    assert (diary.log.missed(VERA, 0, 10), diary.log.missed(VERA, 3, 10), diary.log.missed(VERA, 0, 2)) == (4, 2, 3)


@pytest.mark.clause("R4.13")
def test_who_has_connected_as_a_client_only_is_known() -> None:
    diary = Diary()
    diary.write(RoleDraft(OTTO.id, OTTO.role), RoleDraft(VERA.id, VERA.role))
    assert diary.log.only_clients([OTTO.id, VERA.id, VITO.id]) == {OTTO.id}
    diary.write(RoleDraft(OTTO.id, VERA.role))
    assert diary.log.only_clients([OTTO.id]) == frozenset()
    assert diary.log.head == 0
