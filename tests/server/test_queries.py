"""What the databases are asked: how many statements, by which indexes, at a cost that does not grow (R4.19, V3.3)."""

import json
import sqlite3
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

import anyio
import pytest
from vetchat_protocol.models import Conversation, Role, User
from vetchat_protocol.records import (
    ConversationDraft,
    ConversationStarted,
    Draft,
    MessageDraft,
    MessageStored,
    ReadDraft,
    RoleDraft,
)
from vetchat_server import TortoiseStore
from vetchat_server.backends.tortoise import sql, standing, transactions
from vetchat_server.testing.drafts import append, new_id, owner, say, start, vet

from tests.databases import postgres_database, run_sql, sqlite_url

IDLE = 500
"""How many conversations the vet has in which nothing happens."""

LONG = 500
"""How many messages the vet's long conversation has."""

OTHERS = 2_000
"""How many conversations other people have, and how many messages they write while the vet is away."""


@dataclass(frozen=True)
class Practice:
    """A database with a busy vet in it.

    `quiet` is the log position after which only one more message came, `last_of_long` that of the last message in the
    long conversation.
    """

    url: str
    client: User
    doctor: User
    long: str
    last_of_long: int
    short: str
    quiet: int
    head: int


@pytest.fixture(scope="module")
def practice(leg: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Practice]:
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("practice")
        url = sqlite_url(folder) if leg == "sqlite" else stack.enter_context(postgres_database())
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(standing, "STRIDE", 100)
        filled = anyio.run(fill, url)
        if leg == "postgres":
            run_sql(url, "VACUUM ANALYZE")
        yield filled


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[TortoiseStore]:
    store = TortoiseStore(url)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def fill(url: str) -> Practice:
    async with opened(url) as store:
        client, doctor = owner(), vet()
        long, short = await start(store, client, doctor), await start(store, client, doctor)
        said = await append(store, *(MessageDraft(long.id, client.id, "Hello.", str(number)) for number in range(LONG)))
        last = said[-1]
        assert isinstance(last, MessageStored)
        idle = await begin(store, IDLE, doctor)
        await append(store, *(MessageDraft(name, sender, "Thank you.") for name, sender in idle))
        elsewhere = [pair for _ in range(OTHERS // 500) for pair in await begin(store, 500, vet())]
        quiet = (await say(store, short, client, "Good-bye."))[0].offset
        await append(store, *(MessageDraft(name, sender, "Hello.") for name, sender in elsewhere))
        head = (await say(store, short, client, "Are you there?"))[0].offset
        return Practice(url, client, doctor, long.id, last.offset, short.id, quiet, head)


async def begin(store: TortoiseStore, number: int, doctor: User) -> list[tuple[str, str]]:
    """So many new conversations of the vet, each with a new client; their ids and those of the clients."""
    drafts = [ConversationDraft(owner().id, new_id(), (doctor.id,)) for _ in range(number)]
    await append(store, *(RoleDraft(draft.client, Role.CLIENT) for draft in drafts))
    outcomes = await append(store, *drafts)
    return [(one.conversation_id, one.conversation.client) for one in outcomes if isinstance(one, ConversationStarted)]


@dataclass(frozen=True)
class Consultation:
    """Two conversations between the same two people; one has 50 messages."""

    client: User
    doctor: User
    one: Conversation
    another: Conversation


# -- how many statements -----------------------------------------------------------------------------------------------


class Statements:
    """Notes every statement that a store sends to its database."""

    def __init__(self, store: TortoiseStore, patch: pytest.MonkeyPatch) -> None:
        self._sent: list[str] = []
        self.rows: dict[str, int] = {}
        for kind in (transactions.SqliteTransaction, transactions.PostgresTransaction):
            for method in ("query", "many"):
                patch.setattr(kind, method, self._noting(getattr(kind, method), 1))
            patch.setattr(kind, "many", self._counting(kind.many))
        for client in (store._reader, store._writer):  # pyright: ignore[reportPrivateUsage]
            assert client is not None
            patch.setattr(client, "execute_query_dict", self._noting(client.execute_query_dict, 0))

    def _noting(self, method: Callable[..., Any], place: int) -> Callable[..., Any]:
        @wraps(method)
        async def noted(*arguments: Any) -> Any:
            self._sent.append(arguments[place])
            return await method(*arguments)

        return noted

    def _counting(self, many: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(many)
        async def counted(transaction: object, statement: str, values: list[list[object]]) -> None:
            table = statement.removeprefix("INSERT INTO ").removeprefix("UPDATE ").split()[0]
            self.rows[table] = self.rows.get(table, 0) + len(values)
            await many(transaction, statement, values)

        return counted

    def take(self) -> list[str]:
        """What has been sent since it was last asked."""
        sent, self._sent = self._sent, []
        return sent


@pytest.fixture
async def store(shared_database: str) -> AsyncGenerator[TortoiseStore]:
    async with opened(shared_database) as store:
        yield store


@pytest.fixture
async def consultation(store: TortoiseStore) -> Consultation:
    client, doctor = owner(), vet()
    one, another = await start(store, client, doctor), await start(store, client, doctor)
    await say(store, one, client, *map(str, range(50)))
    return Consultation(client, doctor, one, another)


@pytest.fixture
def statements(store: TortoiseStore, monkeypatch: pytest.MonkeyPatch) -> Statements:
    return Statements(store, monkeypatch)


async def test_a_commit_of_messages_costs_the_same_statements_however_many_there_are(
    store: TortoiseStore, consultation: Consultation, statements: Statements
) -> None:
    one, another, client = consultation.one.id, consultation.another.id, consultation.client.id
    new = [(await start(store, consultation.client)).id for _ in range(3)]
    await append(store, *(MessageDraft(name, client, "Hello.") for name in (one, another)))
    statements.take()
    await append(store, MessageDraft(one, client, "Hello."))
    sent = statements.take()
    assert len(sent) <= 5, sent
    for drafts in ([MessageDraft(one, client, "Hello.")] * 2, [MessageDraft(one, client, "Hello.")] * 100):
        await append(store, *drafts)
        assert statements.take() == sent
    await append(store, *(MessageDraft(name, client, "Hello.") for name in (one, another, one)))
    assert statements.take() == sent, "in however many conversations"
    await append(store, *(MessageDraft(name, client, "Hello.") for name in (one, *new)))
    assert len(statements.take()) == len(sent) + 2, "those that nobody has spoken in yet are asked for together"


async def test_a_message_writes_one_row_of_the_log_and_one_of_its_sender(
    store: TortoiseStore, consultation: Consultation, statements: Statements
) -> None:
    await append(store, MessageDraft(consultation.one.id, consultation.doctor.id, "Hello."))
    assert statements.rows == {"log": 1, "participants": 1}
    await append(store, *(MessageDraft(consultation.one.id, consultation.client.id, "Hello.") for _ in range(9)))
    assert statements.rows == {"log": 10, "participants": 2}


@pytest.mark.clause("V3.3", "V3.4")
@pytest.mark.parametrize("remembered", [0, 10])
async def test_no_stride_of_a_bound_hides_what_was_missed(
    store: TortoiseStore, monkeypatch: pytest.MonkeyPatch, remembered: int
) -> None:
    monkeypatch.setattr(standing, "STRIDE", 3)
    monkeypatch.setattr(standing, "REMEMBERED", remembered)
    client, doctor, silent = owner(), vet(), vet()
    talks = [await start(store, client, doctor, silent) for _ in range(3)]
    begun = talks[0].last_offset - 1
    for number in range(12):
        await say(store, talks[number % 5 % 3], client, *"Hello."[: 1 + number % 4])
        await append(store, ReadDraft(talks[number % 3].id, doctor.id, 1 + number // 3))
    records = await store.records_after(begun)
    for since in range(begun, records[-1].offset + 1):
        later = [record for record in records if record.offset > since]
        assert await store.missed(silent, since, 1_000) == len(later)
        page = await store.read_log(silent, since, since, records[-1].offset, 1_000)
        assert [record.offset for record in page.records] == [record.offset for record in later]


@pytest.mark.clause("V2.2")
async def test_a_client_chosen_id_costs_no_statement_until_it_is_used_again(
    store: TortoiseStore, consultation: Consultation, statements: Statements
) -> None:
    draft = MessageDraft(consultation.one.id, consultation.client.id, "Hello.")
    await append(store, draft)
    plain = statements.take()
    await append(store, replace(draft, client_message_id="name"))
    assert statements.take() == plain


async def test_conversations_roles_and_read_positions_go_in_together_as_well(
    store: TortoiseStore, consultation: Consultation, statements: Statements
) -> None:
    kinds: list[Callable[[], Draft]] = [
        lambda: ConversationDraft(consultation.client.id, new_id(), (consultation.doctor.id,), new_id()),
        lambda: RoleDraft(new_id(), Role.CLIENT),
    ]
    for draft in kinds:
        await append(store, draft())
        sent = statements.take()
        await append(store, *(draft() for _ in range(50)))
        assert statements.take() == sent
    await append(store, ReadDraft(consultation.one.id, consultation.doctor.id, 50))
    assert len(statements.take()) <= 7


@pytest.mark.clause("V4.2")
async def test_a_read_position_in_the_middle_is_one_count_and_breaks_no_commit_into_pieces_unless_its_reader_wrote(
    store: TortoiseStore, consultation: Consultation, statements: Statements
) -> None:
    talks, client, doctor = (consultation.one, consultation.another), consultation.client.id, consultation.doctor.id
    for talk in talks:
        await say(store, talk, consultation.client, *"Hello.")
    statements.take()
    read = [(MessageDraft(talk.id, client, "Hello."), ReadDraft(talk.id, doctor, 2)) for talk in talks]
    await append(store, *(draft for both in read for draft in both))
    sent = [statement.split()[0] for statement in statements.take()]
    assert sent == ["UPDATE", "SELECT", "SELECT", "INSERT", "UPDATE"], "the head; the counts; the log, the readers"
    wrote = [(MessageDraft(talk.id, doctor, "Hello."), ReadDraft(talk.id, doctor, 4)) for talk in talks]
    await append(store, *(draft for both in wrote for draft in both))
    sent = [statement.split()[0] for statement in statements.take()]
    assert sent == ["UPDATE", "INSERT", "SELECT", "INSERT", "SELECT", "INSERT", "UPDATE"]


@pytest.mark.clause("R4.2", "V4.2", "V3.6", "R4.19", "V3.3", "V3.4", "S5.1")
async def test_every_question_is_one_statement(
    store: TortoiseStore, consultation: Consultation, statements: Statements
) -> None:
    doctor, conversation = consultation.doctor, consultation.one
    questions: dict[str, Callable[[], Any]] = {
        "the whole list with unread counts": lambda: store.list_conversations(doctor, None, None),
        "a page of it": lambda: store.list_conversations(doctor, 1, 1_000_000),
        "a page of history": lambda: store.read_messages(conversation.id, 10, 30),
        "a conversation": lambda: store.load(conversation.id),
        "who takes part": lambda: store.participates(doctor, conversation.id),
        "what to subscribe to": lambda: store.memberships(doctor),
        "how much was missed": lambda: store.missed(doctor, 0, 10_000),
        "a page of a resume": lambda: store.read_log(doctor, 0, 0, 1_000_000, 200),
        "who is only a client": lambda: store.only_clients([consultation.client.id, doctor.id]),
        "a conversation by its name": lambda: store.find_conversation(consultation.client.id, "name"),
        "all revocations": store.revocations,
    }
    statements.take()
    for question, ask in questions.items():
        await ask()
        assert len(statements.take()) == 1, question


# -- at which cost -----------------------------------------------------------------------------------------------------


def literal(value: object) -> str:
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def plans(practice: Practice, statement: str, *values: object) -> list[dict[str, Any]]:
    """PostgreSQL's plans with what they read: at first, and when it may have settled on one for any values."""
    found: list[dict[str, Any]] = []
    execute = f"EXECUTE asked({', '.join(map(literal, values))})"
    for times in (0, 6):
        prepare = f"PREPARE asked AS {sql.POSTGRES(statement)}"
        (row,) = run_sql(practice.url, prepare, *[execute] * times, f"EXPLAIN (ANALYZE, FORMAT JSON) {execute}")
        found.append(json.loads(row["QUERY PLAN"])[0]["Plan"])
    return found


def nodes(plan: dict[str, Any]) -> Generator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def scans(practice: Practice, statement: str, *values: object) -> list[str]:
    """The tables that a statement reads from beginning to end."""
    if practice.url.startswith("sqlite"):
        with closing(sqlite3.connect(practice.url.removeprefix("sqlite://"))) as connection:
            details = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql.SQLITE(statement)}", values)]
        return [detail for detail in details if detail.startswith("SCAN") and detail.split()[1] in TABLES]
    return [
        node["Relation Name"]
        for plan in plans(practice, statement, *values)
        for node in nodes(plan)
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] != "revocations"
    ]


TABLES = {"p", "c", "l", "m", "log", "participants", "conversations", "seen_roles", "log_head"}
"""What SQLite calls the tables in its plans: by their alias, if they have one."""


def cost(practice: Practice, statement: str, *values: object) -> int:
    """What a statement makes the database do: SQLite's steps, or the rows that PostgreSQL looks at."""
    if practice.url.startswith("sqlite"):
        steps = 0

        def step() -> None:
            nonlocal steps
            steps += 1

        with closing(sqlite3.connect(practice.url.removeprefix("sqlite://"))) as connection:
            connection.set_progress_handler(step, 1)
            connection.execute(sql.SQLITE(statement), values).fetchall()
        return steps
    return max(
        sum(
            int((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
            for node in nodes(plan)
            if "Scan" in node["Node Type"]
        )
        for plan in plans(practice, statement, *values)
    )


@pytest.fixture
def asked(practice: Practice) -> dict[str, tuple[str, tuple[object, ...]]]:
    """The statements that run while people chat, with values, by what they are for."""
    doctor = (practice.doctor.id, practice.doctor.role.value)
    client = (practice.client.id, practice.client.role.value)
    array = "{{{}}}" if practice.url.startswith("postgres") else '["{}"]'
    return {
        "history": (sql.READ_MESSAGES, (practice.long, 480, 500)),
        "participation": (sql.PARTICIPATES, (practice.long, *doctor)),
        "memberships": (sql.MEMBERSHIPS, doctor),
        "conversation": (sql.LOAD, (practice.long,)),
        "a page of conversations": (sql.LIST_PAGE, (*client, practice.head, 20)),
        "missed": (sql.MISSED, (*doctor, practice.quiet, practice.quiet, 10_001)),
        "resume": (sql.READ_LOG, (*doctor, practice.quiet, practice.quiet, 200, practice.head)),
        "retry": (sql.ENTRY_BY_KEY, (practice.client.id, 2, "17")),
        "tail": (sql.ENTRIES_AFTER, (practice.head - 1,)),
        "commit: conversations": (sql.COMMIT_CONVERSATIONS, (array.format(practice.long),)),
        "commit: readers": (sql.COMMIT_READERS, (array.format(practice.long),)),
        "commit: own messages": (sql.COUNT_SENT, (practice.long, practice.client.id, 10, 20)),
        "roles": (sql.ROLES, (array.format(practice.client.id),)),
    }


PURPOSES = [
    "history",
    "participation",
    "memberships",
    "conversation",
    "a page of conversations",
    "missed",
    "resume",
    "retry",
    "tail",
    "commit: conversations",
    "commit: readers",
    "commit: own messages",
    "roles",
]


@pytest.mark.clause("R4.19", "V3.3", "V3.4", "V3.6", "S5.1")
@pytest.mark.parametrize("purpose", PURPOSES)
def test_no_statement_reads_a_table_from_beginning_to_end(
    practice: Practice, asked: dict[str, tuple[str, tuple[object, ...]]], purpose: str
) -> None:
    statement, values = asked[purpose]
    assert scans(practice, statement, *values) == []


@pytest.mark.clause("R4.19")
def test_a_page_of_history_costs_the_same_wherever_it_is_and_however_long_the_conversation(practice: Practice) -> None:
    pages = [(after, after + 20) for after in (0, 240, LONG - 20)]
    costs = [cost(practice, sql.READ_MESSAGES, practice.long, *page) for page in pages]
    assert max(costs) <= 1.1 * min(costs), costs
    short = cost(practice, sql.READ_MESSAGES, practice.short, 0, 2)
    assert costs[0] < 25 * short, "twenty messages cost about ten times what two cost"


@pytest.mark.clause("V3.3", "V3.4")
def test_a_resume_costs_what_changed_and_not_what_exists(practice: Practice) -> None:
    doctor = (practice.doctor.id, practice.doctor.role.value)
    few = 30 if practice.url.startswith("postgres") else 500
    assert cost(practice, sql.MISSED, *doctor, practice.quiet, practice.quiet, 10_001) <= few
    assert cost(practice, sql.READ_LOG, *doctor, practice.quiet, practice.quiet, 200, practice.head) <= few


@pytest.mark.clause("V3.3", "V3.4")
def test_a_resume_in_a_long_conversation_costs_what_was_missed_there(practice: Practice) -> None:
    client = (practice.client.id, practice.client.role.value)
    few = 100 if practice.url.startswith("postgres") else 1_500
    nearly = practice.last_of_long - 3
    assert cost(practice, sql.MISSED, *client, nearly, nearly, 10_001) <= few
    assert cost(practice, sql.READ_LOG, *client, nearly, nearly, 200, practice.last_of_long) <= few


@pytest.mark.clause("V3.4")
def test_counting_what_was_missed_stops_at_the_limit(practice: Practice) -> None:
    doctor = (practice.doctor.id, practice.doctor.role.value)
    costs = [cost(practice, sql.MISSED, *doctor, 0, 0, limit) for limit in (10, 20, 40)]
    assert costs[2] < 10 * costs[0], costs


@pytest.mark.clause("S5.1", "R3.5")
def test_being_somebody_with_few_conversations_costs_little_among_many(practice: Practice) -> None:
    client = (practice.client.id, practice.client.role.value)
    few = 30 if practice.url.startswith("postgres") else 500
    assert cost(practice, sql.MEMBERSHIPS, *client) <= few
    assert cost(practice, sql.LIST, *client) <= few
    assert cost(practice, sql.PARTICIPATES, practice.long, *client) <= few
