"""The page of states: what a session and a subscription go through, drawn from the policy table."""

from typing import Final

from vetchat_protocol.codec import Dialect
from vetchat_protocol.events import Welcome
from vetchat_protocol.rules import RULES, Effect

from .markdown import linked, page
from .svg import LINE, State, Way, diagram

INTRODUCTION: Final = """\
Two things have states: a connection, and its subscription to each conversation. What moves them stands in the policy
table of the server, and the diagrams are drawn from it.
"""

SESSION: Final = """\
A `vetchat.v1` connection is nobody until its `hello` (V1.1). Then it is sent `welcome` and, if it resumes, everything
that it missed (V3.3); from then on it hears what happens when it happens. On the base wire a connection is live as soon
as the upgrade is answered (R1.4), and the first two states do not exist. The numbers are [close codes](close-codes.md);
more of them can end a session, and the client may end it at any moment.
"""

SUBSCRIPTION: Final = """\
Each connection has one of these for every conversation that its user takes part in (R4.24). It starts on the right
(S5.1), rarely leaves it, and is gone with the connection (S5.8). Repeating a command changes nothing and announces
nothing (R4.23).
"""

PRESENCE: Final = """\
The others see people, not connections (R5.5): `user_joined` when a user's first connection becomes subscribed,
`user_left` when the last one ceases to be.
"""


def states() -> str:
    """Both diagrams with a few words each."""
    return page(
        "States",
        linked(INTRODUCTION),
        "## A session",
        linked(SESSION),
        _session(),
        "## A subscription",
        linked(SUBSCRIPTION),
        _subscription(),
        linked(PRESENCE),
    )


def _commands(effect: Effect, *, conversation: bool = True) -> list[str]:
    """The commands about one conversation that do this to the sender's subscription."""
    return [
        event
        for event, rule in RULES.items()
        if rule.effect is effect and (rule.participants_only or effect is not Effect.NONE) == conversation
    ]


def _session() -> str:
    greeting = next(event for event, rule in RULES.items() if rule.answer is Welcome)
    others = [event for event, rule in RULES.items() if Dialect.V1 in rule.dialects and event != greeting]
    top = 40 + LINE * len(others) // 2
    bottom = top + 170
    places = [
        State("waiting", 80, top),
        State("replaying", 340, top),
        State("live", 600, top),
        State("closed", 340, bottom, final=True),
    ]
    ways = [
        Way([(150, top), (270, top)], [greeting, "→ welcome"], (210, top - 10 - LINE)),
        Way([(410, top), (530, top)], ["caught up"], (470, top - 10)),
        Way([(80, top + 23), (80, bottom), (270, bottom)], ["4001, 4003, 4008"], (92, bottom - 70), "start"),
        Way([(340, top + 23), (340, bottom - 23)], ["4100, 4109"], (352, bottom - 70), "start"),
        Way([(600, top + 23), (600, bottom), (410, bottom)], ["4109, 4200, 4202, …"], (588, bottom - 70), "end"),
        Way(
            [(670, top - 12), (715, top - 12), (715, top + 12), (672, top + 12)],
            others,
            (730, top + 5 - LINE * (len(others) - 1) // 2),
            "start",
        ),
    ]
    title = "A session waits for hello, replays what was missed, is live, and is closed."
    return diagram(title, 940, bottom + 40, places, ways)


def _subscription() -> str:
    begin = ["connecting", "being invited", *_commands(Effect.SUBSCRIBES)]
    end = [*_commands(Effect.UNSUBSCRIBES)]
    stay = _commands(Effect.NONE)
    top = 30 + LINE * len(begin)
    places = [State("not subscribed", 100, top + 30, 160, 70), State("subscribed", 600, top + 30, 160, 70)]
    ways = [
        Way([(180, top + 14), (520, top + 14)], begin, (350, 20)),
        Way([(520, top + 46), (180, top + 46)], end, (350, top + 70)),
        Way([(680, top + 18), (725, top + 18), (725, top + 42), (682, top + 42)], stay, (740, top + 26), "start"),
    ]
    title = f"A subscription begins by {', '.join(begin)} and ends by {', '.join(end)}."
    return diagram(title, 940, top + 90, places, ways)
