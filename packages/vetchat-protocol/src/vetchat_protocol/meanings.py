"""What each key of a frame means, one sentence each, for the schemas and the published reference."""

from collections.abc import Mapping
from typing import Final

__all__ = ["meaning"]

_EVERYWHERE: Final[Mapping[str, str]] = {
    "after": "Read the messages that follow this `seq` (V3.5).",
    "after_ms": "How long to wait before coming back, in ms (V5.4).",
    "around": "Read one contiguous window that holds this `seq` (V3.5).",
    "client": "The pet owner who opened the conversation.",
    "client_conversation_id": "A name of your own that makes creating safe to retry (V2.2).",
    "client_message_id": "A name of your own that makes sending safe to retry (V2.2).",
    "code": "What went wrong, for a program (V2.3).",
    "commands_per_second": "How many commands a user may issue in the long run; 0 for no limit (R2.7).",
    "content": "What is said: 1 to 8,000 code points, not all white space, kept exactly as sent (R4.8).",
    "content_chars": "The longest message, in code points (R4.8).",
    "conversation_id": "The conversation.",
    "display_name": "What to call the person (R5.4).",
    "duplicate": "True in the answer to a retry: this is the original, stored once (V2.2).",
    "epoch": "The name of the log (V3.2).",
    "event": "The name of the frame.",
    "expires_in_ms": "For how long it holds unless it is said again, in ms (V4.1).",
    "frame_bytes": "The longest frame that the server reads, in bytes (R2.7).",
    "has_more": "Whether there are older messages; with `after`, newer ones (R4.17, V3.5).",
    "has_newer": "Only with `around`: whether there are newer messages (V3.5).",
    "heartbeat_interval_ms": "Hearing nothing for twice as long, a client should ping, then reconnect (V1.2).",
    "id": "The conversation's id.",
    "last_message": "The text of the latest message, empty before the first (R4.3).",
    "last_offset": "The position of the creation or of the latest message (V3.6).",
    "last_seq": "The `seq` of the latest message, 0 before the first (V3.5, V4.2).",
    "last_updated_timestamp": "The time of the latest message, at first of the creation (R4.3).",
    "limit": "How many at most.",
    "limits": "What a client should know of the server's limits (V1.2).",
    "message": "What went wrong, as one sentence for a person (R6.2).",
    "messages": "The messages, newest first (R4.17).",
    "offset": "The position in the log (V3.2).",
    "page": "Which page, 0 being the newest (R4.17).",
    "params": "What goes with the frame.",
    "pet": "The animal that it is about.",
    "pet_id": "The animal that it is about.",
    "profile_image_url": "An `https` address of a picture, or null (R5.4).",
    "providers": "The vets, in the order in which they were invited.",
    "read_seq": "Up to which `seq` you have read (V4.2).",
    "reason": "Whether by hand or by losing the last connection (R5.7).",
    "recovered": "Whether what was missed since `resume` follows (V3.3, V3.4).",
    "ref": "The command's own name; its one answer carries it back (V2.1).",
    "resume": "Where an earlier connection ended; left out for a fresh start (V1.2).",
    "resume_frames": "The most frames that a resume replays (V3.4).",
    "retry_after_ms": "When to try again at the earliest, in ms.",
    "role": "Your role in this connection (R1.6).",
    "seq": "The place in the conversation's messages: 1, 2, 3 and so on (V3.1).",
    "session_id": "The id of this connection, as the server's log names it (V1.2).",
    "state": "Whether somebody is writing (V4.1).",
    "status": "Always the same.",
    "subscribe": "False to read without subscribing (V3.5).",
    "timestamp": "The server's time, in ms since the Unix epoch (R4.10).",
    "token": "The token; left out if the upgrade brought one (V1.2).",
    "token_expires_at": "When your token runs out, in ms since the Unix epoch; null for never (V1.5).",
    "total_count": "How many messages the conversation has (S4.16).",
    "unread_count": "How many messages of others have a `seq` above `read_seq` (V4.2).",
    "user_id": "The person.",
    "users": "The others who are there (V4.3).",
}

_HERE: Final[Mapping[str, str]] = {
    "CommandFrame.sender_id": "Your own user id; the nil UUID or nothing means you as well (R2.3).",
    "ConversationsParams.before": "Of the page before, the last `last_offset`; left out for the first page (V3.6).",
    "ConversationsParams.limit": "The most entries wanted; left out, all of them come (V3.6).",
    "ConversationHistoryParams.before": "Read the messages that come before this `seq` (V3.5).",
    "ConversationHistoryParams.limit": "The most messages wanted (R4.17).",
    "ErrorParams.event": "The command that failed, if it is a known one (V2.3).",
    "Limits.providers": "How many vets a conversation may have (R4.13).",
    "MarkReadParams.seq": "The `seq` of the last message that you have read (V4.2).",
    "MessageParams.id": "The message's id.",
    "MessageParams.sender_id": "Who wrote it.",
    "NewConversationParams.providers": "The vets to invite, perhaps none; a duplicate counts once (R4.13).",
    "PingParams.offset": "Your own position, for whoever reads along (V5.1).",
    "PositionParams.offset": "The position of what this connection was sent last (V5.1).",
    "ReadMarkerParams.seq": "Up to which `seq` that person has read (V4.2).",
    "RefreshParams.token": "The new token, of the same user and role (V1.5).",
    "Resume.epoch": "The name of the log that the offset belongs to (V1.2).",
    "Resume.offset": "The largest offset that you have received (V1.2).",
    "WelcomeParams.offset": "The position of the log's latest record (V1.2).",
    "WelcomeParams.user_id": "Who you are (R1.4).",
}


def meaning(model: type[object], key: str) -> str:
    """What a key says in the frame, or the part of one, that this class describes."""
    for base in model.__mro__:
        if (here := _HERE.get(f"{base.__name__}.{key}")) is not None:
            return here
    if key == "sender_id":
        return "The nil UUID: the server speaks (S2.2)."
    return _EVERYWHERE[key]
