"""The pages of all commands and of all events: a table for each, what the policy table says of it, and an example."""

from typing import Final

from vetchat_protocol.codec import COMMANDS, EVENTS, Dialect
from vetchat_protocol.models import Role
from vetchat_protocol.rules import RULES, Effect, Rule
from vetchat_protocol.schemas import Direction, Json, frame_schema, frames

from .examples import shown
from .markdown import linked, listed, page, table
from .promises import promised
from .tables import V1_MARK, resolved, rows

COMMANDS_INTRODUCTION: Final = """\
What a client may say, with every parameter. All frames belong to one small story, which
[How it works](index.md) tells: Ann owns Rex, a dog, and Dr Bell is a vet.

Beside `event` and `params`, every command has these keys:
"""

EVENTS_INTRODUCTION: Final = """\
What a server says, with every key. A `vetchat.v1` connection gets all of them; the base wire has fewer events and fewer
keys, and those are exactly its own. Both sides ignore keys that they do not know (R2.4).

Beside `event` and `params`, events have these keys:
"""

EFFECTS: Final = {
    Effect.SUBSCRIBES: "begins",
    Effect.UNSUBSCRIBES: "ends",
    Effect.NONE: "",
}


def commands() -> str:
    """A section for every command."""
    envelope = [
        ("`sender_id`", "string", linked(_property("commands", "message", "sender_id")["description"])),
        (
            f"`ref` {V1_MARK}",
            "string, 1 to 64 characters",
            linked(_property("commands", "message", "ref")["description"]),
        ),
    ]
    return page(
        "Commands",
        linked(COMMANDS_INTRODUCTION),
        table(["key", "type", "meaning"], envelope),
        "## All at a glance",
        table(["command", "who", "answer", "your subscription"], map(_summary, RULES)),
        _legend(),
        *(_section("commands", event) for event in COMMANDS),
    )


def events() -> str:
    """A section for every event."""
    envelope = [
        ("`sender_id`", "string", "always", linked(_property("events", "message_sent", "sender_id")["description"])),
        (
            f"`ref` {V1_MARK}",
            "string",
            "in an answer",
            linked(_property("events", "message_sent", "ref")["description"]),
        ),
        (
            f"`offset` {V1_MARK}",
            "integer",
            "if durable",
            linked(_property("events", "message_sent", "offset")["description"]),
        ),
    ]
    glance = [(f"[`{event}`](#{event}){_mark('events', event)}", _answers(event), _durable(event)) for event in EVENTS]
    return page(
        "Events",
        linked(EVENTS_INTRODUCTION),
        table(["key", "type", "present", "meaning"], envelope),
        "## All at a glance",
        table(["event", "answers", "durable"], glance),
        _legend(),
        *(_section("events", event) for event in EVENTS),
    )


def _legend() -> str:
    return f"{V1_MARK} marks what only `vetchat.v1` has."


def _property(direction: Direction, event: str, key: str) -> Json:
    schema = frame_schema(Dialect.V1, direction, event)
    return resolved(schema, schema["$ref"])["properties"][key]


# -- the policy table --------------------------------------------------------------------------------------------------


def _summary(event: str) -> tuple[str, str, str, str]:
    rule = RULES[event]
    return f"[`{event}`](#{event}){_mark('commands', event)}", _who(rule), _answer(rule), EFFECTS[rule.effect]


def _who(rule: Rule) -> str:
    if rule.roles != frozenset(Role):
        return listed([f"a `{role.value}`" for role in sorted(rule.roles)])
    return "participants" if rule.participants_only else "everybody"


def _answer(rule: Rule) -> str:
    names = [_link(frame.model_fields["event"].default) for frame in (rule.answer, rule.otherwise) if frame is not None]
    return listed(names)


def _link(event: str) -> str:
    return f"[`{event}`](events.md#{event})"


def _answers(event: str) -> str:
    """The commands that this event answers."""
    if event == "error":
        return "any command"
    found = [command for command, rule in RULES.items() if EVENTS[event] in (rule.answer, rule.otherwise)]
    return ", ".join(f"[`{command}`](commands.md#{command})" for command in found)


def _durable(event: str) -> str:
    return "yes" if "offset" in EVENTS[event].model_fields else ""


def _mark(direction: Direction, event: str) -> str:
    """What marks a frame that the base wire does not have."""
    return "" if event in frames(Dialect.BASE, direction) else f" {V1_MARK}"


# -- one frame ---------------------------------------------------------------------------------------------------------


def _section(direction: Direction, event: str) -> str:
    frame = frames(Dialect.V1, direction)[event]
    keys = list(rows(direction, event, promised(event) if direction == "events" else {}))
    said = _said_of_command(event) if direction == "commands" else _said_of_event(event)
    present = "required" if direction == "commands" else "always"
    return "\n\n".join(
        [
            f"## `{event}` {{ #{event} }}",
            linked((frame.__doc__ or "").strip()),
            said,
            table(["key of `params`", "type", present, "meaning"], keys) if keys else "Its `params` is `{}`.",
            shown(direction, event),
        ]
    )


def _said_of_command(event: str) -> str:
    """Who may issue it where, and what comes of it."""
    rule = RULES[event]
    where = "in both dialects" if len(rule.dialects) > 1 else "in `vetchat.v1` only"
    effect = "" if rule.effect is Effect.NONE else f" Your subscription {EFFECTS[rule.effect]}."
    return f"For {_who(rule)}, {where}. Answered by {_answer(rule)}, or by {_link('error')}.{effect}"


def _said_of_event(event: str) -> str:
    """Which commands it answers, and whether it has a place in the log."""
    where = "In both dialects." if event in frames(Dialect.BASE, "events") else "In `vetchat.v1` only."
    answers = f" Answers {_answers(event)}." if _answers(event) else ""
    durable = " Durable: it carries an `offset`." if _durable(event) else ""
    return f"{where}{answers}{durable}"
