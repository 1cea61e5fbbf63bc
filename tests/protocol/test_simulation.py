"""The core under everything that may happen, in every order: by seeds, and where it is small enough by all ways."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial

import pytest
from vetchat_protocol import Dialect, LocalProtocolError
from vetchat_protocol.delivery import Delivery
from vetchat_protocol.exploration import Choose, Scripted, Seeded, explore
from vetchat_protocol.simulation import Commit, Connection, Deliver, Happen, Proceed, Simulation

from tests.protocol.chaos import chaos
from tests.protocol.stage import BOTH, OLGA, PET, VERA, Actor, Stage

BASE, V1 = (Dialect.BASE,), (Dialect.V1,)
WIRES = pytest.mark.parametrize("dialects", [BASE, V1, BOTH], ids=["base", "v1", "mixed"])
STORES = pytest.mark.parametrize("store_fails", [False, True], ids=["sound", "failing"])
CLAUSES = pytest.mark.clause(
    "R2.6", "R3.4", "R4.3", "R4.7", "R4.9", "R4.10", "R4.17", "S4.6", "S5.2", "R5.5", "R5.6", "S5.8", "R6.3",
    "V2.1", "V2.2", "V2.3", "V3.1", "V3.2", "V3.3", "V3.4", "V3.5", "V4.1", "V4.2", "V4.3", "V5.1",
)  # fmt: skip

# -- seeds -------------------------------------------------------------------------------------------------------------


@CLAUSES
@WIRES
@STORES
@pytest.mark.parametrize("first", range(0, 100, 50))
def test_whatever_happens_the_clauses_hold(dialects: Sequence[Dialect], store_fails: bool, first: int) -> None:
    for seed in range(first, first + 50):
        judge(seed, dialects, store_fails)


@pytest.mark.soak
@CLAUSES
@WIRES
@STORES
@pytest.mark.parametrize("first", range(1_000, 11_000, 500))
def test_whatever_happens_for_long_the_clauses_hold(dialects: Sequence[Dialect], store_fails: bool, first: int) -> None:
    for seed in range(first, first + 500):
        judge(seed, dialects, store_fails, length=100 + seed % 300)


def judge(seed: int, dialects: Sequence[Dialect], store_fails: bool, length: int = 100) -> None:
    """One seed; what goes wrong is told with the seed that it takes to see it again."""
    try:
        chaos(seed, dialects, store_fails=store_fails, length=length).judge()
    except Exception as error:
        error.add_note(f"seed {seed}, dialects {dialects}, store_fails {store_fails}, length {length}")
        raise


FAILED_ONCE = {
    "a message fell between looking and listening of subscribe_conversation": (V1, (155, 552)),
    "a message fell there in mixed company": (BOTH, (552, 712, 782)),
    "a user had left and still wrote": (V1, (1061,)),
    "a user had left and still wrote in mixed company": (BOTH, (872, 894)),
    "token_expiring came before welcome": (V1, (782, 1058)),
    "a position told of what others had said": (V1, (38, 46, 54, 59, 107)),
    "a position told of it in mixed company": (BOTH, (41, 57, 132, 231)),
}
"""Seeds that showed a fault once, by what went wrong."""


@pytest.mark.clause("R4.9", "V1.1", "V4.1", "V5.1")
@pytest.mark.parametrize("fault", FAILED_ONCE)
def test_seeds_that_failed_once_do_not_fail_again(fault: str) -> None:
    dialects, seeds = FAILED_ONCE[fault]
    for seed in seeds:
        judge(seed, dialects, store_fails=False)


@pytest.mark.clause("S5.8")
@WIRES
def test_when_everybody_has_left_nothing_is_left_in_memory(dialects: Sequence[Dialect]) -> None:
    for seed in range(20):
        stage = chaos(seed, dialects)
        for actor in stage.living:
            stage.simulation.disconnect(actor.connection)
        stage.rest()
        assert stage.simulation.world.delivery.rooms.empty
        assert stage.simulation.world.delivery.deadline() is None


def test_the_same_seed_does_the_same_again() -> None:
    once, again = chaos(7, BOTH), chaos(7, BOTH)
    assert once.simulation.taken == again.simulation.taken
    assert [actor.connection.transcript for actor in once.actors] == [
        actor.connection.transcript for actor in again.actors
    ]


# -- every way ---------------------------------------------------------------------------------------------------------

Scene = Callable[[Stage, Sequence[Actor], str], None]
"""Puts something on a stage with two connections of Olga's and two of Vera's, who share a conversation."""


def all_ways(wires: Sequence[Dialect], scene: Scene, *, tail: int = 3) -> int:
    """Judges every way that a scene can go; how many there were. `wires` are the four connections' dialects."""

    def act(choose: Choose) -> Stage:
        stage = Stage(Scripted(), start=lambda head: Delivery(head, tail=tail))
        users = (OLGA, OLGA, VERA, VERA)
        actors = [stage.connect(user, wire) for user, wire in zip(users, wires, strict=True)]
        stage.rest()
        stage.say(actors[0], "new_conversation", {"pet_id": PET, "providers": [VERA.id]})
        stage.rest()
        stage.simulation.choose = choose
        scene(stage, actors, stage.conversations()[0])
        stage.judge()
        return stage

    return sum(1 for _ in explore(act))


def two_messages_and_a_crash(victim: int) -> Scene:
    """Olga and Vera say something; meanwhile a connection breaks and comes again, in v1 where it had been."""

    def scene(stage: Stage, actors: Sequence[Actor], conversation: str) -> None:
        for actor, content in ((actors[0], "From Olga."), (actors[2], "From Vera.")):
            stage.say(actor, "message", {"conversation_id": conversation, "content": content})
        lost = actors[victim]

        def crash() -> None:
            stage.simulation.disconnect(lost.connection)
            stage.simulation.meanwhile(lambda: come_again(stage, lost))

        stage.simulation.meanwhile(crash)

    return scene


def come_again(stage: Stage, lost: Actor) -> None:
    stage.connect(lost.user, lost.dialect, resume=lost.position() if lost.v1 else None)


def messages_and_a_restart(stage: Stage, actors: Sequence[Actor], conversation: str) -> None:
    """Olga and Vera say something; meanwhile the server crashes, and one of them comes again."""

    def restart() -> None:
        stage.simulation.restart()
        come_again(stage, actors[2])

    stage.say(actors[0], "message", {"conversation_id": conversation, "content": "From Olga."})
    stage.say(actors[2], "message", {"conversation_id": conversation, "content": "From Vera."})
    stage.simulation.meanwhile(restart)


def leaving_and_coming_again(back: str) -> Scene:
    """Olga says something while one of Vera's devices unsubscribes and comes back, and the other is cut off."""

    def scene(stage: Stage, actors: Sequence[Actor], conversation: str) -> None:
        stage.say(actors[0], "message", {"conversation_id": conversation, "content": "From Olga."})
        stage.say(actors[2], "unsubscribe_conversation", {"conversation_id": conversation})
        content = {"content": "From Vera."} if back == "message" else {}
        stage.say(actors[2], back, {"conversation_id": conversation, **content})
        stage.simulation.meanwhile(lambda: stage.simulation.disconnect(actors[3].connection))

    return scene


def a_conversation_begins(stage: Stage, actors: Sequence[Actor], conversation: str) -> None:
    """Olga consults Vera again while one of Vera's devices comes and another goes."""
    stage.say(actors[0], "new_conversation", {"pet_id": PET[:-1] + "1", "providers": [VERA.id]})
    stage.simulation.meanwhile(lambda: stage.simulation.disconnect(actors[2].connection))
    stage.connect(VERA, actors[2].dialect)


def the_same_twice(stage: Stage, actors: Sequence[Actor], conversation: str) -> None:
    """Two devices of Olga's say the same under the same client-chosen id, and one breaks."""
    params = {"conversation_id": conversation, "content": "Only once.", "client_message_id": "once"}
    stage.say(actors[0], "message", params)
    stage.say(actors[1], "message", params)
    stage.simulation.meanwhile(lambda: stage.simulation.disconnect(actors[0].connection))


def the_store_fails(event: str) -> Scene:
    """One of Vera's devices has unsubscribed and comes back while the store fails for a moment and Olga speaks."""

    def scene(stage: Stage, actors: Sequence[Actor], conversation: str) -> None:
        stage.faulty = True
        stage.say(actors[2], "unsubscribe_conversation", {"conversation_id": conversation})
        stage.say(actors[2], event, {"conversation_id": conversation})

        def fail() -> None:
            stage.simulation.world.store_is_down = True
            stage.simulation.meanwhile(mend)

        def mend() -> None:
            stage.simulation.world.store_is_down = False
            stage.say(actors[0], "message", {"conversation_id": conversation, "content": "From Olga."})

        stage.simulation.meanwhile(fail)

    return scene


def a_slow_hello(stage: Stage, actors: Sequence[Actor], conversation: str) -> None:
    """Somebody whose token runs out soon says hello, and the time for that passes meanwhile."""
    stage.connect(VERA, Dialect.V1, expires_at=stage.simulation.world.now + 30_000)
    stage.simulation.meanwhile(lambda: stage.simulation.advance(10_000))


def writing_from_outside(stage: Stage, actors: Sequence[Actor], conversation: str) -> None:
    """Vera writes on a device that is not subscribed while one after the other of her devices breaks."""
    stage.say(actors[2], "unsubscribe_conversation", {"conversation_id": conversation})
    stage.say(actors[2], "typing", {"conversation_id": conversation, "state": "active"})
    for actor in (actors[2], actors[3]):
        stage.simulation.meanwhile(partial(stage.simulation.disconnect, actor.connection))


ALL_BASE, ALL_V1 = BASE * 4, V1 * 4
MIXED = (Dialect.BASE, Dialect.V1, Dialect.V1, Dialect.BASE)
WIRES_OF_FOUR = {"base": ALL_BASE, "v1": ALL_V1, "mixed": MIXED}

SCENES: Mapping[str, Scene] = {
    "the speaker breaks": two_messages_and_a_crash(0),
    "the speaker's other device breaks": two_messages_and_a_crash(1),
    "the server restarts": messages_and_a_restart,
    "unsubscribing and subscribing": leaving_and_coming_again("subscribe_conversation"),
    "unsubscribing and reading": leaving_and_coming_again("conversation_history"),
    "unsubscribing and speaking": leaving_and_coming_again("message"),
    "a conversation begins": a_conversation_begins,
    "the store fails while subscribing": the_store_fails("subscribe_conversation"),
    "the store fails while reading": the_store_fails("conversation_history"),
}
SCENES_IN_V1: Mapping[str, Scene] = {
    "a speaker breaks and resumes": two_messages_and_a_crash(0),
    "the same is said twice": the_same_twice,
    "a hello is slow": a_slow_hello,
    "somebody writes from outside": writing_from_outside,
}
EVERY_WAY = pytest.mark.clause("R2.6", "R4.7", "R4.9", "R4.14", "R5.5", "R6.3", "S4.6", "V1.1", "V2.2", "V3.3", "V4.1")


@EVERY_WAY
@pytest.mark.parametrize("wires", ["base", "mixed"])
@pytest.mark.parametrize("scene", SCENES)
def test_every_way_that_a_small_scene_can_go_keeps_the_clauses(scene: str, wires: str) -> None:
    assert all_ways(WIRES_OF_FOUR[wires], SCENES[scene]) > 1


@EVERY_WAY
@pytest.mark.parametrize("scene", SCENES_IN_V1)
def test_every_way_that_a_scene_in_v1_can_go_keeps_the_clauses(scene: str) -> None:
    assert all_ways(ALL_V1, SCENES_IN_V1[scene]) > 1


@pytest.mark.soak
@EVERY_WAY
@pytest.mark.parametrize("tail", [0, 1, 3])
@pytest.mark.parametrize("wires", WIRES_OF_FOUR)
@pytest.mark.parametrize("scene", SCENES)
def test_every_way_that_a_scene_can_go_keeps_the_clauses(scene: str, wires: str, tail: int) -> None:
    assert all_ways(WIRES_OF_FOUR[wires], SCENES[scene], tail=tail) > 1


# -- the simulator itself ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["subscribe_conversation", "conversation_history", "unsubscribe_conversation"])
def test_an_exploration_finds_every_end_that_there_is(event: str) -> None:
    def scenario(choose: Choose, *, prune: bool) -> tuple[object, ...]:
        stage = Stage(Scripted())
        olga, vera = stage.connect(OLGA, Dialect.BASE), stage.connect(VERA, Dialect.BASE)
        stage.say(olga, "new_conversation", {"pet_id": PET, "providers": [VERA.id]})
        stage.rest()
        (conversation,) = stage.conversations()
        stage.simulation.choose = choose if prune else without_pruning(choose)
        stage.say(olga, "message", {"conversation_id": conversation, "content": "Hello."})
        stage.say(vera, event, {"conversation_id": conversation})
        stage.simulation.meanwhile(lambda: stage.simulation.disconnect(olga.connection))
        stage.simulation.run()
        return tuple(tuple(actor.connection.transcript) for actor in (olga, vera))

    pruned = [result for _, result in explore(lambda choose: scenario(choose, prune=True))]
    full = [result for _, result in explore(lambda choose: scenario(choose, prune=False))]
    assert set(pruned) == set(full)
    assert len(pruned) < len(full)


def without_pruning(choose: Choose) -> Choose:
    """To which no state is ever known."""

    def choose_anew(options: int, state: Callable[[], Hashable], /) -> int:
        return choose(options, object)

    return choose_anew


def test_an_exploration_tells_the_picks_that_lead_to_each_end() -> None:
    def scenario(choose: Choose) -> list[int]:
        return [choose(options, object) for options in (2, 3)]

    ways = list(explore(scenario))
    assert sorted(result for _, result in ways) == [[first, second] for first in range(2) for second in range(3)]
    assert all(scenario(Scripted(picks)) == result for picks, result in ways)


def test_a_script_that_picks_what_is_not_there_is_an_error() -> None:
    with pytest.raises(IndexError):
        Scripted([2])(2, object)


def test_the_steps_are_told_and_can_be_taken_one_by_one() -> None:
    simulation = Simulation(0)
    olga, vera = simulation.connect(OLGA), simulation.connect(VERA)
    assert simulation.steps() == [Proceed(olga.id), Proceed(vera.id)]
    simulation.take(Proceed(olga.id))
    simulation.take(Proceed(vera.id))
    assert simulation.steps() == [Commit(1), Commit(2)]
    simulation.take(Commit(2))
    assert simulation.steps() == [Deliver()]
    simulation.take(Deliver())
    assert simulation.steps() == [Proceed(olga.id), Proceed(vera.id)]


def test_a_happening_waits_until_it_is_picked() -> None:
    simulation, happened = Simulation(0), list[str]()
    simulation.meanwhile(lambda: happened.append("rain"), "rain")
    assert simulation.steps() == [Happen("rain", 1)]
    assert not happened
    simulation.run()
    assert happened == ["rain"]
    assert not simulation.step()


def test_a_simulation_that_goes_round_in_circles_says_so() -> None:
    simulation = Simulation(0)

    def again() -> None:
        simulation.meanwhile(again)

    again()
    with pytest.raises(RuntimeError, match="did not come to rest within 10 steps"):
        simulation.run(most=10)


def test_a_connection_that_is_gone_can_say_nothing() -> None:
    simulation = Simulation(0)
    olga = simulation.connect(OLGA)
    simulation.disconnect(olga)
    with pytest.raises(LocalProtocolError):
        simulation.send(olga, "Hello?")


@pytest.mark.clause("R4.7")
def test_what_a_crash_of_the_server_loses_is_what_was_not_committed() -> None:
    for committed in (False, True):
        simulation = Simulation(Scripted())
        olga = simulation.connect(OLGA)
        simulation.send(olga, f'{{"event": "new_conversation", "params": {{"pet_id": "{PET}", "providers": []}}}}')
        while not simulation.world.waiting or not opened(olga):
            simulation.step()
        if committed:
            simulation.take(Commit(1))
        simulation.restart()
        simulation.run()
        assert simulation.world.log.head == committed
        assert olga.gone
        assert not olga.heard


def opened(connection: Connection) -> bool:
    return any(line.kind == "opened" for line in connection.transcript)


def test_a_seed_reaches_every_option() -> None:
    choose = Seeded(1)
    assert {choose(3, object) for _ in range(50)} == {0, 1, 2}
