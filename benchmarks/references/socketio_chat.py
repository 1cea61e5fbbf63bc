"""The chat as a user of python-socketio would write it: a room per conversation, one SQLite file, uvicorn."""

# pyright: basic, reportMissingImports=false

import sqlite3
import sys
import time
from urllib.parse import parse_qs
from uuid import uuid4

import socketio
import uvicorn

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE conversations (id TEXT PRIMARY KEY, client TEXT, pet TEXT);
CREATE TABLE participants (conversation_id TEXT, user_id TEXT, PRIMARY KEY (user_id, conversation_id));
CREATE TABLE messages (id TEXT PRIMARY KEY, conversation_id TEXT, sender_id TEXT, content TEXT, timestamp INTEGER);
CREATE INDEX by_conversation ON messages (conversation_id, timestamp);
"""

sio = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")
database = sqlite3.connect(sys.argv[2], isolation_level=None)
database.executescript(SCHEMA)
sids: dict[str, str] = {}


@sio.event
async def connect(sid, environ):
    user_id = parse_qs(environ["QUERY_STRING"])["user_id"][0]
    await sio.save_session(sid, {"user_id": user_id})
    sids[user_id] = sid
    found = database.execute("SELECT conversation_id FROM participants WHERE user_id = ?", (user_id,))
    for (conversation_id,) in found.fetchall():
        await sio.enter_room(sid, conversation_id)
        joined = {"user_id": user_id, "conversation_id": conversation_id}
        await sio.emit("user_joined", joined, room=conversation_id, skip_sid=sid)


@sio.event
async def disconnect(sid):
    session = await sio.get_session(sid)
    if sids.get(session["user_id"]) == sid:
        del sids[session["user_id"]]


@sio.event
async def new_conversation(sid, data):
    user_id = (await sio.get_session(sid))["user_id"]
    conversation = {"id": str(uuid4()), "client": user_id, "pet": data["pet_id"], "providers": data["providers"]}
    with database:
        database.execute("BEGIN")
        database.execute("INSERT INTO conversations VALUES (?, ?, ?)", (conversation["id"], user_id, data["pet_id"]))
        members = [(conversation["id"], member) for member in (user_id, *data["providers"])]
        database.executemany("INSERT INTO participants VALUES (?, ?)", members)
    for member in (user_id, *data["providers"]):
        if member in sids:
            await sio.enter_room(sids[member], conversation["id"])
    await sio.emit("conversation_created", conversation, to=sid)
    await sio.emit("new_conversation_invitation", conversation, room=conversation["id"], skip_sid=sid)


@sio.event
async def message(sid, data):
    if data["conversation_id"] not in sio.rooms(sid):
        await sio.emit("error", {"message": "You have no such conversation."}, to=sid)
        return
    sent = {
        "id": str(uuid4()),
        "conversation_id": data["conversation_id"],
        "sender_id": (await sio.get_session(sid))["user_id"],
        "content": data["content"],
        "timestamp": int(time.time() * 1000),
    }
    database.execute("INSERT INTO messages VALUES (?, ?, ?, ?, ?)", tuple(sent.values()))
    await sio.emit("message_sent", sent, room=data["conversation_id"])


@sio.event
async def relay(_sid, data):
    await sio.emit("relayed", data, room=data["conversation_id"])


@sio.event
async def echo(sid, data):
    await sio.emit("echoed", data, to=sid)


if __name__ == "__main__":
    uvicorn.run(
        socketio.ASGIApp(sio),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="warning",
    )
