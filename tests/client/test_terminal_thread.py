"""What the terminal makes of pages and events, in whatever order they come: each message once, none left out."""

from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vetchat_client import Chat, Conversation, Dialect, History, Message, Refused, Role, events
from vetchat_client.terminal.correspondence import Correspondence
from vetchat_client.terminal.mailbox import Mailbox
from vetchat_client.terminal.thread import Thread

ME, OTHER, PET = (f"{n}0000000-0000-4000-8000-000000000000" for n in (1, 2, 3))
TALK = "40000000-0000-4000-8000-000000000000"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def message(number: int, sender: str = OTHER, *, base: bool = False, later: int = 0) -> Message:
    return Message(
        id=f"50000000-0000-4000-8000-{number:012}",
        conversation_id=TALK,
        sender_id=sender,
        content=f"Message {number}.",
        timestamp=1_672_574_400_000 + later,
        seq=None if base else number,
    )


def conversation(**more: int) -> Conversation:
    bare = Conversation(id=TALK, providers=(OTHER,), client=ME, pet=PET, last_message="", last_updated_timestamp=0)
    return bare.model_copy(update=more)


def page(newest_first: Sequence[Message], *, has_more: bool = False) -> History:
    return History(messages=tuple(newest_first), total_count=99, has_more=has_more)


def numbers(thread: Thread) -> list[int]:
    return [int(one.content[8:-1]) for one in thread.messages]


@given(st.data(), st.booleans())
def test_pages_and_events_in_any_order_make_one_history_without_a_gap(data: st.DataObject, base: bool) -> None:
    first_live = data.draw(st.integers(1, 30))
    last = data.draw(st.integers(first_live, 60))
    size = data.draw(st.integers(1, 20))
    thread = Thread(ME, conversation())
    arrived = first_live - 1
    opened_at = data.draw(st.integers(first_live - 1, last))
    seen_by_page = data.draw(st.integers(opened_at, last))  # the answer may know of messages whose events come later
    while arrived < opened_at:
        arrived += 1
        thread.happened(message(arrived, base=base), arrived)
    newest = range(seen_by_page, max(0, seen_by_page - max(size, seen_by_page - first_live + 2)), -1)
    thread.turn(page([message(number, base=base) for number in newest], has_more=newest[-1:] != range(1, 0, -1)))
    while arrived < last:
        arrived += 1
        thread.happened(message(arrived, base=base), arrived)
    oldest = numbers(thread)[0] if thread.messages else 1
    thread.turn(page([message(number, base=base) for number in range(oldest - 1, 0, -1)]))
    assert numbers(thread) == list(range(1, last + 1))
    assert thread.complete


@pytest.mark.parametrize("base", [False, True])
def test_a_page_that_is_newer_than_the_events_heard_so_far_comes_after_them(base: bool) -> None:
    said = [message(number, base=base, later=number) for number in range(10)]
    thread = Thread(ME, conversation())
    for one in said[:4]:
        thread.add(one)
    thread.turn(page(said[:5:-1], has_more=True))
    for one in said[4:]:
        thread.add(one)
    assert numbers(thread) == list(range(10))


def test_where_the_servers_clock_was_set_back_nothing_is_lost_and_older_pages_are_older() -> None:
    said = [message(number, base=True, later=-number) for number in range(9)]
    thread = Thread(ME, conversation())
    for one in (said[6], said[8], said[7]):
        thread.happened(one, None)
    thread.turn(page([said[8], said[6], said[5]], has_more=True))  # it was read before the event of the other came
    assert sorted(numbers(thread)) == [5, 6, 7, 8]
    thread.turn(page(said[3:1:-1], has_more=True))
    thread.turn(page(said[1::-1]))
    assert numbers(thread)[:4] == [0, 1, 2, 3]
    assert sorted(numbers(thread)) == [0, 1, 2, 3, 5, 6, 7, 8]


async def test_a_page_that_was_asked_for_before_a_reset_is_of_no_use_after_it() -> None:
    thread = Thread(ME, conversation())
    thread.turn(page([message(50), message(49)], has_more=True))

    class Late:
        dialect = Dialect.V1

        async def history(self, conversation_id: str, **place: int | None) -> History:
            assert place["before"] == 49
            thread.forget()
            return page([message(48), message(47)])

    desk = Correspondence(cast("Chat", Late()), Mailbox(ME, Role.CLIENT), lambda: None)
    await desk.load_history(thread)
    assert (thread.messages, thread.loaded, thread.complete) == ([], False, False)


async def test_a_history_that_is_refused_is_asked_for_again_but_not_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    thread, pauses = Thread(ME, conversation()), list[float]()

    class Shy:
        dialect = Dialect.V1

        async def history(self, conversation_id: str, **place: int | None) -> History:
            if not pauses:
                raise Refused("Not now.")
            return page([message(1)])

    async def pause(seconds: float) -> None:
        assert thread.history_trouble == "Not now."
        pauses.append(seconds)

    monkeypatch.setattr("vetchat_client.terminal.correspondence.sleep", pause)
    desk = Correspondence(cast("Chat", Shy()), Mailbox(ME, Role.CLIENT), lambda: None)
    await desk.load_history(thread)
    await desk.load_history(thread)
    assert (pauses, numbers(thread), thread.history_trouble) == ([2.0], [1], "")


def test_ones_own_answer_finds_its_place_among_events_that_come_later() -> None:
    thread = Thread(ME, conversation())
    thread.turn(page([message(1)]))
    thread.add(message(4, ME))
    for number in (2, 3, 4, 5):
        thread.happened(message(number, ME if number == 4 else OTHER), number)
    assert numbers(thread) == [1, 2, 3, 4, 5]


def test_unread_are_those_of_others_above_the_marker() -> None:
    thread = Thread(ME, conversation(read_seq=2, unread_count=1, last_seq=3, last_offset=30))
    thread.happened(message(3), 30)  # the list was loaded after it and has counted it
    assert thread.unread == 1
    thread.happened(message(4), 40)
    thread.happened(message(5, ME), 50)
    assert thread.unread == 2
    thread.marked(ME, 3)
    assert thread.unread == 1
    thread.marked(ME, 5)
    thread.marked(ME, 4)  # never backwards
    assert (thread.unread, thread.read_seq) == (0, 5)


def test_writing_reads_only_what_was_read_up_to_there() -> None:
    thread = Thread(ME, conversation(read_seq=0, unread_count=0, last_seq=0))
    thread.happened(message(1, ME), 10)
    assert thread.read_seq == 1
    thread.happened(message(2), 20)
    thread.happened(message(3, ME), 30)
    assert (thread.read_seq, thread.unread) == (1, 1)


def test_what_is_refused_comes_back_in_order_before_what_was_begun() -> None:
    thread = Thread(ME, conversation(), outbox=["One.", "Two."], draft="Three")
    assert thread.unsent == ["One.", "Two.", "Three"]
    thread.give_back("No.")
    assert (thread.outbox, thread.trouble) == ([], "No.")
    assert thread.editable("Three, typed meanwhile") == "One.\nTwo.\nThree, typed meanwhile"
    assert thread.unsent == ["One.\nTwo.\nThree, typed meanwhile"]


def test_the_most_active_conversation_is_on_top() -> None:
    mailbox = Mailbox(ME, Role.CLIENT)
    older = conversation(last_offset=5)
    newer = older.model_copy(update={"id": PET, "last_offset": 9})
    mailbox.load([older, newer])
    assert [thread.id for thread in mailbox.listed()] == [PET, TALK]
    mailbox.take(events.MessageSent(params=message(1), offset=11), 0.0)
    assert [thread.id for thread in mailbox.listed()] == [TALK, PET]


def test_nobody_can_be_called_you() -> None:
    mailbox = Mailbox(ME, Role.CLIENT)
    mailbox.load([conversation()])
    user = events.PresentUser(user_id=OTHER, display_name="You\x1b[2J\nYou", profile_image_url=None)
    state = events.PresenceState(params=events.PresenceStateParams(conversation_id=TALK, users=(user,)))
    mailbox.take(state, 0.0)
    assert mailbox.name(OTHER) == "You␛[2J You"
    assert mailbox.part(mailbox.threads[TALK], OTHER) == "vet"
