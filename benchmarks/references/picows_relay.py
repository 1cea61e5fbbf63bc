"""The limit: bytes from one member of a room to all of them, by picows. No rules, no storage, no JSON on the way."""

# pyright: basic, reportMissingImports=false

import asyncio
import json
import sys
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

members: dict[str, "Member"] = {}


class Member(WSListener):
    def __init__(self, request: WSUpgradeRequest) -> None:
        query = parse_qs(urlsplit(request.path.decode()).query)
        self.user_id = query["user_id"][0]
        self.room: list[WSTransport] = []

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        members[self.user_id] = self

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT:
            payload = frame.get_payload_as_bytes()
            if payload.startswith(b'{"event":"new_conversation"'):
                self.open_room(json.loads(payload)["params"]["providers"])
            elif payload.startswith(b'{"event":"echo"'):
                transport.send(WSMsgType.TEXT, payload)
            else:
                for other in self.room:
                    other.send(WSMsgType.TEXT, payload)

    def open_room(self, providers: list[str]) -> None:
        room = [members[user_id] for user_id in (self.user_id, *providers)]
        for member in room:
            member.room = [other.transport for other in room]
            event = "conversation_created" if member is self else "new_conversation_invitation"
            frame = json.dumps({"event": event, "params": {"id": str(uuid4())}})
            member.transport.send(WSMsgType.TEXT, frame.encode())


async def main() -> None:
    server = await ws_create_server(Member, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(main())
