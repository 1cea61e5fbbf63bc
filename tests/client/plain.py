"""A tiny server that was written from the base protocol alone: it knows no subprotocol and sends no header of ours."""

import json
from collections.abc import Callable
from http import HTTPStatus
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

NIL = "00000000-0000-0000-0000-000000000000"
JSON = Any


class PlainServer:
    """Answers the six commands, in order, and tells everybody everything; it never asks who anybody is.

    While it is `narrow_minded` it refuses whoever offers a subprotocol.
    """

    def __init__(self) -> None:
        self.narrow_minded = False
        self.messages: list[dict[str, JSON]] = []
        self.conversations: dict[str, dict[str, JSON]] = {}
        self.received: list[dict[str, JSON]] = []
        self._peers: list[ServerConnection] = []
        self._lock = Lock()
        self._server = serve(self._handle, "127.0.0.1", 0, process_request=self._look)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._commands: dict[str, Callable[[ServerConnection, str, JSON], None]] = {
            "conversations": self._list,
            "message": self._message,
            "new_conversation": self._create,
            "conversation_history": self._history,
            "subscribe_conversation": self._subscribe,
            "unsubscribe_conversation": self._subscribe,
        }

    @property
    def port(self) -> int:
        return int(self._server.socket.getsockname()[1])

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join(10)

    def say(self, conversation_id: str, sender_id: str, content: str) -> None:
        """Somebody else, or another device, sends a message."""
        self._store(conversation_id, sender_id, content)

    def _look(self, peer: ServerConnection, request: Request) -> Response | None:
        if self.narrow_minded and "Sec-WebSocket-Protocol" in request.headers:
            return peer.respond(HTTPStatus.BAD_REQUEST, "No subprotocols here.\n")
        return None

    def dismiss(self) -> None:
        """Closes every connection as one of somebody who is not wanted."""
        for peer in list(self._peers):
            peer.close(1008)

    def _handle(self, peer: ServerConnection) -> None:
        with self._lock:
            self._peers.append(peer)
        try:
            for text in peer:
                frame = json.loads(text)
                self.received.append(frame)
                self._commands[frame["event"]](peer, frame["sender_id"], frame["params"])
        except ConnectionClosed:
            pass
        finally:
            with self._lock:
                self._peers.remove(peer)

    def _tell(self, peer: ServerConnection, event: str, params: JSON) -> None:
        peer.send(json.dumps({"sender_id": NIL, "event": event, "params": params}))

    def _tell_all(self, event: str, params: JSON) -> None:
        for peer in list(self._peers):
            try:
                self._tell(peer, event, params)
            except ConnectionClosed:
                continue

    def _list(self, peer: ServerConnection, sender_id: str, params: JSON) -> None:
        self._tell(peer, "conversations", list(self.conversations.values()))

    def _create(self, peer: ServerConnection, sender_id: str, params: JSON) -> None:
        conversation_id = str(uuid4())
        conversation = {
            "id": conversation_id,
            "providers": params["providers"],
            "client": sender_id,
            "pet": params["pet_id"],
            "last_message": "",
            "last_updated_timestamp": 1_672_574_400_000,
        }
        self.conversations[conversation_id] = conversation
        self._tell_all("conversation_created", conversation)

    def _message(self, peer: ServerConnection, sender_id: str, params: JSON) -> None:
        if params["conversation_id"] not in self.conversations:
            self._tell(peer, "error", {"message": "There is no such conversation."})
            return
        self._store(params["conversation_id"], sender_id, params["content"])

    def _store(self, conversation_id: str, sender_id: str, content: str) -> None:
        with self._lock:
            message = {
                "id": str(uuid4()),
                "conversation_id": conversation_id,
                "sender_id": sender_id,
                "content": content,
                "timestamp": 1_672_574_400_000 + len(self.messages),
            }
            self.messages.append(message)
        self._tell_all("message_sent", message)

    def _history(self, peer: ServerConnection, sender_id: str, params: JSON) -> None:
        page, limit = params["page"], params["limit"]
        newest = [one for one in reversed(self.messages) if one["conversation_id"] == params["conversation_id"]]
        shown = newest[page * limit : (page + 1) * limit]
        more = (page + 1) * limit < len(newest)
        answer = {"messages": shown, "total_count": len(newest), "has_more": more}
        self._tell(peer, "conversation_history_response", answer)

    def _subscribe(self, peer: ServerConnection, sender_id: str, params: JSON) -> None:
        event = "unsubscribed" if self.received[-1]["event"].startswith("un") else "subscribed"
        self._tell(peer, event, {"conversation_id": params["conversation_id"], "status": "success"})
