"""What a hostile client can do: no traceback, no secret in the log, and everybody else chats on (R1.5, R2.5)."""

import os
import struct

import pytest
from anyio import fail_after

from tests.conformance.peer import PATIENCE, Peer, People, by_hand, new_id
from tests.running import ServerProcess

pytestmark = pytest.mark.anyio

MARK = "Zyzzyva"


def masked(opcode: int, payload: bytes, *, first_bits: int = 0x80) -> bytes:
    """A client's frame by hand, valid or not (RFC 6455, 5.2)."""
    key = os.urandom(4)
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack("!H", len(payload))
    return bytes([first_bits | opcode]) + size + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


BROKEN_FRAMES = {
    "not masked": b"\x81\x02{}",
    "a reserved opcode": masked(0x3, b"{}"),
    "a reserved bit": masked(0x1, b"{}", first_bits=0xC0),
    "a continuation of nothing": masked(0x0, b"{}"),
    "a fragmented ping": masked(0x9, b"", first_bits=0),
    "a ping that is too long": masked(0x9, b"x" * 126),
    "a close code that is none": masked(0x8, struct.pack("!H", 999)),
    "a close reason that is not UTF-8": masked(0x8, struct.pack("!H", 1000) + b"\xff"),
    "a close of one byte": masked(0x8, b"\x03"),
    "text that is not UTF-8": masked(0x1, b"\xff\xfe" + MARK.encode()),
    "text that is not UTF-8 in fragments": masked(0x1, b"\xc3", first_bits=0) + masked(0x0, b"("),
    "a length beyond all measure": b"\x81\xff" + b"\x7f" + b"\xff" * 7 + b"\0\0\0\0",
    "half a frame": masked(0x1, MARK.encode() * 9)[:20],
    "noise": os.urandom(512),
}

BROKEN_REQUESTS = {
    "noise": os.urandom(512) + b"\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(64),
    "half a request": b"GET /ws/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + MARK.encode(),
    "an endless header": b"GET /ws/ HTTP/1.1\r\nX: " + b"x" * 200_000,
    "a query that is not UTF-8": b"GET /ws/?token=%ff%fe&name=\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a header that is not UTF-8": b"GET /ws/ HTTP/1.1\r\nHost: \xff\r\nAuthorization: Bearer \xff\r\n\r\n",
    "no upgrade": b"GET /ws/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a post": b"POST /ws/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.clause("R2.5")
@pytest.mark.parametrize("data", BROKEN_FRAMES.values(), ids=BROKEN_FRAMES.keys())
async def test_a_broken_frame_ends_its_own_connection_only(server: ServerProcess, people: People, data: bytes) -> None:
    owner, vet, conversation = await people.consultation()
    bearer = ("Authorization", f"Bearer {server.token(vet.user_id, 'provider')}")
    async with by_hand(server.ws_url, headers=[bearer]) as (response, reader, writer):
        assert response.status == 101
        writer.write(data)
        writer.write_eof()
        with fail_after(2 * PATIENCE):
            await reader.read()
    await vet.say(conversation)
    await owner.expect("message_sent")


@pytest.mark.clause("R2.5")
@pytest.mark.parametrize("data", BROKEN_REQUESTS.values(), ids=BROKEN_REQUESTS.keys())
async def test_a_broken_request_harms_nobody(server: ServerProcess, people: People, data: bytes) -> None:
    async with by_hand(server.ws_url, path="/health") as (_, _, writer):
        writer.write(data)
    await (await people.client()).expect_silence()


@pytest.mark.clause("R1.5", "R6.2")
async def test_what_people_write_and_show_never_reaches_the_log(server: ServerProcess, people: People) -> None:
    owner, vet, conversation = await people.consultation(name=f"Dr. {MARK}")
    await owner.say(conversation, f"My cat is called {MARK}.")
    await vet.expect("message_sent")
    await owner.send_text(f"{MARK} is not JSON")
    await owner.expect_error()
    await owner.refused(MARK, {MARK: MARK}, sender_id=MARK)
    await owner.refused("message", {"conversation_id": conversation, "content": [MARK]})
    await owner.send_text(MARK.encode() + b"\xff")
    assert await owner.closed() == 1007
    token = server.token(new_id(), "client", name=MARK)
    async with await Peer.connect(server.ws_url, query={"token": token, "name": MARK}) as other:
        await other.expect_silence()
    assert MARK not in server.log
    assert token.rpartition(".")[2] not in server.log
