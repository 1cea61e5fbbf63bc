"""Golden transcripts: every example of the seed, the same keys in the same order, played over real sockets.

The language of the files in `golden/` is told in its README.
"""

import json
import re
from pathlib import Path

import pytest

from tests.conformance.peer import Peer, People, new_id

pytestmark = pytest.mark.anyio

PLACEHOLDER = re.compile(r"[$#~][a-z_]+\b")
TRANSCRIPTS = {file.stem: file.read_text("utf-8") for file in sorted(Path(__file__).parent.glob("golden/*.txt"))}
VALUES = {"$": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "#": r"[0-9]{13}", "~": r'"(?:[^"\\]|\\.)+"'}


class Transcript:
    """Plays one transcript; `bound` is what its placeholders stand for."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.actors: dict[str, Peer] = {}
        self.bound: dict[str, str] = {}

    async def play(self, line: str) -> None:
        actor, verb, rest = (*line.split(" ", 2), "")[:3]
        if actor == "#":
            return
        if actor == "+":
            await self.connect(verb, *rest.split(" ", 1))
        elif actor == "-":
            await self.people.leave(self.actors[verb])
        elif verb == ">":
            await self.actors[actor].send_text(PLACEHOLDER.sub(lambda match: self.draw(match[0]), rest))
        else:
            self.compare(compact((await self.actors[actor].receive()).text), rest)

    async def connect(self, name: str, role: str, profile: str = "") -> None:
        if role == "again":
            self.actors[name] = await self.people.another_device_of(self.actors[name])
            return
        known_as, _, picture = profile.rpartition(" ")
        identity = {"name": known_as, "picture": picture} if known_as else {}
        self.actors[name] = await getattr(self.people, role)(**identity)
        self.bound[f"${name}"] = self.actors[name].user_id

    def draw(self, placeholder: str) -> str:
        return self.bound.setdefault(placeholder, new_id())

    def compare(self, text: str, expected: str) -> None:
        """The whole text is as expected; new placeholders are bound to what stands in their place."""
        groups: dict[str, str] = {}

        def pattern(placeholder: str) -> str:
            if placeholder in self.bound:
                return re.escape(self.bound[placeholder])
            if placeholder in groups:
                return f"(?P={groups[placeholder]})"
            groups[placeholder] = f"group{len(groups)}"
            return f"(?P<{groups[placeholder]}>{VALUES[placeholder[0]]})"

        literals, placeholders = PLACEHOLDER.split(expected), PLACEHOLDER.findall(expected)
        whole = "".join(re.escape(a) + b for a, b in zip(literals, [*map(pattern, placeholders), ""], strict=True))
        match = re.fullmatch(whole, text)
        assert match, f"expected {expected}\nand heard {text}\nwith {self.bound}"
        self.bound |= {placeholder: match[group] for placeholder, group in groups.items()}


def compact(text: str) -> str:
    """The same JSON without white space between its tokens, and with characters instead of their escapes."""
    return json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)


@pytest.mark.clause("S2.1", "S2.2", "S4.1", "S4.4", "S4.5", "S4.11", "S4.12", "S4.16", "S4.20", "S4.21", "R4.22")
@pytest.mark.clause("S5.1", "S5.3", "R5.4", "R5.7", "S5.8", "S6.1")
@pytest.mark.parametrize("name", TRANSCRIPTS)
async def test_the_wire_is_the_seeds_to_the_letter(people: People, name: str) -> None:
    transcript = Transcript(people)
    for line in TRANSCRIPTS[name].splitlines():
        await transcript.play(line)
    for peer in transcript.actors.values():
        await peer.expect_silence()
