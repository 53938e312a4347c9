"""What actors may spend together, without Ray: the keeper is an object like any other."""

import asyncio
from decimal import Decimal

from agents.llm import Caps, Spent
from agents.llm.purse import NOTHING
from simulator.cluster.keeper import Keeper

ONE = Spent(1, 100, Decimal("0.5"))
LESS = Spent(1, 60, Decimal("0.25"))


def test_a_cap_is_one_for_all_holders_and_says_why_it_is_reached():
    keeper = Keeper(Caps(calls=2), NOTHING, [])

    async def story():
        assert await keeper.reserve("a", ONE) is None
        assert await keeper.reserve("b", ONE) is None
        waiting = asyncio.create_task(keeper.reserve("b", ONE))
        await asyncio.sleep(0)
        assert not waiting.done()  # one of them may still be turned away
        await keeper.exchange("a", [(ONE, None)], [])
        assert await waiting is None
        await keeper.exchange("b", [(ONE, LESS)], [])
        await keeper.exchange("b", [(ONE, LESS)], [])
        return await keeper.reserve("a", ONE), await keeper.spent()

    refused, spent = asyncio.run(story())
    assert refused == "2 of 2 calls are spent, and the next call may take 1"
    assert spent == LESS + LESS


def test_what_a_holder_had_set_aside_when_it_died_is_spent_and_its_last_words_count_no_more():
    keeper = Keeper(Caps(calls=3), Spent(1, 10, Decimal(0)), [])

    async def story():
        await keeper.reserve("0.1", ONE)
        await keeper.reserve("1.1", ONE)
        late = asyncio.create_task(keeper.reserve("0.1", ONE))
        await asyncio.sleep(0)
        await keeper.lost("0.1")
        await keeper.exchange("0.1", [(ONE, LESS)], [])
        await keeper.exchange("1.1", [(ONE, None)], [])
        await asyncio.sleep(0.01)
        assert await keeper.reserve("0.2", ONE) is None
        await keeper.exchange("0.2", [(ONE, LESS)], [])
        return await late, await keeper.spent()

    refused, spent = asyncio.run(story())
    assert "another took its place" in refused
    assert spent == Spent(1, 10, Decimal(0)) + ONE + LESS


def test_many_are_reserved_at_once_and_of_those_there_is_room_for_the_first():
    keeper = Keeper(Caps(calls=4), NOTHING, [])

    async def story():
        granted = [await keeper.exchange("a", [], [ONE, ONE]), await keeper.exchange("b", [], [ONE] * 3)]
        granted.append(await keeper.exchange("a", [(ONE, LESS), (ONE, None)], [ONE] * 3))
        return granted, await keeper.spent()

    assert asyncio.run(story()) == ([2, 2, 1], LESS)


def test_limits_of_a_minute_are_one_for_all_and_each_line_has_its_own():
    keeper = Keeper(Caps(), NOTHING, [(2, None), (None, 100)])

    async def story():
        await keeper.acquire(0, 0)
        await keeper.acquire(0, 0)
        await keeper.acquire(1, 100)
        late = [asyncio.create_task(keeper.acquire(line, tokens)) for line, tokens in ((0, 0), (1, 50))]
        done, pending = await asyncio.wait(late, timeout=0.05)
        for each in pending:
            each.cancel()
        return len(done)

    assert asyncio.run(story()) == 0
