"""The statements, written once with numbered parameters, and the little in which the two databases differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydantic_core import to_json

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Grammar:
    """One database's way to number parameters, to look for any of several ids, to list the providers in order, and to
    look into the log conversation by conversation: for the latest message, for messages, for other entries, and for
    those of known places."""

    mark: str
    any_of: str
    providers: str
    latest: str
    messages: str
    others: str
    placed: str
    arrays: bool

    def __call__(self, statement: str) -> str:
        """A statement of this module in this database's words."""
        filled = statement.replace("ANY_OF", self.any_of).replace("PROVIDERS", self.providers)
        filled = filled.replace("MISSED_MESSAGES", self.messages).replace("MISSED_OTHERS", self.others)
        filled = filled.replace("LATEST", self.latest).replace("PLACED", self.placed)
        return filled if self.mark == "?" else filled.replace("?", self.mark)

    def array(self, ids: Iterable[str]) -> object:
        """Several ids as one parameter."""
        return list(ids) if self.arrays else to_json(list(ids)).decode()


SQLITE: Final = Grammar(
    mark="?",
    any_of="IN (SELECT value FROM json_each(?1))",
    providers=(
        "(SELECT group_concat(user_id) FROM (SELECT user_id FROM participants"
        " WHERE conversation_id = c.id AND role = 'provider' ORDER BY place))"
    ),
    latest=(
        "LEFT JOIN log m ON m.conversation_id = c.id"
        " AND m.seq = (SELECT MAX(seq) FROM log WHERE conversation_id = c.id)"
    ),
    messages=(
        "CROSS JOIN log l ON l.conversation_id = changed.conversation_id"
        " AND l.seq >= changed.first AND l.seq < changed.first + ?5"
    ),
    others="CROSS JOIN log l ON l.conversation_id = changed.conversation_id AND l.seq IS NULL AND l.position > ?4",
    placed="CROSS JOIN log l ON l.position = page.position",
    arrays=False,
)

POSTGRES: Final = Grammar(
    mark="$",
    any_of="= ANY(?1::uuid[])",
    providers=(
        "(SELECT string_agg(user_id::text, ',' ORDER BY place) FROM participants"
        " WHERE conversation_id = c.id AND role = 'provider')"
    ),
    latest=(  # joined as SQLite does it, it would read the log in full
        "LEFT JOIN LATERAL (SELECT * FROM log WHERE conversation_id = c.id AND seq IS NOT NULL"
        " ORDER BY seq DESC LIMIT 1) m ON TRUE"
    ),
    messages=(  # joined freely, it would rather read what everybody missed and throw away the rest
        "JOIN LATERAL (SELECT position FROM log WHERE conversation_id = changed.conversation_id"
        " AND seq >= changed.first ORDER BY seq LIMIT ?5) l ON TRUE"
    ),
    others=(
        "JOIN LATERAL (SELECT position FROM log WHERE conversation_id = changed.conversation_id"
        " AND seq IS NULL AND position > ?4 ORDER BY position LIMIT ?5) l ON TRUE"
    ),
    placed="JOIN LATERAL (SELECT * FROM log WHERE position = page.position LIMIT 1) l ON TRUE",
    arrays=True,
)

# -- the log's head ---------------------------------------------------------------------------------------------------

HEAD = "SELECT epoch, position FROM log_head WHERE id = 1"
NEW_EPOCH = "UPDATE log_head SET epoch = ?1 WHERE id = 1"
BEGIN_LOG = "INSERT INTO log_head (id, epoch, position) VALUES (1, ?1, 0)"
ADVANCE_HEAD = "UPDATE log_head SET position = position + ?1 WHERE id = 1 RETURNING position"
MOVE_HEAD = "UPDATE log_head SET position = ?1 WHERE id = 1"

# -- commit -----------------------------------------------------------------------------------------------------------

_STANDING = "COALESCE(m.at, c.created_at) AS updated_at, COALESCE(m.seq, 0) AS last_seq"
"""How a conversation stands: as its latest message says, or as it was started."""

COMMIT_CONVERSATIONS = f"SELECT c.id, {_STANDING} FROM conversations c LATEST WHERE c.id ANY_OF"
COMMIT_READERS = (
    "SELECT id, conversation_id, user_id, read_seq, sent, sent_at_read, changed_upto FROM participants"
    " WHERE conversation_id ANY_OF"
)
COUNT_SENT = "SELECT COUNT(*) AS sent FROM log WHERE conversation_id = ?1 AND user_id = ?2 AND seq > ?3 AND seq <= ?4"
INSERT_CONVERSATION = "INSERT INTO conversations (id, client, pet, created_at, position) VALUES (?1, ?2, ?3, ?4, ?5)"
INSERT_PARTICIPANT = (
    "INSERT INTO participants"
    " (conversation_id, user_id, role, place, read_seq, sent, sent_at_read, changed_upto)"
    " VALUES (?1, ?2, ?3, ?4, 0, 0, 0, ?5)"
)
INSERT_ENTRY = (
    "INSERT INTO log"
    " (position, kind, conversation_id, user_id, at, message_id, seq, content, read_seq, key)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
)
UPDATE_READER = "UPDATE participants SET read_seq = ?2, sent = ?3, sent_at_read = ?4 WHERE id = ?1"
UPDATE_CHANGED = "UPDATE participants SET changed_upto = ?2 WHERE conversation_id = ?1"
INSERT_ROLE = "INSERT INTO seen_roles (user_id, role) VALUES (?1, ?2) ON CONFLICT DO NOTHING"

# -- conversations ----------------------------------------------------------------------------------------------------

PARTICIPATES = "SELECT 1 AS found FROM participants WHERE conversation_id = ?1 AND user_id = ?2 AND role = ?3"
MEMBERSHIPS = "SELECT conversation_id FROM participants WHERE user_id = ?1 AND role = ?2"

_CONVERSATION = (
    f"c.id, c.client, c.pet, c.created_at, {_STANDING}, COALESCE(m.position, c.position) AS last_offset,"
    " m.content AS last_message, PROVIDERS AS providers"
)
_LISTED = (
    f"SELECT {_CONVERSATION}, p.read_seq,"
    " (COALESCE(m.seq, 0) - p.read_seq) - (p.sent - p.sent_at_read) AS unread_count"
    " FROM participants p JOIN conversations c ON c.id = p.conversation_id LATEST"
    " WHERE p.user_id = ?1 AND p.role = ?2"
)
LOAD = f"SELECT {_CONVERSATION} FROM conversations c LATEST WHERE c.id = ?1"
LIST = f"{_LISTED} ORDER BY updated_at DESC, c.id"
LIST_PAGE = f"{_LISTED} AND COALESCE(m.position, c.position) < ?3 ORDER BY last_offset DESC LIMIT ?4"

# -- messages and the log ---------------------------------------------------------------------------------------------

READ_MESSAGES = (
    "SELECT message_id, conversation_id, user_id, content, at, seq FROM log"
    " WHERE conversation_id = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq DESC"
)
_ENTRY = (
    "l.position, l.kind, l.conversation_id, l.user_id, l.at, l.message_id, l.seq, l.content, l.read_seq,"
    " c.pet, CASE WHEN l.kind = 1 THEN PROVIDERS END AS providers"
)
ENTRIES_AFTER = (
    f"SELECT {_ENTRY} FROM log l JOIN conversations c ON c.id = l.conversation_id"
    " WHERE l.position > ?1 ORDER BY l.position"
)
ENTRY_BY_KEY = (
    f"SELECT {_ENTRY} FROM log l JOIN conversations c ON c.id = l.conversation_id"
    " WHERE l.user_id = ?1 AND l.kind = ?2 AND l.key = ?3"
)
_LATER = (  # joined, SQLite would read all messages for a filter first
    "(SELECT position FROM log WHERE conversation_id = p.conversation_id AND seq = (low + high) / 2) > ?4"
)
_FIRST = (
    "(WITH RECURSIVE halved (low, high) AS ("
    "SELECT CASE WHEN m.position > ?4 THEN 0 ELSE m.seq END, m.seq FROM log m"
    " WHERE m.conversation_id = p.conversation_id"
    " AND m.seq = (SELECT MAX(seq) FROM log WHERE conversation_id = p.conversation_id)"
    f" UNION ALL SELECT CASE WHEN {_LATER} THEN low ELSE (low + high) / 2 END,"
    f" CASE WHEN {_LATER} THEN (low + high) / 2 ELSE high END FROM halved WHERE high - low > 1)"
    " SELECT high FROM halved WHERE high - low = 1)"
)
"""The `seq` of a conversation's first message after position ?4, found by halving, for positions rise with `seq`."""

_MISSED = (
    f"WITH changed AS MATERIALIZED (SELECT p.conversation_id, {_FIRST} AS first FROM participants p"
    " WHERE p.user_id = ?1 AND p.role = ?2 AND p.changed_upto > ?3),"
    " missed AS (SELECT l.position FROM changed MISSED_MESSAGES"
    " UNION ALL SELECT l.position FROM changed MISSED_OTHERS)"
)
"""What of each conversation that may have changed after ?3 comes after ?4, at most the first ?5 messages of each."""

MISSED = f"{_MISSED} SELECT COUNT(*) AS missed FROM (SELECT 1 FROM missed LIMIT ?5) AS found"
READ_LOG = (
    f"{_MISSED}, page AS (SELECT position FROM missed WHERE position <= ?6 ORDER BY position LIMIT ?5)"
    f" SELECT {_ENTRY} FROM page PLACED JOIN conversations c ON c.id = l.conversation_id ORDER BY l.position"
)

# -- users ------------------------------------------------------------------------------------------------------------

ROLES = "SELECT user_id, role FROM seen_roles WHERE user_id ANY_OF"
REVOKE = (
    "INSERT INTO revocations (user_id, revoked_at) VALUES (?1, ?2) ON CONFLICT (user_id) DO UPDATE"
    " SET revoked_at = CASE WHEN revocations.revoked_at > excluded.revoked_at"
    " THEN revocations.revoked_at ELSE excluded.revoked_at END"
)
REVOCATIONS = "SELECT user_id, revoked_at FROM revocations"
