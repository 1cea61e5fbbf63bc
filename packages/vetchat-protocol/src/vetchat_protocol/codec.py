"""Text to frames and frames to text, per dialect; the only room that knows JSON."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, cast, get_args

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, from_json, to_json

from .commands import Command
from .errors import Code, Refusal, RemoteProtocolError, UnknownEvent
from .events import V1_EVENTS, Event, Sender
from .fields import V1, Frame, Key, v1_only_fields
from .models import NIL
from .values import value

SUBPROTOCOL: Final = "vetchat.v1"


class Dialect(StrEnum):
    """Which wire a connection speaks: the base protocol's own, or the extension it negotiated."""

    BASE = "base"
    V1 = SUBPROTOCOL


@value
class Envelope:
    """A frame whose outside is in order (S2.1); `params` is still as it came, None where there was none (R2.4)."""

    event: str
    sender_id: str | None
    params: Mapping[str, object] | None
    ref: str | None


def read_envelope(received: str | bytes, dialect: Dialect) -> Envelope:
    """Opens the envelope of what a peer sent.

    Raises:
        Refusal: `invalid_json` for anything that is not one JSON text, a binary frame included; `invalid_envelope` for
            a frame that is not an object of the right keys, with the frame's `ref` if that could be read (R2.5, V2.1).
    """
    frame = _read_object(received)
    ref = _read_ref(frame) if dialect is Dialect.V1 else None
    event, sender_id, params = frame.get("event"), frame.get("sender_id"), frame.get("params")
    if not isinstance(event, str):
        raise Refusal(Code.INVALID_ENVELOPE, "The key event is required and must be a string.", ref=ref)
    if not isinstance(sender_id, str) and "sender_id" in frame:
        raise Refusal(Code.INVALID_ENVELOPE, "The key sender_id must be a string.", ref=ref)
    if params is not None and not isinstance(params, dict):
        raise Refusal(Code.INVALID_ENVELOPE, "The key params must be an object.", ref=ref)
    sender_id = sender_id.lower() if isinstance(sender_id, str) else None
    return Envelope(event, sender_id, cast("dict[str, object] | None", params), ref)


def _read_object(received: str | bytes) -> dict[str, object]:
    if isinstance(received, bytes):
        raise Refusal(Code.INVALID_JSON, "Frames are text; a binary frame cannot be read.")
    try:
        frame: object = from_json(received, allow_inf_nan=False)
    except ValueError:
        raise Refusal(Code.INVALID_JSON, "The frame is not valid JSON.") from None
    if not isinstance(frame, dict):
        raise Refusal(
            Code.INVALID_ENVELOPE, "The frame must be a JSON object with the keys sender_id, event and params."
        )
    return cast("dict[str, object]", frame)


def _read_ref(frame: Mapping[str, object]) -> str | None:
    ref = frame.get("ref")
    if ref is None or (isinstance(ref, str) and 1 <= len(ref) <= 64 and "\0" not in ref):
        return ref
    raise Refusal(Code.INVALID_ENVELOPE, "The key ref must be a string of 1 to 64 characters.")


_COMMAND: Final[TypeAdapter[Command]] = TypeAdapter(Command)
_EVENT: Final[TypeAdapter[Event]] = TypeAdapter(Event)
_OBJECT: Final[TypeAdapter[dict[str, object]]] = TypeAdapter(dict[str, object])


def _params_model(command: type[Frame]) -> type[Frame]:
    model = command.model_fields["params"].annotation
    assert isinstance(model, type)
    assert issubclass(model, Frame)
    return model


COMMANDS: Final[Mapping[str, type[Frame]]] = {
    cast("str", command.model_fields["event"].default): command for command in get_args(get_args(Command)[0])
}
"""The command classes by their event."""

EVENTS: Final[Mapping[str, type[Frame]]] = {
    cast("str", event.model_fields["event"].default): event for event in get_args(get_args(Event)[0])
}
"""The event classes by their name."""

_UNKNOWN_ON_BASE: Final = {event: v1_only_fields(_params_model(command)) for event, command in COMMANDS.items()}


def read_command(envelope: Envelope, dialect: Dialect) -> Command:
    """Reads the params of an envelope whose event is known.

    Raises:
        Refusal: `invalid_params`, in a sentence that names the parameter and never repeats its value (R6.2).
    """
    frame: dict[str, object] = {"event": envelope.event, "sender_id": envelope.sender_id, "ref": envelope.ref}
    if envelope.params is not None:
        frame["params"] = envelope.params
        unknown = _UNKNOWN_ON_BASE[envelope.event]
        if dialect is Dialect.BASE and not unknown.isdisjoint(envelope.params):
            frame["params"] = {key: value for key, value in envelope.params.items() if key not in unknown}
    try:
        return _COMMAND.validator.validate_python(frame)
    except ValidationError as error:
        raise Refusal(Code.INVALID_PARAMS, _sentence(error.errors(include_url=False)[0]), ref=envelope.ref) from None


_DEMANDS: Final = {
    "missing": "is required",
    "string_type": "must be a string",
    "string_unicode": "must not contain a lone surrogate",
    "int_type": "must be an integer",
    "bool_type": "must be true or false",
    "tuple_type": "must be an array",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "int_parsing_size": "is too large",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "literal_error": "must be {expected}",
}


def _sentence(error: ErrorDetails) -> str:
    """A validation error as one plain sentence: where, and what is allowed there."""
    path = [str(part) for part in error["loc"] if part not in COMMANDS]
    place = f"The parameter {'.'.join(path[1:])}" if len(path) > 1 else "The key params"
    demand = _DEMANDS.get(error["type"], error["msg"])
    return f"{place} {demand.format(**error.get('ctx', {}))}."


class _LaterEvent(Frame):
    """An event of which nothing is known but that its outside is in order (S2.1, S2.2)."""

    sender_id: Sender = NIL
    event: Annotated[str, Field(pattern="^[!-~]{1,64}$")]
    params: dict[str, object] | list[object]
    ref: Annotated[Key | None, V1] = None
    offset: Annotated[int | None, Field(ge=0), V1] = None


def read_event(text: str, dialect: Dialect = Dialect.V1) -> Event:
    """Reads what a server sent; keys that only `vetchat.v1` has are unknown on the base wire, and None there (R2.4).

    Raises:
        UnknownEvent: the dialect has no such event, as far as this version knows; to be ignored (R2.4).
        RemoteProtocolError: it is not an event of the protocol.
    """
    try:
        frame = _OBJECT.validate_python(from_json(text, allow_inf_nan=False))
        event = frame.get("event")
        model = EVENTS.get(event) if isinstance(event, str) else None
        if model is not None and (dialect is Dialect.V1 or model not in V1_EVENTS):
            return _EVENT.validate_python(_seen_by(dialect, model, frame), strict=False)
        later = _LaterEvent.model_validate(_seen_by(dialect, _LaterEvent, frame))
    except ValueError:
        raise RemoteProtocolError("The server sent something that is not an event of this protocol.") from None
    raise UnknownEvent(later.event, later.offset, later.ref)


def _seen_by(dialect: Dialect, model: type[Frame], frame: dict[str, object]) -> object:
    """The frame without the keys that the dialect does not know."""
    return _without(frame, _NOT_ON_BASE[model]) if dialect is Dialect.BASE else frame


def _without(value: object, surplus: Mapping[str, Any]) -> object:
    """A value of JSON without these keys, which are named as pydantic names what is to be left out."""
    if isinstance(value, list):
        each: Mapping[str, Any] = surplus.get("__all__", {})
        return [_without(item, each) for item in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    kept = {key: inner for key, inner in cast("dict[str, object]", value).items() if surplus.get(key) is not True}
    return {key: _without(inner, surplus[key]) if key in surplus else inner for key, inner in kept.items()}


def write_event(event: Event, dialect: Dialect) -> str:
    """The event as the text of one frame: on the base wire exactly the base protocol's keys, in its order (S2.2)."""
    return encode_event(event, dialect).decode()


def encode_event(event: Event, dialect: Dialect) -> bytes:
    """The same in UTF-8, as it goes over the wire."""
    return event.__pydantic_serializer__.to_json(
        event, exclude=_NOT_ON_BASE[type(event)] if dialect is Dialect.BASE else None
    )


def write_command(command: Command) -> str:
    """The command as the text of one frame: what was said, and no default beside it that could contradict it (V3.5)."""
    params = command.params.model_dump(exclude_unset=True, exclude_none=True)
    frame = {"sender_id": command.sender_id, "event": command.event, "params": params, "ref": command.ref}
    return to_json({key: value for key, value in frame.items() if value is not None}).decode()


def _not_on_base(model: type[Frame]) -> dict[str, Any]:
    """What to leave out when a model is written to the base wire, nested models included."""
    excluded: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        inner = _nested(field)
        if V1 in field.metadata:
            excluded[name] = True
        elif inner is not None and (nested := _not_on_base(inner[0])):
            excluded[name] = {"__all__": nested} if inner[1] else nested
    return excluded


def _nested(field: FieldInfo) -> tuple[type[Frame], bool] | None:
    """The frame inside a field, and whether it stands in an array there."""
    for candidate, repeated in ((field.annotation, False), *((part, True) for part in get_args(field.annotation))):
        if isinstance(candidate, type) and issubclass(candidate, Frame):
            return candidate, repeated
    return None


_NOT_ON_BASE: Final = {event: _not_on_base(event) for event in (*EVENTS.values(), _LaterEvent)}
