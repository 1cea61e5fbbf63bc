"""The law of the wire, clause by clause: what code comments, tests and the published reference point at.

The letter of an id says where a clause comes from: `S` was stated by the base protocol, `R` is a ruling where the base
protocol is silent or contradicts itself, `V` belongs to the extension `vetchat.v1`. An id never changes its meaning.
`N` is the nil UUID. A text is one paragraph of Markdown; its line breaks here are only for reading.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

__all__ = ["CLAUSES", "SECTIONS", "Clause", "Section"]


@dataclass(frozen=True, slots=True)
class Section:
    """A chapter of the protocol: `introduction` says what its clauses are about, `dialect` who they bind."""

    id: str
    title: str
    introduction: str
    dialect: Literal["base", "vetchat.v1"]


@dataclass(frozen=True, slots=True)
class Clause:
    """One rule of the wire: its stable `id` (`"R4.9"`), the id of its `section`, and its `text` in Markdown."""

    id: str
    section: str
    text: str


_Chapter = tuple[Section, Mapping[str, str]]

_CHAPTERS: Final[tuple[_Chapter, ...]] = (
    (
        Section(
            "connection",
            "Connection",
            "Where to connect, who one is once connected, and who is turned away at the door.",
            "base",
        ),
        {
            "S1.1": "The endpoint is the path `/ws/`. `/ws` reaches it as well, without a redirect.",
            "S1.2": "Every connection is given a user id: a UUID that belongs to nobody else.",
            "R1.3": """
                The pluggable authenticator picks the user id. With tokens it is the token's `sub`, a UUID. In **open
                mode** (for development: no tokens are configured) each connection gets a fresh random UUID, or the one
                it asks for with `?user_id=`; its role comes from `?role=client` or `?role=provider` (`client` when left
                out), its name from `?name=`. Open mode is the default only while the server listens on loopback; on any
                other address the server refuses to start unless it is told explicitly to run open.
            """,
            "R1.4": """
                The handshake response tells a connection who it is, in the headers `VetChat-User-Id` and
                `VetChat-Role`. They are left out while the user is not known yet. In `vetchat.v1` the event `welcome`
                says so too. Before that answer goes out the connection counts already: its role is recorded (R4.13) and
                events are queued for it.
            """,
            "R1.5": """
                A token travels in the header `Authorization: Bearer …`, in the query as `?token=…` (as existing
                clients of this protocol send it) or, in `vetchat.v1`, inside `hello`. Tokens never appear in logs.
            """,
            "R1.6": """
                The role comes from the verified identity, never from a frame. It holds for the life of the connection.
            """,
            "R1.7": """
                A bad, expired or missing token is answered with HTTP 401 before the upgrade; a valid one without a
                usable role, and a disallowed `Origin`, with 403. Allowed origins are: none at all, the server's own,
                and the configured list. In open mode any loopback origin is allowed, and only loopback `Host` headers
                are. For `vetchat.v1` without a token at the upgrade see V1.3.
            """,
            "R1.8": """
                N is never the id of a user, a pet, a provider or a conversation: an authenticator that returns it is
                refused, and a frame that names it is an error.
            """,
            "R1.9": """
                A token must carry `exp`, which holds to the second, without leeway. On the base wire the connection is
                closed with 4202 when it passes.
            """,
        },
    ),
    (
        Section(
            "envelope",
            "Envelope",
            "The shape that every frame shares, what becomes of a frame out of shape, and how much is too much.",
            "base",
        ),
        {
            "S2.1": """
                Every frame is one text frame that holds one JSON object with the keys `sender_id`, `event` and
                `params`.
            """,
            "S2.2": """
                Frames from the server have N as their `sender_id`. Keys come in the order of S2.1; UUIDs are lower-case
                with hyphens; times are whole milliseconds since the Unix epoch.
            """,
            "R2.3": """
                The `sender_id` of a request must be the connection's own user id, or N, or absent (“me”: a client may
                not know its id yet). Anything else is an `error` and has no effect. To override it silently would hide
                bugs; to trust it would let anyone write as anyone.
            """,
            "R2.4": """
                Unknown keys are ignored. `params` may be `null` or absent only where no parameter is required: in
                `conversations`, and in `vetchat.v1` also in `ping`.
            """,
            "R2.5": """
                Text that is not JSON (`NaN` and `Infinity` are not), not an object, a key that is missing or of the
                wrong type, an unknown event, a binary frame, a lone surrogate anywhere, NUL in a string that is used:
                each is answered with an `error` event to the sender, never with plain text; the connection stays open
                and nothing else happens. A text frame that is not UTF-8 closes the connection with 1007.
            """,
            "R2.6": """
                The commands of one connection are handled in order, and each gets exactly one direct answer, in that
                order: its reply or an `error` (R4.7 and a shutdown, V5.4, excepted). The base wire has no request ids,
                so this order is the only correlation a client has. Broadcasts may fall between the answers, and one's
                own message sent from another device looks like an answer: compare the content.
            """,
            "R2.7": """
                Every limit is a setting; its default stands in brackets. A frame [131,072 bytes: the longest legal
                message fits even when fully `\\u`-escaped]: close 1009. Commands per user [20 a second, bursts of 200]:
                `error`, no effect. Refused frames (R2.3, R2.5 or over the rate) per connection [100 a minute]: close
                4108 (base: 1008). Connections per user [20]: one more is refused with 4110 (base: HTTP 429). No
                complete handshake within [10 s]: dropped. The outbox of a connection [1,000 frames or 1 MiB waiting
                behind others; one frame of any size always fits an empty outbox]: close 4109 (base: 1013). The answers
                to a connection's own commands do not count towards that bound: while an earlier answer waits, the next
                command waits too. Replay (V3.3) and the `presence_state` frames at `welcome` are pulled at the socket's
                pace, outside that bound.
            """,
            "R2.8": """
                An id in a frame is a UUID in its form of 36 characters, in any case; it is lower-cased before it is
                compared or stored. Any other spelling is an error.
            """,
        },
    ),
    (
        Section(
            "roles",
            "Roles",
            "There are two sides to a conversation: the owner of the pet, and the vets that the owner asked.",
            "base",
        ),
        {
            "S3.1": "A `client`, the pet owner, may create conversations and sees the ones it created, no others.",
            "S3.2": """
                A `provider`, the vet, sees the conversations it was invited to, no others, and may not create any.
            """,
            "S3.3": "Sending, reading history and subscribing are for the participants of the conversation alone.",
            "R3.4": """
                A conversation that does not exist and one the caller is not part of give the same error, so that nobody
                can probe for existence.
            """,
            "R3.5": """
                Participation is by user id **and** role: as `client` if the id is the conversation's client, as
                `provider` if it is among its providers.
            """,
        },
    ),
    (
        Section(
            "conversations",
            "Command `conversations`",
            "The list that a chat window opens with.",
            "base",
        ),
        {
            "S4.1": """
                The answer is the event `conversations`. Its `params` is an array, the only event of which that is true;
                each entry is `{id, providers, client, pet, last_message, last_updated_timestamp}`.
            """,
            "R4.2": """
                The list holds all conversations of the caller, the newest `last_updated_timestamp` first, equal ones by
                id. The base protocol speaks of active conversations but knows no way to end one, so all are active.
            """,
            "R4.3": """
                `last_message` is the full text of the latest message, `""` before the first.
                `last_updated_timestamp` is the time of the latest message, before the first that of the creation.
            """,
        },
    ),
    (
        Section(
            "message",
            "Command `message`",
            "Writing into a conversation: stored first, then delivered, to everybody in the same order.",
            "base",
        ),
        {
            "S4.4": "The parameters are `{conversation_id, content}`. Participants only.",
            "S4.5": """
                Once the message is accepted, every participant that is subscribed gets `message_sent` with
                `{id, conversation_id, sender_id, content, timestamp}`. So does the sender; on the connection that sent
                it this is the direct answer.
            """,
            "S4.6": """
                Sending subscribes the sender to the conversation. If it had unsubscribed, the others see
                `user_joined` before `message_sent`.
            """,
            "R4.7": """
                `message_sent` goes to nobody before the message is durably committed. An error means that it was not
                stored. If the outcome of a commit is unknown (the connection to the database broke), the server looks
                for the message before it answers; if it cannot, it closes (4100, base 1013) without an answer.
            """,
            "R4.8": """
                `content` is a string of 1 to 8,000 Unicode code points, not all of them white space. It is stored and
                returned exactly as it was sent.
            """,
            "R4.9": """
                Every subscribed connection of a participant gets each message exactly once (answers to retries, V2.2,
                excepted), and all get the messages of a conversation in the same order.
            """,
            "R4.10": """
                Times come from the server's clock and never run backwards within a conversation. They are never what
                orders messages: that is the conversation's own message sequence.
            """,
        },
    ),
    (
        Section(
            "new-conversation",
            "Command `new_conversation`",
            "An owner opens a conversation about one pet and invites vets to it.",
            "base",
        ),
        {
            "S4.11": "The parameters are `{pet_id, providers}`. Clients only.",
            "S4.12": """
                The creator gets `conversation_created` and each invited provider `new_conversation_invitation`. Both
                carry the whole conversation, in which the pet is called `pet` and not `pet_id`; that asymmetry comes
                from the base protocol.
            """,
            "R4.13": """
                `providers` is a required array of at most 32. Duplicates are dropped, the first position is kept. `[]`
                is allowed: nobody is assigned yet. N, the creator itself, or an id that has connected as a client and
                never as a provider is an error, and nothing is created. An id never seen before is allowed: that vet
                has not connected yet.
            """,
            "R4.14": """
                Every connection of the creator as `client` gets `conversation_created` and is subscribed. Every
                connection of an invited provider as `provider` gets exactly one invitation and is subscribed. Providers
                who are offline find the conversation in `conversations`. There is no `user_joined` for a creation or an
                invitation: the event itself announces it.
            """,
            "R4.15": """
                Whether this client may open this conversation, for that pet and with those providers, is asked of a
                pluggable policy. The default one accepts any UUID but N.
            """,
        },
    ),
    (
        Section(
            "conversation-history",
            "Command `conversation_history`",
            "Scrolling back, a page at a time, at the same cost however long the conversation is.",
            "base",
        ),
        {
            "S4.16": """
                The parameters are `{conversation_id, page, limit}`. Participants only. The answer is
                `conversation_history_response` with `{messages, total_count, has_more}`, each message in the shape of
                `message_sent`.
            """,
            "R4.17": """
                `page` counts from 0, newest first within a page and across pages. Left out, `page` is 0 and `limit` 20.
                `page` goes from 0 to `2^31 - 1`, and one beyond the end is empty; `limit` goes from 1 to 100; anything
                outside is an error. `has_more` is `(page + 1) * limit < total_count`.
            """,
            "S4.18": "Asking for the history of a conversation subscribes the caller to it.",
            "R4.19": """
                What a page, `total_count` and `has_more` cost depends neither on how many messages the conversation or
                the database holds nor on the number of the page.
            """,
        },
    ),
    (
        Section(
            "subscribing",
            "Commands `subscribe_conversation` and `unsubscribe_conversation`",
            "Following a conversation, and looking away from it, by hand.",
            "base",
        ),
        {
            "S4.20": """
                `subscribe_conversation` with `{conversation_id}` is answered with `subscribed` and
                `{conversation_id, status: "success"}`. Participants only.
            """,
            "S4.21": """
                `unsubscribe_conversation` with `{conversation_id}` is answered with `unsubscribed` and
                `{conversation_id, status: "success"}`.
            """,
            "R4.22": """
                The `status` that the base protocol shows in the *request* to unsubscribe is a slip: it is accepted with
                any value and never required.
            """,
            "R4.23": """
                Both commands are idempotent: to repeat one succeeds and announces nothing. Both need participation.
            """,
            "R4.24": """
                A subscription belongs to the connection. Unsubscribing one device leaves the user's other devices
                alone. It does not outlive the connection either: the next one starts subscribed to everything (S5.1).
            """,
        },
    ),
    (
        Section(
            "presence",
            "Subscriptions, presence, disconnection",
            "Who hears what, and how people see each other come and go.",
            "base",
        ),
        {
            "S5.1": """
                Four things subscribe without being asked: connecting, to all conversations one is part of by role;
                sending; asking for history; creating a conversation or being invited to one.
            """,
            "S5.2": "The events of a conversation go to subscribed connections of its participants and nowhere else.",
            "S5.3": """
                When a user subscribes, automatically on connecting or by hand, all other participants get
                `user_joined`; when a user unsubscribes, they get `user_left`.
            """,
            "R5.4": """
                The `params` of `user_joined` are `{user_id, display_name, profile_image_url, conversation_id,
                timestamp}`; `user_left` adds `reason`. An unknown name is `"Unknown User"`; no picture, or one that is
                not an `https` URL, is `null`.
            """,
            "R5.5": """
                Presence is per user, not per connection: `user_joined` when the user's first connection subscribes,
                `user_left` when the last one leaves. For an observer, while it stays subscribed, joined and left of a
                user in a conversation strictly alternate. For a user who is connected, being the creator or being
                invited counts as the join.
            """,
            "R5.6": """
                “All other participants” are the connections subscribed to that conversation, less every connection of
                the user concerned.
            """,
            "R5.7": """
                When the user's last connection in a conversation is lost, `user_left` has the `reason`
                `"disconnected"`; by hand it is `"unsubscribed"`. The base protocol names no event for a disconnection,
                yet a join at every connect without a leave would never balance. A server setting turns it off for
                strict readers.
            """,
            "S5.8": """
                A disconnection ends the session and all its subscriptions, and a set of subscriptions that is empty
                then goes with them. Nothing stays behind in memory.
            """,
        },
    ),
    (
        Section(
            "errors",
            "Errors",
            "What a program is told when something was wrong, and what it may rely on afterwards.",
            "base",
        ),
        {
            "S6.1": "An `error` carries `{message}` and goes to the sender alone.",
            "R6.2": """
                The message is one plain English sentence that says what was wrong and, where it helps, what is allowed.
                It never repeats the input, a token, a stack trace or a text of the database.
            """,
            "R6.3": """
                A storage failure is an error to the sender, never a crash and never half an effect; the connection
                stays open (R4.7 excepted).
            """,
        },
    ),
    (
        Section(
            "session",
            "Session",
            "Saying hello, staying known while tokens come and go, and being shut out.",
            "vetchat.v1",
        ),
        {
            "V1.1": """
                The client's first frame is `hello`; the server answers `welcome`. Before that every other command is
                the error `hello_required`; a second `hello` is `invalid_params`. No `hello` within 10 s: close 4008.
            """,
            "V1.2": """
                The `params` of `hello` are `{token?, resume?: {epoch, offset}}`: `epoch` is a string of 1 to 64
                characters, `offset` an integer from 0; a malformed one is `invalid_params`, and `hello` may be sent
                again. Those of `welcome` are `{user_id, role, session_id, epoch, offset, recovered,
                heartbeat_interval_ms, token_expires_at, limits: {content_chars, frame_bytes, …}}`: `session_id` is the
                UUID of this connection, which names it in logs; `offset` is the head of the log; `recovered` is `false`
                without `resume`; a client that hears nothing for two heartbeat intervals (25,000 ms by default) should
                ping, then reconnect. A client's position is the largest `offset` it has received. After
                `recovered: false` it has none until its reload is complete; then it is `welcome.offset` or what has
                come since. In open mode `token_expires_at` is `null`. A connection whose upgrade brought a token may
                leave it out of `hello`; another subject or role there is 4001.
            """,
            "V1.3": """
                A browser cannot set headers, and a token in a URL ends up in logs. So, with tokens configured, a
                `vetchat.v1` upgrade without one is accepted and must bring it in `hello`. A missing or bad one in
                `hello` or `refresh` closes with 4001, one without a usable role with 4003. At most [1,000] connections
                may be waiting for `hello`; one more gets HTTP 503.
            """,
            "V1.4": "Automatic subscription on connecting (S5.1) happens at `welcome`.",
            "V1.5": """
                `token_expiring {token_expires_at}` is pushed 60 s before a token runs out, at once if less is left.
                `refresh {token}` is answered with `refreshed {token_expires_at}`; the subject and the role must be the
                same, or it is 4001. A token that runs out closes with 4202 after a grace of 25 s (base: R1.9).
            """,
            "V1.6": """
                Revocation: the operator's `vetchat revoke USER`, and the authenticator port, store that the user's
                tokens issued up to now are void. Within two seconds every connection of that user is closed with 4001
                (base: 1008), and a token with an `iat` not after that moment, or with none, is refused like a bad one.
                It outlives restarts.
            """,
        },
    ),
    (
        Section(
            "correlation",
            "Correlation, idempotency, errors",
            "Knowing which answer belongs to which command, and retrying without doing it twice.",
            "vetchat.v1",
        ),
        {
            "V2.1": """
                A command may carry a top-level `ref`, a string of 1 to 64 characters. Its one direct answer carries it
                back, an `error` too whenever the frame was an object with a valid `ref`; no other frame does. `null`
                counts as absent, any other value is `invalid_envelope`.
            """,
            "V2.2": """
                `client_message_id` in the `params` of `message`, a string of 1 to 64 characters, makes sending safe to
                retry: the pair of sender and `client_message_id` is stored once, forever. The same pair with the same
                conversation and content returns the original `message_sent`, with `"duplicate": true` in its `params`
                and the retry's `ref`, to the retrying connection alone, without `offset`. With different ones it is the
                error `idempotency_conflict`. `client_conversation_id` in `new_conversation` does the same for creating.
                On the base wire both are unknown keys.
            """,
            "V2.3": """
                The `params` of `error` are `{message, code, event?, retry_after_ms?}`. The codes are `hello_required`,
                `invalid_json`, `invalid_envelope`, `unknown_event`, `invalid_params`, `sender_mismatch`,
                `forbidden_role`, `not_found`, `idempotency_conflict`, `rate_limited`, `unavailable` and `internal`.
                Checks run in this order, and the first that fails is reported: text (`invalid_json`: also binary and
                lone surrogates), envelope and `ref`, rate, `hello_required`, event, sender, params (ids included),
                role, participation, idempotency.
            """,
            "V2.4": "A command that has no natural reply is answered with `ok`, which carries its `ref`.",
        },
    ),
    (
        Section(
            "recovery",
            "Order and recovery",
            "One log, one order, and a way back after a lost connection that is complete or says that it is not.",
            "vetchat.v1",
        ),
        {
            "V3.1": """
                Messages carry `seq`: 1, 2, 3 and so on per conversation, without gaps, assigned in the transaction that
                stores them.
            """,
            "V3.2": """
                Durable frames (`message_sent`, `conversation_created`, `new_conversation_invitation`, `read_marker`)
                carry a top-level `offset`: their position in the server's one commit-ordered log. Larger is later, for
                everything; gaps mean other people's traffic. `epoch` names the log; a new database is a new epoch.
            """,
            "V3.3": """
                `hello` with `resume` replays every durable frame of the user's conversations after `offset`, whatever
                an earlier connection had unsubscribed, in order, then goes live, with nothing lost, doubled or
                reordered in between; `welcome.recovered` is `true`. The order is `welcome`, replay, `presence_state`,
                live; ephemeral frames are not sent during the replay. It survives restarts of the server and works on
                any node.
            """,
            "V3.4": """
                Recovery is never partial: if the epoch differs, the offset is beyond the head, the log no longer
                reaches back that far, or more frames for this user are missing than the limit [10,000], `recovered` is
                `false`, nothing is replayed, and the client must reload.
            """,
            "V3.5": """
                `conversation_history` also takes `before`, `after` or `around`, a `seq`, instead of `page` (at most one
                of the four), and `subscribe: false`. `before`: the `limit` messages with the largest smaller seq;
                `after`: the `limit` messages with the smallest larger seq; `around`: one contiguous window that holds
                it, shifted at the ends. Newest first, always. `has_more`: there are older ones (`before`, `around`,
                `page`) or newer ones (`after`); `around` answers `has_newer` too. A `seq` is an integer from 0; one
                beyond the end is no error. The response, and `subscribed`, carry `conversation_id` and `last_seq`.
            """,
            "V3.6": """
                `conversations` takes `limit` (1 to 1,000) and `before`. Entries carry `last_offset`, the position of
                the creation or of the latest message; with `limit` they come by `last_offset`, newest first, `before`
                being the last one of the page before. A page shorter than `limit` is the end.
            """,
        },
    ),
    (
        Section(
            "ephemeral",
            "Typing, reading, presence",
            "The small signs that somebody is there.",
            "vetchat.v1",
        ),
        {
            "V4.1": """
                `typing {conversation_id, state}`, where `state` is `"active"` or `"done"`, is relayed to the other
                subscribed participants with `user_id` and `expires_in_ms` (6,000). On a message, on leaving, on a
                disconnect and on expiry the server relays `state: "done"` for it. The typist is answered `ok`.
            """,
            "V4.2": """
                `mark_read {conversation_id, seq}` sends `read_marker {conversation_id, user_id, seq}` to the subscribed
                connections of all participants, and to the reader's own connection as its answer. It is durable and
                never goes backwards: one that moves nothing is answered `ok`; beyond `last_seq` it is `invalid_params`.
                Sending moves the sender's `read_seq` to the `seq` of that message only from `seq - 1` (what it has not
                seen stays unread), without a `read_marker`. Entries of `conversations` carry `last_seq`, `read_seq` and
                `unread_count`: how many messages of others have a `seq` above `read_seq`.
            """,
            "V4.3": """
                `presence_state {conversation_id, users: [{user_id, display_name, profile_image_url}]}` tells who else
                is there: after `subscribed`, `conversation_created` and `new_conversation_invitation`, and at `welcome`
                once for each conversation; only where somebody else is.
            """,
        },
    ),
    (
        Section(
            "closing",
            "Liveness and closing",
            "Noticing a dead line early, and a goodbye that says when to come back.",
            "vetchat.v1",
        ),
        {
            "V5.1": """
                `ping {offset?}` is answered with `pong {offset}`: the last durable offset sent on this connection, at
                first the position it began with (`resume.offset` if recovered, else `welcome.offset`). A client that
                has less lost something and resumes. The pings of RFC 6455 run for both dialects.
            """,
            "V5.2": """
                Close codes carry a verdict. 40xx, do not come back as you are: 4001 unauthenticated or revoked, 4003 no
                usable role, 4008 no hello. 41xx, come back with back-off: 4100 unavailable, 4108 rate limit, 4109 too
                slow, 4110 too many connections. 42xx, come back now: 4200 restarting, 4201 no pong, 4202 token expired
                (with a new token).
            """,
            "V5.3": """
                A connection that cannot keep up is closed with 4109 when its bounded outbox is full. Nothing is ever
                dropped in silence.
            """,
            "V5.4": """
                On shutdown the server sends `reconnect {after_ms}`, spread out at random, starts no further command
                (one not begun stays unanswered and has no effect), finishes those begun, then closes with 4200 (base:
                1001) and reads on until the peer's close or for 2 s. Nobody is told `user_left`. It ends within 10 s.
            """,
        },
    ),
)


def _unfolded(text: str) -> str:
    """The paragraph on one line."""
    return " ".join(text.split())


SECTIONS: Final[Mapping[str, Section]] = MappingProxyType({section.id: section for section, _ in _CHAPTERS})
"""Section id to section, in document order."""

CLAUSES: Final[Mapping[str, Clause]] = MappingProxyType(
    {
        clause_id: Clause(clause_id, section.id, _unfolded(text))
        for section, texts in _CHAPTERS
        for clause_id, text in texts.items()
    }
)
"""Clause id to clause, in document order."""
