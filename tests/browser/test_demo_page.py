"""The demo page in a real browser: two people chat, leave, come back and scroll through what was said."""

import os
import re
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    ViewportSize,
    WebSocketRoute,
    expect,
    sync_playwright,
)

from tests.running import ServerProcess

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
WEAVE = """async steps => {
    const { Timeline } = await import("/demo/timeline.js");
    const timeline = new Timeline();
    for (const step of steps.split(", ")) {
        const [what, ...ids] = step.split(" ");
        const messages = ids.map(id => ({ id }));
        if (what === "live") timeline.append(messages[0]);
        else if (what === "newest") timeline.addNewest({ messages, has_more: true });
        else if (what === "older") timeline.addOlder({ messages, has_more: true });
        else timeline.interrupt();
    }
    return timeline.messages.map(({ id }) => id).join(" ");
}"""
PHONE = ViewportSize(width=390, height=844)
DESK = ViewportSize(width=1440, height=900)


OpenBrowser = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium; required where CI is set, skipped with the reason where there is none."""
    path = os.environ.get("VETCHAT_TEST_CHROMIUM") or shutil.which("chromium")
    if path is None:
        reason = "no Chromium found: install the package `chromium` or set VETCHAT_TEST_CHROMIUM to its path"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_browser(chromium: Browser, open_server: ServerProcess) -> Iterator[OpenBrowser]:
    """Opens browsers that know nothing of each other; none may ask elsewhere or complain on its console."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []
    addresses: set[str] = set()

    def note_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def watch(page: Page) -> None:
        page.on("websocket", lambda socket: addresses.add(socket.url))

    def open_one(viewport: ViewportSize = DESK) -> BrowserContext:
        context = chromium.new_context(base_url=open_server.http_url, viewport=viewport)
        context.set_default_timeout(10_000)
        context.on("console", note_console)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on("request", lambda request: addresses.add(request.url))
        context.on("page", watch)
        contexts.append(context)
        return context

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []
    own = (open_server.http_url + "/", open_server.ws_url, "data:")
    assert [address for address in addresses if not address.startswith(own)] == []


def test_two_people_chat_in_two_browsers(open_browser: OpenBrowser) -> None:
    owner, vet = start_conversation(open_browser)
    expect(vet.get_by_test_id("badge")).to_have_text("New")
    open_first_conversation(vet)

    say(owner, "Milo has been scratching his ear.")
    expect(texts(vet)).to_have_text(["Milo has been scratching his ear."])
    say(vet, "Since when?")
    expect(texts(owner)).to_have_text(["Milo has been scratching his ear.", "Since when?"])
    expect(owner.get_by_test_id("message-sender")).to_have_text(["You", re.compile("^Vet ")])
    expect(owner.get_by_test_id("message-time").first).to_have_text(re.compile(r"^\d\d:\d\d$"))
    expect(owner.get_by_test_id("last-message")).to_have_text("Since when?")
    expect(vet.get_by_test_id("last-message")).to_have_text("Since when?")


def test_one_leaves_and_the_other_sees_it_and_sees_the_return(open_browser: OpenBrowser) -> None:
    owner, vet = start_conversation(open_browser)
    open_first_conversation(vet)
    say(vet, "I am here.")
    expect(owner.get_by_test_id("presence")).to_have_text("here now")

    vet.get_by_test_id("leave").click()
    expect(owner.get_by_test_id("note")).to_have_text(["Dr. Bruno Keller left"])
    expect(owner.get_by_test_id("presence")).to_have_text(re.compile("^left at"))

    vet.get_by_test_id("join").click()
    expect(owner.get_by_test_id("note")).to_have_text(["Dr. Bruno Keller left", "Dr. Bruno Keller joined"])
    expect(owner.get_by_test_id("presence")).to_have_text("here now")


def test_a_closed_page_is_seen_as_gone(open_browser: OpenBrowser) -> None:
    owner, vet = start_conversation(open_browser)
    say(owner, "Are you there?")
    expect(vet.get_by_test_id("last-message")).to_have_text("Are you there?")
    vet.page.close()
    expect(owner.get_by_test_id("note")).to_have_text(["Dr. Bruno Keller went offline"])


def test_what_was_missed_while_away_is_there_after_joining_again(open_browser: OpenBrowser) -> None:
    owner, vet = start_conversation(open_browser)
    open_first_conversation(vet)
    say(owner, "one")
    expect(texts(vet)).to_have_text(["one"])
    vet.get_by_test_id("leave").click()
    expect(vet.get_by_test_id("join")).to_be_visible()
    say(owner, "two")
    say(owner, "three")
    expect(texts(vet)).to_have_text(["one"])
    vet.get_by_test_id("join").click()
    expect(texts(vet)).to_have_text(["one", "two", "three"])


def test_writing_joins_again(open_browser: OpenBrowser) -> None:
    # Sending subscribes the sender (S4.6), who has missed something by then.
    owner, vet = start_conversation(open_browser)
    open_first_conversation(vet)
    vet.get_by_test_id("leave").click()
    expect(vet.get_by_test_id("left-note")).to_be_visible()
    say(owner, "missed")
    say(vet, "back")
    expect(texts(vet)).to_have_text(["missed", "back"])
    expect(vet.get_by_test_id("leave")).to_be_visible()


def test_history_is_there_after_a_reload_and_scrolling_back_loads_older_pages(open_browser: OpenBrowser) -> None:
    # Pages count from the newest message (R4.17), so three new ones shift them: nothing may be lost or come twice.
    owner, vet = start_conversation(open_browser)
    open_first_conversation(vet)
    said = [f"message {number}" for number in range(1, 46)]
    for text in said:
        write(owner, text)
    expect(texts(vet)).to_have_text(said)

    owner.page.reload()
    expect(texts(owner)).to_have_text(said[-20:])
    more = ["and one", "and two", "and three"]
    for text in more:
        write(vet, text)
    expect(texts(owner)).to_have_text(said[-20:] + more)

    scroll_to_top(owner)
    expect(texts(owner)).to_have_text(said[-37:] + more)
    scroll_to_top(owner)
    expect(texts(owner)).to_have_text(said + more)
    expect(owner.get_by_test_id("history-edge")).to_have_text("The beginning of this conversation")


def test_what_one_reads_stays_in_place_when_older_messages_load_above(open_browser: OpenBrowser) -> None:
    owner, _ = start_conversation(open_browser)
    said = [f"message {number}" for number in range(1, 41)]
    for text in said:
        write(owner, text)
    expect(texts(owner)).to_have_text(said)
    owner.page.reload()
    expect(texts(owner)).to_have_text(said[-20:])

    # In one go, so that the place is read before the page above can arrive.
    before = scroll_to_top(owner)
    expect(texts(owner)).to_have_text(said)
    box = texts(owner).filter(has_text="message 21").bounding_box()
    assert box is not None
    assert abs(box["y"] - before) < 2


def test_pages_and_live_messages_become_one_list_without_holes(open_browser: OpenBrowser) -> None:
    # Pages come newest first, and broadcasts fall anywhere between them (R2.6).
    page = open_browser().new_page()
    page.goto("/")
    expected = {
        "live 1, newest 1 0": "0 1",
        "live 2, newest 1 0": "0 1 2",
        "newest 2 1, live 2, live 3": "1 2 3",
        "newest 3 2, live 4, older 2 1": "1 2 3 4",
        "newest 3 2, interrupt, live 5, newest 4 3": "2 3 4 5",
        "newest 3 2, older 1 0, interrupt, newest 5 4 3 2": "0 1 2 3 4 5",
        "newest 1 0, interrupt, newest 9 8, live 9": "8 9",
        "newest 1 0, interrupt, live 3, interrupt, newest 4 3 2 1": "0 1 2 3 4",
    }
    assert {steps: page.evaluate(WEAVE, steps) for steps in expected} == expected


def test_owner_and_vet_talk_side_by_side_in_one_tab(open_browser: OpenBrowser) -> None:
    page = open_browser().new_page()
    page.goto("/")
    owner, vet = page.get_by_test_id("pane-owner"), page.get_by_test_id("pane-vet")
    invite_known_vet(owner)
    open_first_conversation(vet)
    say(owner, "Good morning!")
    expect(texts(vet)).to_have_text(["Good morning!"])
    expect(vet.get_by_test_id("message-sender")).to_have_text(["Ann Miller"])
    say(vet, "Good morning, Ms Miller.")
    expect(texts(owner)).to_have_text(["Good morning!", "Good morning, Ms Miller."])


def test_two_tabs_of_one_browser_know_each_other(open_browser: OpenBrowser) -> None:
    browser = open_browser()
    owner, vet = open_pane(browser, "owner"), open_pane(browser, "vet")
    invite_known_vet(owner)
    open_first_conversation(vet)
    say(vet, "How is Milo?")
    expect(owner.get_by_test_id("message-sender")).to_have_text(["Dr. Bruno Keller"])
    for person in (owner, vet):
        person.page.reload()
        expect(texts(person)).to_have_text(["How is Milo?"])


def test_a_new_name_reaches_the_others(open_browser: OpenBrowser) -> None:
    owner, vet = start_conversation(open_browser)
    vet.get_by_test_id("edit-name").click()
    vet.get_by_test_id("name-input").fill("Dr. Carla Ruiz")
    vet.get_by_test_id("save-name").click()
    expect(owner.get_by_test_id("note").last).to_have_text("Dr. Carla Ruiz joined")
    expect(owner.get_by_test_id("other")).to_contain_text("Dr. Carla Ruiz")


def test_a_message_like_a_script_is_shown_as_text(open_browser: OpenBrowser) -> None:
    owner, vet = start_conversation(open_browser)
    open_first_conversation(vet)
    text = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    say(owner, text)
    expect(texts(vet)).to_have_text([text])
    assert vet.locator("img, script").count() == 0
    assert "owned" not in vet.page.title()


def test_shift_and_enter_start_a_new_line(open_browser: OpenBrowser) -> None:
    owner, vet = start_conversation(open_browser)
    open_first_conversation(vet)
    field = owner.get_by_test_id("message-input")
    field.press_sequentially("first")
    field.press("Shift+Enter")
    field.press_sequentially("second")
    field.press("Enter")
    expect(texts(vet)).to_have_text(["first\nsecond"], use_inner_text=True)


def test_a_text_that_is_too_long_stays_in_its_field(open_browser: OpenBrowser) -> None:
    # The limit counts code points (R4.8), of which a browser's own length has two for each paw print.
    owner, vet = start_conversation(open_browser)
    open_first_conversation(vet)
    field = owner.get_by_test_id("message-input")
    field.fill("🐾" * 8_001)
    field.press("Enter")
    expect(owner.get_by_test_id("alert")).to_contain_text("8,001")
    expect(field).to_have_value("🐾" * 8_001)
    field.fill("🐾" * 8_000)
    field.press("Enter")
    expect(texts(vet)).to_have_text(["🐾" * 8_000])
    expect(owner.get_by_test_id("alert")).to_be_hidden()


def test_what_the_server_refuses_is_told_and_kept(open_browser: OpenBrowser) -> None:
    # A next line (U+0085) is white space to the server (R4.8) but not to a browser: the one wrong text that it sends.
    owner, _ = start_conversation(open_browser)
    owner.get_by_test_id("message-input").fill("\u0085")
    owner.get_by_test_id("message-input").press("Enter")
    expect(owner.get_by_test_id("alert")).to_be_visible()
    expect(owner.get_by_test_id("outgoing")).to_contain_text("Not sent.")
    owner.get_by_test_id("discard").click()
    expect(owner.get_by_test_id("outgoing")).to_have_count(0)


def test_a_wrong_id_is_told_before_anything_is_created(open_browser: OpenBrowser) -> None:
    owner = open_pane(open_browser(), "owner")
    owner.get_by_test_id("new-conversation").click()
    owner.get_by_test_id("vet-ids").fill("Dr. Keller")
    owner.get_by_test_id("create-conversation").click()
    expect(owner.get_by_test_id("vet-ids-error")).to_contain_text("no id")
    expect(owner.get_by_test_id("conversation")).to_have_count(0)


def test_an_unanswered_message_is_sent_again_only_by_the_person(open_browser: OpenBrowser) -> None:
    # Without an answer nobody knows (R2.6), so the person decides.
    browser = open_browser()
    wire = Wire(lose_command="lost on the way")
    browser.route_web_socket(re.compile("/ws/"), wire.connect)
    owner = open_pane(browser, "owner")
    invite_known_vet(owner)
    write(owner, "lost on the way")
    expect(owner.get_by_test_id("outgoing")).to_contain_text("Sending…")
    owner.get_by_test_id("message-input").fill("still typing")
    wire.cut()
    expect(owner.get_by_test_id("outgoing")).to_contain_text("Not confirmed — it may not have been sent.")
    expect(owner.get_by_test_id("message-input")).to_have_value("still typing")

    # Commands go out in order: had the page sent it again by itself, that would be counted by now.
    expect(owner.get_by_test_id("connection")).to_have_text("connected")
    owner.get_by_test_id("message-input").press("Enter")
    expect(texts(owner)).to_have_text(["still typing"])
    assert wire.lost == 1

    wire.mend()
    owner.get_by_test_id("retry").click()
    expect(texts(owner)).to_have_text(["still typing", "lost on the way"])
    expect(owner.get_by_test_id("outgoing")).to_have_count(0)


def test_a_message_that_was_stored_after_all_is_found_in_the_history(open_browser: OpenBrowser) -> None:
    # The answer was lost, the message was not: it appears once and is not called unconfirmed any more.
    browser = open_browser()
    wire = Wire(lose_answer="stored all the same")
    browser.route_web_socket(re.compile("/ws/"), wire.connect)
    owner = open_pane(browser, "owner")
    invite_known_vet(owner)
    say(owner, "before")
    write(owner, "stored all the same")
    expect(texts(owner)).to_have_text(["before", "stored all the same"])
    expect(owner.get_by_test_id("outgoing")).to_have_count(0)


def test_on_a_phone_tabs_choose_between_owner_and_vet(open_browser: OpenBrowser) -> None:
    page = open_browser(PHONE).new_page()
    page.goto("/")
    owner, vet = page.get_by_test_id("pane-owner"), page.get_by_test_id("pane-vet")
    expect(vet).to_be_hidden()
    invite_known_vet(owner)
    say(owner, "From the phone")
    expect(page.get_by_test_id("tab-vet")).to_have_text(re.compile(r"\(2\)$"))
    page.get_by_test_id("tab-vet").click()
    expect(owner).to_be_hidden()
    open_first_conversation(vet)
    expect(texts(vet)).to_have_text(["From the phone"])
    expect(vet.get_by_test_id("side")).to_be_hidden()
    vet.get_by_test_id("back").click()
    expect(vet.get_by_test_id("conversation")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_page_is_sent_with_a_strict_content_security_policy(open_browser: OpenBrowser) -> None:
    response = open_browser().new_page().goto("/")
    assert response is not None
    assert response.header_value("content-security-policy") == POLICY


class Wire:
    """Stands between page and server, and loses what it is told to lose."""

    def __init__(self, *, lose_command: str | None = None, lose_answer: str | None = None) -> None:
        self._lose_command = lose_command
        self._lose_answer = lose_answer
        self._page_side: WebSocketRoute
        self.lost = 0

    def connect(self, page_side: WebSocketRoute) -> None:
        """Joins the page's new connection to the server."""
        self._page_side = page_side
        server_side = page_side.connect_to_server()

        def from_page(frame: str | bytes) -> None:
            if self._lose_command is not None and self._lose_command in str(frame):
                self.lost += 1
            else:
                server_side.send(frame)

        def from_server(frame: str | bytes) -> None:
            if self._lose_answer is not None and self._lose_answer in str(frame):
                self.cut()
            else:
                page_side.send(frame)

        page_side.on_message(from_page)
        server_side.on_message(from_server)

    def cut(self) -> None:
        """Ends the connection as a server that is too busy does; the next one loses no answer."""
        self._lose_answer = None
        self._page_side.close(code=1013)

    def mend(self) -> None:
        """Loses nothing any more."""
        self._lose_command = None


def open_pane(browser: BrowserContext, name: str) -> Locator:
    """The page with one person only, connected."""
    page = browser.new_page()
    page.goto(f"/?as={name}")
    pane = page.get_by_test_id(f"pane-{name}")
    expect(pane.get_by_test_id("connection")).to_have_text("connected")
    return pane


def start_conversation(open_browser: OpenBrowser) -> tuple[Locator, Locator]:
    """An owner and a vet in two browsers, in a conversation that the owner has open and the vet does not."""
    owner, vet = open_pane(open_browser(), "owner"), open_pane(open_browser(), "vet")
    owner.get_by_test_id("new-conversation").click()
    owner.get_by_test_id("known-vet").uncheck()
    owner.get_by_test_id("vet-ids").fill(vet.get_by_test_id("person-id").inner_text())
    owner.get_by_test_id("create-conversation").click()
    expect(owner.get_by_test_id("thread")).to_be_visible()
    expect(vet.get_by_test_id("conversation")).to_have_count(1)
    return owner, vet


def invite_known_vet(owner: Locator) -> None:
    """A conversation with the vet of the same browser, opened by the owner."""
    owner.get_by_test_id("new-conversation").click()
    owner.get_by_test_id("create-conversation").click()
    expect(owner.get_by_test_id("thread")).to_be_visible()


def open_first_conversation(person: Locator) -> None:
    person.get_by_test_id("conversation").first.click()
    expect(person.get_by_test_id("history-edge")).to_be_visible()


def write(person: Locator, text: str) -> None:
    """Types a message and sends it with Enter."""
    person.get_by_test_id("message-input").fill(text)
    person.get_by_test_id("message-input").press("Enter")


def say(person: Locator, text: str) -> None:
    """The same, and the server has confirmed it."""
    write(person, text)
    expect(texts(person).last).to_have_text(text)


def texts(person: Locator) -> Locator:
    """The confirmed messages that the person sees, oldest first."""
    return person.get_by_test_id("message-text")


def scroll_to_top(person: Locator) -> float:
    """Scrolls the messages to their beginning; returns where the first one then is, in CSS pixels from the top."""
    return person.get_by_test_id("scroller").evaluate(
        """scroller => {
            scroller.scrollTop = 0;
            return scroller.querySelector("[data-testid=message-text]").getBoundingClientRect().top;
        }"""
    )
