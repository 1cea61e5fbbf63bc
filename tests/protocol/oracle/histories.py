"""What `conversations` and `conversation_history` must answer, counted out naively.

Imports nothing of what it judges.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from tests.protocol.oracle.ledger import JSON, Ledger, Person, Standing, Thread


@dataclass(frozen=True)
class Question:
    """What was asked, on which wire, when of which conversation how many messages had been heard (`knew`), and how far
    the log had come when the answer was heard."""

    params: Mapping[str, JSON]
    v1: bool
    knew: Mapping[str, int]
    head: int


def judge_listing(ledger: Ledger, person: Person, asked: Question, listed: Sequence[Mapping[str, JSON]]) -> None:
    """All of the person's conversations in the order of R4.2, or a page in that of V3.6."""
    params, head = asked.params, asked.head
    paged = asked.v1 and not params.keys().isdisjoint(("limit", "before"))
    ids = [one["id"] for one in listed]
    assert len(set(ids)) == len(ids), f"R4.2: listed twice: {ids}"
    for one in listed:
        thread = ledger.threads[one["id"]]
        assert thread.includes(person), f"S3.1, S3.2: {one['id']} is not theirs"
        first = thread.offset_of(asked.knew.get(one["id"], 0))
        known = [state for state in thread.standings if first <= state.offset <= head]
        assert any(one == _shown(thread, state, person, v1=asked.v1) for state in known), (
            f"R4.3: {one} is none of {known}"
        )
    if paged:
        offsets = [one["last_offset"] for one in listed]
        assert offsets == sorted(offsets, reverse=True), f"V3.6: newest first: {offsets}"
        assert all(offset < params.get("before", head + 1) for offset in offsets), f"V3.6: {params} and {offsets}"
        assert len(listed) <= params.get("limit", len(listed)), f"V3.6: {params} and {len(listed)}"
        return
    order = [(-one["last_updated_timestamp"], one["id"]) for one in listed]
    assert order == sorted(order), f"R4.2: newest first, ties by id: {order}"
    missing = asked.knew.keys() - set(ids)
    assert not missing, f"R4.2: not listed: {missing}"


def _shown(thread: Thread, state: Standing, person: Person, *, v1: bool) -> dict[str, JSON]:
    read = state.read.get(person.id, 0)
    base = {
        **{key: thread.entries[0].shown[key] for key in ("id", "providers", "client", "pet")},
        "last_message": state.last_message,
        "last_updated_timestamp": state.updated,
    }
    more = {
        "last_seq": state.last_seq,
        "last_offset": state.last_offset,
        "read_seq": read,
        "unread_count": thread.unread(person.id, read, state.last_seq),
    }
    return base | more if v1 else base


def judge_history(ledger: Ledger, asked: Question, answer: Mapping[str, JSON]) -> None:
    """The page of messages that was asked for, of as many as there were at some moment since it was asked."""
    params, v1 = asked.params, asked.v1
    conversation_id = cast("str", params["conversation_id"])
    thread = ledger.threads[conversation_id]
    total = cast("int", answer["total_count"])
    standing = thread.at(asked.head)
    assert standing is not None, f"R3.4: {conversation_id} does not exist yet"
    assert asked.knew.get(conversation_id, 0) <= total <= standing.last_seq, f"R4.17: {total} messages"
    shown = [{key: value for key, value in one.shown.items() if v1 or key != "seq"} for one in thread.messages[:total]]
    if v1 and "around" in params:
        _judge_around(shown[::-1], params["around"], params.get("limit", 20), answer)
    else:
        messages, more = _page(shown[::-1], params, v1=v1)
        assert answer["messages"] == messages, f"R4.17, V3.5: {answer['messages']} for {params}, not {messages}"
        assert answer["has_more"] == more, f"R4.17: has_more for {params} of {total}"
        assert "has_newer" not in answer, f"V3.5: has_newer for {params}"
    if v1:
        assert (answer["conversation_id"], answer["last_seq"]) == (conversation_id, total), "V3.5"


Messages = list[dict[str, JSON]]


def _page(newest_first: Messages, asked: Mapping[str, JSON], *, v1: bool) -> tuple[Messages, bool]:
    """A slice of the messages, and whether there are more."""
    limit = cast("int", asked.get("limit", 20))
    if v1 and "before" in asked:
        older = [one for one in newest_first if one["seq"] < asked["before"]]
        return older[:limit], len(older) > limit
    if v1 and "after" in asked:
        newer = [one for one in newest_first if one["seq"] > asked["after"]]
        return newer[-limit:], len(newer) > limit
    page = cast("int", asked.get("page", 0))
    return newest_first[page * limit : (page + 1) * limit], (page + 1) * limit < len(newest_first)


def _judge_around(newest_first: Messages, seq: int, limit: int, answer: Mapping[str, JSON]) -> None:
    """One contiguous window that holds the message, shifted at the ends; where in it is not said (V3.5)."""
    window, total = answer["messages"], len(newest_first)
    assert len(window) == min(limit, total), f"V3.5: {len(window)} messages around {seq} of {total}"
    first = newest_first.index(window[0]) if window else 0
    assert window == newest_first[first : first + limit], f"V3.5: {window} is not contiguous"
    held = min(max(seq, 1), total)
    assert not total or held in [one["seq"] for one in window], f"V3.5: {held} is not in {window}"
    assert answer["has_more"] == (first + len(window) < total), f"V3.5: has_more around {seq} of {total}"
    assert answer["has_newer"] == (first > 0), f"V3.5: has_newer around {seq} of {total}"
