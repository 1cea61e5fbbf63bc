"""The chat in the terminal, by its keys and by what is on the screen, against real servers."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest
from anyio import fail_after, to_thread
from textual.events import Paste
from textual.pilot import Pilot
from textual.strip import Strip
from vetchat_client import Chat, Rejected, connect
from vetchat_client.terminal.app import Ending, Terminal
from vetchat_client.terminal.caption import Caption
from vetchat_client.terminal.composer import Composer
from vetchat_client.terminal.talk import Talk
from vetchat_client.terminal.transcript import Transcript

from tests.client.company import PATIENCE, consultation
from tests.client.plain import PlainServer
from tests.client.proxy import Proxy
from tests.conformance.peer import new_id
from tests.running import ServerProcess

EVIL = "\x1b]0;mine\x07\x1b[2J[red]you[/red] \x9b31m\u202eback"
"""What a terminal would obey, what a library would take for markup, and what would turn the line."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Screen:
    """The app at the other end of a keyboard."""

    def __init__(self, app: Terminal, pilot: Pilot[Ending]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def strips(self) -> list[Strip]:
        """The lines of the screen, as they go to the terminal."""
        return self.app.screen._compositor.render_strips()  # pyright: ignore[reportPrivateUsage]

    @property
    def text(self) -> str:
        """What is on the screen, line by line."""
        strips = self.strips
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)

    @property
    def written(self) -> str:
        """What stands where one writes."""
        return self.app.query_one(Composer).text

    async def until(self, condition: Callable[[], bool]) -> None:
        with fail_after(PATIENCE):
            while not condition():
                await self.pilot.pause(0.01)

    async def shows(self, *texts: str) -> None:
        """Returns once all of these are on the screen."""
        try:
            await self.until(lambda: all(text in self.text for text in texts))
        except TimeoutError:
            raise AssertionError(f"not all of {texts} came to the screen:\n{self.text}") from None

    async def hides(self, text: str) -> None:
        await self.until(lambda: text not in self.text)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def paste(self, text: str) -> None:
        self.app.post_message(Paste(text))
        await self.pilot.pause()

    async def write(self, text: str) -> None:
        await self.pilot.press(*(character if character != "\n" else "ctrl+j" for character in text))


@asynccontextmanager
async def screen(chat: Chat, name: str = "", size: tuple[int, int] = (80, 24)) -> AsyncGenerator[Screen]:
    app = Terminal(chat, name)
    async with app.run_test(size=size, notifications=True) as pilot:
        yield Screen(app, pilot)


def shown(screen: Screen) -> list[str]:
    """The numbered messages of the open conversation, in sight or not."""
    texts = screen.app.query_one(Transcript).texts
    return [text.strip() for text in texts if text.startswith("  Message")]


async def test_an_owner_invites_a_vet_and_they_talk(open_server: ServerProcess) -> None:
    async with (
        connect(open_server.ws_url, role="client", name="Ann") as ann,
        connect(open_server.ws_url, role="provider", name="Dr Bell") as bell,
        screen(ann, "Ann") as hers,
        screen(bell, "Dr Bell") as his,
    ):
        await his.shows("An owner invites you by your id", bell.user)
        await hers.shows("No conversations yet.", "Ann (owner)", ann.user, "● connected")
        await hers.press("ctrl+n")
        await hers.paste(bell.user)
        await hers.press("enter")
        await hers.shows("● Dr Bell (vet)", "Nobody has written anything yet.")
        await hers.paste("Rex has eaten a sock.")
        await hers.write("\nA red one.")
        await his.shows("Ann", "About pet")
        await his.press("enter")
        await his.shows("● Ann (owner)", "Ann is typing …")
        await hers.press("enter")
        await his.shows("Rex has eaten a sock.", "A red one.", "Ann (owner)")
        await his.hides("is typing")
        await hers.shows("▌ Rex has eaten a sock.", "▌ A red one.", "✓ read by Dr Bell")
        assert hers.written == ""
        await his.write("How big?")
        await his.press("enter")
        await hers.shows("Dr Bell (vet)", "How big?")
        assert "▌ How big?" not in hers.text


async def test_unread_is_counted_until_it_is_seen(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url) as (ann, bell, conversation), screen(ann) as hers:
        for text in ("One.", "Two.", "Three."):
            await bell.send(conversation, text)
        await hers.shows("(3)", "Three.")
        await hers.press("enter")
        await hers.shows(" new ", "One.")
        await hers.hides("(3)")
        assert (await ann.conversations())[0].unread_count == 0
        await hers.press("escape")
        await bell.send(conversation, "Four.")
        await hers.shows("Four.")
        await hers.hides("(1)")


async def test_what_nobody_looks_at_stays_unread(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url) as (ann, bell, conversation), screen(ann, size=(50, 24)) as hers:
        await hers.shows("Dr Bell")
        await hers.press("enter")
        await hers.shows("Nobody has written anything yet.")
        await hers.press("escape")  # in a narrow terminal, the list covers the conversation
        await bell.send(conversation, "One.")
        await hers.shows("(1)")
        await hers.press("enter")
        await hers.shows("One.")
        hers.app.app_focus = False  # another window
        await bell.send(conversation, "Two.")
        await hers.shows("Two.")
        assert (await ann.conversations())[0].unread_count == 1


async def test_scrolling_to_the_top_loads_what_is_older(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url) as (before, bell, conversation):
        for number in range(120):
            await bell.send(conversation, f"Message {number}.")
        async with connect(open_server.ws_url, user_id=before.user) as ann, screen(ann) as hers:
            await hers.shows("Message 119.")
            await hers.press("enter")
            await hers.shows("Message 119.", "Message 110.")
            assert shown(hers) == [f"Message {number}." for number in range(70, 120)]
            with fail_after(PATIENCE):
                while "This is where the conversation begins." not in hers.text:
                    await hers.press("pageup")
            assert shown(hers) == [f"Message {number}." for number in range(120)]
            await bell.send(conversation, "Message 120.")
            await hers.shows("↓ PgDn: 1 new", "Message 0.")
            for _ in range(10):
                await hers.press("pagedown")
            await hers.shows("Message 120.")
            await hers.hides("PgDn")


async def test_the_place_is_kept_when_older_messages_come_above(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url) as (before, bell, conversation):
        for number in range(160):
            await bell.send(conversation, f"Message {number}.")
        async with connect(open_server.ws_url, user_id=before.user) as ann, screen(ann) as hers:
            await hers.shows("Dr Bell")
            await hers.press("enter")
            await hers.shows("Message 159.")
            transcript = hers.app.query_one(Transcript)
            loaded = len(shown(hers))
            transcript.scroll_to(y=0, animate=False)
            first = next(y for y, text in enumerate(transcript.texts) if "Message" in text)
            text = transcript.texts[first]
            assert text == f"  Message {160 - loaded}."
            await hers.until(lambda: len(shown(hers)) > loaded)
            assert transcript.texts[transcript.scroll_offset.y + first] == text
            assert text in hers.text


async def test_a_refused_message_comes_back_with_the_servers_sentence(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url) as (ann, _, conversation), screen(ann) as hers:
        await hers.shows("Dr Bell")
        await hers.press("enter")
        await hers.shows("Nobody has written")
        composer = hers.app.query_one(Composer)
        composer.insert("x" * 8_001)
        await hers.press("enter")
        await hers.shows("at most 8000")
        assert hers.written == "x" * 8_001
        composer.clear()
        await hers.write("Short.")
        await hers.press("enter")
        await hers.shows("▌ Short.")
        await hers.hides("at most 8000")
        assert [one.content for one in (await ann.history(conversation)).messages] == ["Short."]


async def test_nothing_typed_is_lost_while_the_connection_is_away(proxy: Proxy, hasty_server: ServerProcess) -> None:
    async with (
        connect(proxy.url, role="client", name="Ann") as ann,
        connect(hasty_server.ws_url, role="provider", name="Dr Bell") as bell,
        screen(ann) as hers,
    ):
        conversation = (await ann.create_conversation(new_id(), [bell.user])).id
        await hers.shows("Dr Bell")
        await hers.press("enter")
        await hers.shows("● Dr Bell (vet)")
        proxy.refuse()
        proxy.cut()
        await hers.shows("○ reconnecting")
        await hers.paste("Are you there?")
        await hers.press("enter")
        await hers.write("I mean")
        await hers.shows("▌ Are you there?", "will be sent when the connection is back")
        await hers.press("ctrl+q")
        await hers.shows("Not sent yet: 1.")  # and it goes on
        proxy.refuse(refused=False)
        await hers.shows("● connected", "● Dr Bell (vet)")
        await hers.hides("will be sent")
        assert hers.written == "I mean"
        assert [one.content for one in (await bell.history(conversation)).messages] == ["Are you there?"]


async def test_drafts_stay_with_their_conversation(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url) as (ann, _, _), screen(ann) as hers:
        await ann.create_conversation(new_id())
        await hers.shows("Dr Bell", "No vet yet")
        await hers.press("home", "enter")
        await hers.shows("No vet is invited.")
        await hers.paste("To nobody")
        await hers.press("alt+down")
        await hers.shows("● Dr Bell (vet)", "✎ To nobody")
        assert hers.written == ""
        await hers.press("alt+up")
        await hers.until(lambda: hers.written == "To nobody")
        await hers.press("ctrl+q")
    assert hers.app.return_value == Ending(None, ann.user, ["To nobody"])


async def test_what_others_write_is_text_and_nothing_else(open_server: ServerProcess) -> None:
    async with (
        connect(open_server.ws_url, role="client", name="Ann") as ann,
        connect(open_server.ws_url, role="provider", name=f"Bell{EVIL}") as bell,
    ):
        conversation = await ann.create_conversation(new_id(), [bell.user])
        await bell.send(conversation.id, EVIL)
        async with screen(ann, f"Ann{EVIL}", size=(120, 40)) as hers:
            await hers.shows("(1)")
            await hers.press("enter")
            await hers.shows("␛]0;mine␇␛[2J[red]you[/red] \ufffd31mback")
            await hers.press("ctrl+o")
            await hers.shows("Your id", "(vet)")
            assert not set(hers.text) & set("\x1b\x07\x9b\u202e")
            await hers.press("escape")
            await hers.shows("Write a message")
            assert not set(hers.text) & set("\x1b\x07\x9b\u202e")


async def test_wide_characters_break_no_line(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url) as (ann, bell, conversation), screen(ann, size=(80, 24)) as hers:
        await bell.send(conversation, "日本語のとても長いメッセージです" * 8)
        await bell.send(conversation, "👩\u200d⚕\ufe0f👍🏽❤\ufe0f" * 40)
        await hers.shows("(2)")
        await hers.press("enter")
        await hers.shows("日本語", "👩⚕")
        transcript = hers.app.query_one(Transcript)
        strips = hers.strips
        assert {strip.cell_length for strip in strips} == {80}
        assert "".join(transcript.texts).count("メ") == 8
        assert "".join(transcript.texts).count("⚕") == 40


@pytest.mark.parametrize("size", [(20, 6), (200, 60)])
async def test_any_size_will_do(open_server: ServerProcess, size: tuple[int, int]) -> None:
    async with consultation(open_server.ws_url) as (ann, bell, conversation), screen(ann, size=size) as hers:
        await bell.send(conversation, "Hello.")
        await hers.shows("(1)")
        await hers.press("enter")
        await hers.until(lambda: "Hello." in "".join(hers.app.query_one(Transcript).texts))
        for keys in ("ctrl+o", "escape", "ctrl+g", "escape", "ctrl+n", "escape", "escape"):
            await hers.press(keys)
            await hers.pilot.pause()
        await hers.pilot.resize_terminal(80, 24)
        await hers.press("enter")
        await hers.shows("Hello.", "● Dr Bell (vet)")


async def test_without_colour_there_is_none(open_server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with consultation(open_server.ws_url) as (ann, bell, conversation), screen(ann) as hers:
        await bell.send(conversation, "Hello.")
        await hers.shows("(1)")
        await hers.press("enter")
        await hers.shows("Hello.")
        strips = hers.strips
        styles = {segment.style for strip in strips for segment in strip}
        colours = {colour for style in styles if style for colour in (style.color, style.bgcolor) if colour}
        assert all(colour.is_default for colour in colours)


async def test_a_new_conversation_that_is_refused_stays_to_be_mended(open_server: ServerProcess) -> None:
    async with connect(open_server.ws_url, role="client") as ann, screen(ann) as hers:
        await hers.shows("No conversations yet.")
        await hers.press("ctrl+n")
        await hers.write("Dr Bell")
        await hers.press("enter")
        await hers.shows("“Dr” is no id: it must be a UUID in its 36-character form.")
        await hers.press("ctrl+u")
        await hers.press("enter")
        await hers.shows("No vet is invited.")
        assert len(await ann.conversations()) == 1


async def test_a_vet_cannot_begin_and_is_not_offered_to(open_server: ServerProcess) -> None:
    async with connect(open_server.ws_url, role="provider") as bell, screen(bell) as his:
        await his.shows("An owner invites you")
        assert "^n" not in his.text
        await his.press("ctrl+n")
        assert "New conversation" not in his.text


async def test_where_nothing_happens_nothing_is_drawn(
    open_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with consultation(open_server.ws_url) as (ann, _, _), screen(ann) as hers:
        await hers.shows("Dr Bell")
        await hers.press("enter")
        await hers.shows("● Dr Bell (vet)")
        drawn: list[Caption] = []
        monkeypatch.setattr(Caption, "update", lambda caption, _text: drawn.append(caption))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        for _ in range(3):
            hers.app._draw_moment()  # pyright: ignore[reportPrivateUsage]  (what a timer does, twice a second)
        assert drawn == []


async def test_ids_are_copied(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url) as (ann, bell, conversation), screen(ann) as hers:
        await hers.shows("Dr Bell")
        await hers.press("enter", "ctrl+o")
        await hers.shows("Your id", ann.user, "This conversation", conversation, "Dr Bell (vet)", bell.user)
        await hers.press("enter")
        await hers.shows("Copied: Your id.")
        assert hers.app.clipboard == ann.user
        await hers.press("end", "enter")
        await hers.until(lambda: hers.app.clipboard == bell.user)


def asked(line: str) -> bool:
    """Whether this line shows the question in the conversation, not in the list beside it."""
    return line[30:].startswith("  Which colour?")


async def test_the_mouse_opens_and_what_it_marks_is_copied(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url) as (ann, bell, conversation), screen(ann) as hers:
        await bell.send(conversation, "Which colour?")
        await ann.create_conversation(new_id())
        await hers.shows("Which colour?", "No vet yet")
        row = next(y for y, line in enumerate(hers.text.splitlines()) if "Dr Bell" in line)
        await hers.pilot.click(offset=(5, row))
        await hers.shows("● Dr Bell (vet)")
        await hers.until(lambda: any(asked(line) for line in hers.text.splitlines()))
        y = next(y for y, line in enumerate(hers.text.splitlines()) if asked(line))
        await hers.pilot.mouse_down(offset=(32, y))
        await hers.pilot.hover(offset=(37, y))
        await hers.pilot.mouse_up(offset=(37, y))
        await hers.press("ctrl+c")
        await hers.until(lambda: hers.app.clipboard.startswith("Which"))
        assert hers.app.return_value is None
        await hers.press("escape", "ctrl+c")


async def test_after_a_reset_everything_is_loaded_anew(plain_server: PlainServer) -> None:
    async with Proxy.before(plain_server.port) as proxy, connect(proxy.url, user_id=new_id()) as ann:
        conversation = await ann.create_conversation(new_id())
        await ann.send(conversation.id, "Before.")
        async with screen(ann) as hers:
            await hers.shows("Before.")
            await hers.press("enter")
            await hers.shows("▌ Before.")
            proxy.refuse()
            proxy.cut()
            await hers.shows("○ reconnecting")
            await hers.write("A draft")
            plain_server.say(conversation.id, new_id(), "While you were away.")
            proxy.refuse(refused=False)
            await hers.shows("● connected", "While you were away.", "▌ Before.", "A draft")


async def test_on_the_base_wire_it_does_what_the_wire_can(plain_server: PlainServer) -> None:
    async with connect(plain_server.url, user_id=new_id()) as ann:
        conversation = await ann.create_conversation(new_id())
        for number in range(120):
            plain_server.say(conversation.id, new_id(), f"Message {number}.")
        async with screen(ann) as hers:
            await hers.shows("No vet")
            await hers.press("enter")
            await hers.shows("Message 119.")
            transcript = hers.app.query_one(Transcript)
            thread = hers.app.query_one(Talk).thread
            assert thread is not None
            with fail_after(PATIENCE):
                while not thread.complete:
                    transcript.scroll_to(y=0, animate=False)
                    await hers.pilot.pause()
            await hers.until(lambda: shown(hers) == [f"Message {number}." for number in range(120)])
            await hers.write("Hello.")
            await hers.press("enter")
            await hers.shows("▌ Hello.")
            assert "sending" not in hers.text
    assert {frame["event"] for frame in plain_server.received} == {
        "new_conversation",
        "conversations",
        "conversation_history",
        "message",
    }


async def test_the_end_of_the_chat_ends_it_and_keeps_what_was_not_sent(plain_server: PlainServer) -> None:
    async with connect(plain_server.url, user_id=new_id()) as ann:
        conversation = await ann.create_conversation(new_id())
        plain_server.say(conversation.id, ann.user, "Hello.")
        async with screen(ann) as hers:
            await hers.shows("No vet yet")
            await hers.press("enter")
            await hers.shows("▌ Hello.")
            await hers.paste("One more thing")
            await to_thread.run_sync(plain_server.dismiss)
            await hers.until(lambda: hers.app.return_value is not None)
    ending = hers.app.return_value
    assert ending is not None
    assert isinstance(ending.error, Rejected)
    assert ending.unsent == ["One more thing"]
