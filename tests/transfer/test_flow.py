"""The parts of the flow: bounds that hold, order that holds, one end for all."""

import asyncio
import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core.problem import Kind, Stop
from backup_action.transfer.flow import Budget, Crew, Row, meanwhile, together


@given(st.lists(st.integers(min_value=0, max_value=30), max_size=40), st.integers(min_value=1, max_value=20))
def test_a_budget_is_never_exceeded_and_everybody_gets_a_turn(sizes: list[int], total: int) -> None:
    async def run() -> None:
        budget, held, most, done = Budget(total), 0, 0, []

        async def one(number: int, size: int) -> None:
            nonlocal held, most
            taken = await budget.take(size)
            held += taken
            most = max(most, held)
            await asyncio.sleep(0)
            held -= taken
            budget.give(taken)
            done.append(number)

        await asyncio.gather(*(one(number, size) for number, size in enumerate(sizes)))
        assert most <= total and sorted(done) == list(range(len(sizes)))

    asyncio.run(run())


def test_a_cancelled_waiter_does_not_keep_its_share() -> None:
    async def run() -> None:
        budget = Budget(10)
        await budget.take(10)
        waiter = asyncio.create_task(budget.take(5))
        await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        budget.give(10)
        assert await asyncio.wait_for(budget.take(10), 1) == 10

    asyncio.run(run())


def test_a_waiter_cancelled_in_its_very_turn_gives_it_back() -> None:
    async def run() -> None:
        budget = Budget(10)
        await budget.take(10)
        waiter = asyncio.create_task(budget.take(5))
        await asyncio.sleep(0)
        budget.give(10)
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        assert await asyncio.wait_for(budget.take(10), 1) == 10

    asyncio.run(run())


@given(st.permutations(range(12)))
def test_results_are_handed_on_in_the_order_of_their_places(arrival: list[int]) -> None:
    handed: list[int] = []
    row: Row[int] = Row(handed.append)
    slots = [row.place() for _ in arrival]
    for count, number in enumerate(arrival, 1):
        row.fill(slots[number], number)
        assert handed == list(range(len(handed)))
        first_gap = next((n for n in range(12) if n not in arrival[:count]), 12)
        assert len(handed) == first_gap


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=12))
def test_what_is_passed_on_stands_behind_every_place_before_it(steps: list[tuple[bool, int]]) -> None:
    """Of each step: whether it needs no place, and after how many more steps its place is filled."""
    handed: list[int] = []
    row: Row[int] = Row(handed.append)
    open_: list[tuple[int, int, list[int]]] = []
    for number, (at_once, later) in enumerate(steps):
        if at_once:
            row.pass_on(number)
        else:
            open_.append((number + later, number, row.place()))
        for due, place, slot in [one for one in open_ if one[0] <= number]:
            row.fill(slot, place)
            open_.remove((due, place, slot))
        assert handed == list(range(len(handed))), "in order"
    for _, place, slot in sorted(open_, key=lambda one: one[0]):
        row.fill(slot, place)
    assert handed == list(range(len(steps)))


def test_a_full_row_waits_for_its_first_place() -> None:
    async def run() -> None:
        row: Row[int] = Row(lambda _: None, waiting=2)
        first, second = row.place(), row.place()
        row.fill(second, 2)
        waiting = asyncio.create_task(row.room())
        await asyncio.sleep(0)
        assert not waiting.done()
        row.fill(first, 1)
        await asyncio.wait_for(waiting, 1)

    asyncio.run(run())


def test_a_crew_does_everything_with_no_more_than_its_workers() -> None:
    async def run() -> None:
        busy = most = 0
        done: list[int] = []

        async def do(item: int) -> None:
            nonlocal busy, most
            busy += 1
            most = max(most, busy)
            await asyncio.sleep(0)
            busy -= 1
            done.append(item)

        crew: Crew[int] = Crew(3, do)
        async with together() as group, crew.working(group):
            for item in range(50):
                await crew.hand(item)
        assert most == 3 and sorted(done) == list(range(50))

    asyncio.run(run())


def test_a_crew_grows_and_shrinks_with_what_there_is_use_for() -> None:
    async def run() -> None:
        busy = most = done = 0
        allowed = 2

        async def do(item: int) -> None:
            nonlocal busy, most, done
            busy += 1
            most = max(most, busy)
            await asyncio.sleep(0)
            busy -= 1
            done += 1

        crew: Crew[int] = Crew(lambda: allowed, do)
        async with asyncio.timeout(30), together() as group, crew.working(group):
            for allowed, before in ((2, 2), (6, 2), (1, 6), (3, 1)):  # as many may still be at work, or idle
                most, wanted = 0, done + 50
                for item in range(50):
                    await crew.hand(item)
                while done < wanted:
                    await asyncio.sleep(0)
                assert allowed <= most <= max(allowed, before)
                most = 0
                for item in range(50):
                    await crew.hand(item)
                while done < wanted + 50:
                    await asyncio.sleep(0)
                assert most == allowed

    asyncio.run(run())


@pytest.mark.parametrize("is_waited_for", [True, False])
def test_what_is_done_meanwhile_raises_where_it_is_waited_for_and_ends_with_the_body(is_waited_for: bool) -> None:
    told: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0)
        raise ValueError

    async def endless() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            told.append("ended")

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(str(context)))
        async with meanwhile(endless()), meanwhile(work()) as task:
            await asyncio.sleep(0.01)
            if is_waited_for:
                with pytest.raises(ValueError):
                    await task
        assert task.done() and told == ["ended"]
        del task
        gc.collect()
        assert told == ["ended"], "nor does asyncio tell of it"

    asyncio.run(asyncio.wait_for(run(), 10))


def test_the_first_stop_ends_all_and_is_raised_as_itself() -> None:
    async def run() -> None:
        ended = []

        async def forever() -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                ended.append(True)

        async def fail() -> None:
            raise Stop(Kind.OSS_RIGHT, "key")

        with pytest.raises(Stop) as stop:
            async with together() as group:
                group.create_task(forever())
                await asyncio.sleep(0)
                group.create_task(fail())
        assert stop.value.problem.kind is Kind.OSS_RIGHT and ended == [True]

    asyncio.run(run())


@given(st.lists(st.integers(min_value=0, max_value=30), max_size=20), st.integers(min_value=0, max_value=40))
def test_a_budget_has_what_can_be_taken_without_waiting(sizes: list[int], size: int) -> None:
    async def run() -> None:
        budget = Budget(20)
        tasks = [asyncio.create_task(budget.take(taken)) for taken in sizes]
        await asyncio.sleep(0)
        told = budget.has(size)
        last = asyncio.create_task(budget.take(size))
        await asyncio.sleep(0)
        assert last.done() is told
        for task in (*tasks, last):
            task.cancel()
        await asyncio.gather(*tasks, last, return_exceptions=True)

    asyncio.run(run())
