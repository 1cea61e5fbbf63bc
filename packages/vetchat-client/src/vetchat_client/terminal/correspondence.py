"""What the terminal asks of the server: loading, sending, marking as read, beginning a conversation."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

from anyio import sleep
from vetchat_protocol import Dialect
from vetchat_protocol.client import Reset

from ..chat import Chat
from ..errors import Refused, VetChatError
from ..logs import log
from .mailbox import Mailbox
from .thread import Thread

PAGE: Final = 50
"""Messages in a page of the history."""

AGAIN: Final = 3.0
"""How often the others are told that one still types, in seconds; they believe it for six (V4.1)."""

PAUSE_MS: Final = 2_000
"""How long to wait before the conversations are asked for again, unless the server says."""


def sentence(error: VetChatError) -> str:
    """An error for a person: the server's own sentence, where it has one."""
    return error.message if isinstance(error, Refused) else str(error)


class Correspondence:
    """Carries what is asked and what happens between a chat and a mailbox; `changed` is called after each change."""

    def __init__(self, chat: Chat, mailbox: Mailbox, changed: Callable[[], None]) -> None:
        self.chat = chat
        self.loaded: bool = False
        self.open: Thread | None = None
        self._mailbox = mailbox
        self._changed = changed
        self._busy: set[tuple[str, str]] = set()
        self._told: dict[str, float] = {}

    async def listen(self) -> None:
        """Takes in what happens until the chat ends.

        Raises:
            Rejected, ServerFault, AnotherUser: the chat has ended, and this is why.
        """
        await self._load()
        async for item in self.chat:
            if isinstance(item, Reset):
                await self._reload()
            else:
                self._mailbox.take(item, monotonic())
            self._changed()

    async def _load(self) -> None:
        """Gets all conversations, however often that takes."""
        while True:
            try:
                async for page in self.chat.conversation_pages(limit=500):
                    self._mailbox.load(page)
                    self.loaded = True
                    self._changed()
                self.loaded = True
                self._changed()
                return
            except Refused as refusal:
                log(logging.WARNING, "the conversations could not be loaded", code=refusal.code)
                await sleep((refusal.retry_after_ms or PAUSE_MS) / 1_000)

    async def _reload(self) -> None:
        """Events are missing: gets anew what they would have told, before anything that came after (V1.2).

        Messages are forgotten, and are there again when somebody looks at them.
        """
        self._mailbox.forget()
        await self._load()

    # -- reading -------------------------------------------------------------------------------------------------------

    async def load_history(self, thread: Thread) -> None:
        """Gets the newest messages of a conversation, or after them the older ones, page by page."""
        if thread.complete or not self._begin("history", thread):
            return
        try:
            page, before = self._place(thread)
            there = thread.messages
            answer = await self.chat.history(thread.id, limit=PAGE, page=page, before=before)
            if thread.messages is there:  # otherwise it was forgotten meanwhile, and this page hangs in the air
                thread.turn(answer)
            thread.history_trouble = ""
        except VetChatError as error:
            thread.history_trouble = sentence(error)
            self._changed()
            await sleep(PAUSE_MS / 1_000)  # whoever still looks at it then asks again
        finally:
            self._end("history", thread)

    def _place(self, thread: Thread) -> tuple[int | None, int | None]:
        """Which page comes next: by its number on the base wire, else as `before` which `seq`."""
        if not thread.loaded or not thread.messages:
            return None, None
        if self.chat.dialect is Dialect.BASE:
            return len(thread.messages) // PAGE, None
        return None, thread.messages[0].seq

    async def mark_read(self, thread: Thread) -> None:
        """Says that one has seen what is loaded; on the base wire only to oneself."""
        if self.chat.dialect is Dialect.BASE:
            thread.unread = 0
            self._changed()
            return
        if not self._begin("marker", thread):
            return
        try:
            while thread.unread and thread.messages and (seq := thread.messages[-1].seq or 0) > thread.read_seq:
                await self.chat.mark_read(thread.id, seq)
                thread.marked(self._mailbox.me, seq)
        except VetChatError as error:
            log(logging.WARNING, "a read marker was refused", error=type(error).__name__)
        finally:
            self._end("marker", thread)

    # -- writing -------------------------------------------------------------------------------------------------------

    async def send(self, thread: Thread) -> None:
        """Sends what is in the outbox, one after the other; what is refused goes back to where it was written."""
        if not self._begin("outbox", thread):
            return
        self._told.pop(thread.id, None)
        try:
            while thread.outbox:
                message = await self.chat.send(thread.id, thread.outbox[0])
                del thread.outbox[0]
                if thread.loaded and message.seq is not None:
                    thread.add(message)
                self._changed()
        except VetChatError as error:
            thread.give_back(sentence(error))
        finally:
            self._end("outbox", thread)

    async def tell_typing(self, thread: Thread, *, active: bool) -> None:
        """Tells the others that one types or has given it up, where the wire can, and no more often than needed."""
        told = self._told.get(thread.id)
        needless = told is None if not active else told is not None and monotonic() - told < AGAIN
        if needless or self.chat.dialect is Dialect.BASE or not self.chat.connected:
            return
        if active:
            self._told[thread.id] = monotonic()
        else:
            del self._told[thread.id]
        try:
            await self.chat.typing(thread.id, active=active)
        except VetChatError as error:
            log(logging.INFO, "a sign of typing was refused", error=type(error).__name__)

    async def begin(self, pet_id: str, providers: Sequence[str]) -> str:
        """Begins a conversation; its id.

        Raises:
            VetChatError: it was not begun, or nobody knows.
        """
        created = await self.chat.create_conversation(pet_id, providers)
        self._mailbox.load([created])
        self._changed()
        return created.id

    # -- one at a time -------------------------------------------------------------------------------------------------

    def _begin(self, what: str, thread: Thread) -> bool:
        """Whether nobody is at it already."""
        if (what, thread.id) in self._busy:
            return False
        self._busy.add((what, thread.id))
        return True

    def _end(self, what: str, thread: Thread) -> None:
        self._busy.discard((what, thread.id))
        self._changed()
