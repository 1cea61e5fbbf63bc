"""The arithmetic of pages, judged by slicing a list."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vetchat_protocol.commands import MAX_LIMIT, MAX_PAGE, ConversationHistoryParams
from vetchat_protocol.history import Window, window

CONVERSATION = "aaaaaaaa-0000-4000-8000-000000000001"


def ask(last_seq: int, **params: int) -> tuple[list[int], Window]:
    """The seqs of the messages asked for, newest first, and the window."""
    found = window(ConversationHistoryParams.model_validate({"conversation_id": CONVERSATION, **params}), last_seq)
    assert 0 <= found.after <= found.upto <= last_seq or found.after == found.upto
    return list(range(found.upto, found.after, -1)), found


def newest_first(last_seq: int) -> list[int]:
    return list(range(last_seq, 0, -1))


def small() -> Iterator[tuple[int, int, int]]:
    """Lengths, limits and places of every kind, small enough to try them all."""
    return ((last_seq, limit, at) for last_seq in range(9) for limit in range(1, 11) for at in range(12))


@pytest.mark.clause("R4.17")
def test_pages_are_slices_of_the_newest_first_list() -> None:
    for last_seq, limit, page in small():
        seqs, found = ask(last_seq, limit=limit, page=page)
        assert seqs == newest_first(last_seq)[page * limit : (page + 1) * limit]
        assert found.has_more == ((page + 1) * limit < last_seq)
        assert found.has_newer is None


@pytest.mark.clause("R4.17")
@given(last_seq=st.integers(0, 10**12), limit=st.integers(1, MAX_LIMIT), page=st.integers(0, MAX_PAGE))
def test_any_page_of_any_conversation_is_a_range(last_seq: int, limit: int, page: int) -> None:
    found = window(ConversationHistoryParams(conversation_id=CONVERSATION, page=page, limit=limit), last_seq)
    assert found.upto - found.after == max(0, min(limit, last_seq - page * limit))
    assert found.upto == found.after or found.upto == last_seq - page * limit
    assert found.has_more == ((page + 1) * limit < last_seq)


@pytest.mark.clause("V3.5")
def test_before_is_the_newest_messages_with_a_smaller_seq() -> None:
    for last_seq, limit, before in small():
        seqs, found = ask(last_seq, limit=limit, before=before)
        older = [seq for seq in newest_first(last_seq) if seq < before]
        assert seqs == older[:limit]
        assert found.has_more == (len(older) > limit)
        assert found.has_newer is None


@pytest.mark.clause("V3.5")
def test_after_is_the_oldest_messages_with_a_larger_seq() -> None:
    for last_seq, limit, after in small():
        seqs, found = ask(last_seq, limit=limit, after=after)
        newer = [seq for seq in newest_first(last_seq) if seq > after]
        assert seqs == newer[-limit:]
        assert found.has_more == (len(newer) > limit)
        assert found.has_newer is None


@pytest.mark.clause("V3.5")
def test_around_is_one_window_that_holds_the_message_and_is_shifted_at_the_ends() -> None:
    for last_seq, limit, around in small():
        seqs, found = ask(last_seq, limit=limit, around=around)
        assert len(seqs) == min(limit, last_seq)
        assert not 1 <= around <= last_seq or around in seqs
        assert not seqs or not around > last_seq or seqs[0] == last_seq
        assert found.has_more == (bool(seqs) and seqs[-1] > 1)
        assert found.has_newer == (bool(seqs) and seqs[0] < last_seq)


@pytest.mark.clause("V3.5")
def test_around_puts_the_message_in_the_middle_where_it_can() -> None:
    assert ask(100, limit=5, around=50)[0] == [52, 51, 50, 49, 48]
    seqs, _ = ask(100, limit=4, around=50)
    assert seqs in ([52, 51, 50, 49], [51, 50, 49, 48])


@pytest.mark.clause("R4.17", "V3.5")
def test_walking_by_page_before_or_after_sees_every_message_once() -> None:
    for limit in (1, 3, 20):
        by_page = [seq for page in range(25) for seq in ask(20, limit=limit, page=page)[0]]
        by_before, before = list[int](), 21
        while before > 1:
            seqs, found = ask(20, limit=limit, before=before)
            by_before += seqs
            before = seqs[-1]
            assert found.has_more == (before > 1)
        by_after, after = list[int](), 0
        while after < 20:
            seqs, found = ask(20, limit=limit, after=after)
            by_after = seqs + by_after
            after = seqs[0]
            assert found.has_more == (after < 20)
        assert by_page == by_before == by_after == newest_first(20)
