"""The order in which ECS does things, seen by a balancer and tasks that write down what they are told."""

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from local.faults.fleet import Fleet, Times

TIMES = Times(drain=0.0, stop=0.2, restart=0.0)


class Happened(list[str]):
    """What was done, in order."""


class Balancer:
    def __init__(self, happened: Happened) -> None:
        self._happened = happened

    def register(self, target: Mapping[str, int]) -> None:
        self._happened.append(f"{target['forward']} healthy")

    def deregister(self, target: Mapping[str, int]) -> None:
        self._happened.append(f"{target['forward']} deregistered")

    def terminate(self, target: Mapping[str, int]) -> None:
        self._happened.append(f"{target['forward']} cut off")


class Program:
    """Ends at SIGTERM, or only at SIGKILL when it is stubborn."""

    def __init__(self, name: int, happened: Happened, *, stubborn: bool) -> None:
        self.exit_code: int | None = None
        self._name, self._happened, self._stubborn = name, happened, stubborn

    def send(self, number: signal.Signals) -> None:
        self._happened.append(f"{self._name} {number.name}")
        if number == signal.SIGKILL or not self._stubborn:
            self.exit_code = 0

    def stop(self) -> int:
        self.exit_code = 0
        return 0


class Task:
    def __init__(self, name: int, happened: Happened, folder: Path, *, stubborn: bool) -> None:
        self.ports = {"forward": name}
        self.folder = folder
        self.process = cast("Any", Program(name, happened, stubborn=stubborn))
        self._happened = happened

    def start(self) -> None:
        self._happened.append(f"{self.ports['forward']} started")
        (self.folder / "buffer").touch()

    def stop(self) -> int:
        return 0

    def kill(self) -> None:
        self._happened.append(f"{self.ports['forward']} killed")


class World:
    def __init__(self, folder: Path, *, stubborn: bool = False) -> None:
        self.happened = Happened()
        self._made, self._stubborn = 0, stubborn
        self.fleet = Fleet(self.make, folder=folder, balancer=cast("Any", Balancer(self.happened)), times=TIMES)

    def make(self, folder: Path) -> Task:
        self._made += 1
        return Task(self._made, self.happened, folder, stubborn=self._stubborn)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.fleet.launch()
    made.happened.clear()
    return made


def test_a_task_that_leaves_is_drained_and_cut_off_before_it_is_told(world: World) -> None:
    task = world.fleet.tasks[0]
    assert world.fleet.retire(task)
    assert world.happened == ["1 deregistered", "1 cut off", "1 SIGTERM"]
    assert world.fleet.tasks == []
    assert not task.folder.exists()


def test_a_task_that_does_not_end_is_killed_in_the_end(tmp_path: Path) -> None:
    world = World(tmp_path, stubborn=True)
    task = world.fleet.launch()
    assert not world.fleet.retire(task)
    assert world.happened[-2:] == ["1 SIGTERM", "1 SIGKILL"]


def test_a_deployment_has_new_tasks_in_service_before_an_old_one_leaves(world: World) -> None:
    world.fleet.rolling_deployment()
    assert world.happened == ["2 started", "2 healthy", "1 deregistered", "1 cut off", "1 SIGTERM"]
    assert [task.ports["forward"] for task in world.fleet.tasks] == [2]


def test_a_deployment_replaces_as_many_as_there_are(world: World) -> None:
    world.fleet.launch_many(2)
    world.fleet.rolling_deployment()
    assert sorted(task.ports["forward"] for task in world.fleet.tasks) == [4, 5, 6]


def test_a_crash_is_no_change_of_targets_and_keeps_the_disk(world: World) -> None:
    """Its port and its buffer are the same: the balancer finds out by itself."""
    task = world.fleet.tasks[0]
    (task.folder / "buffer").write_text("acknowledged")
    world.fleet.crash(task, times=2)
    assert world.happened == ["1 killed", "1 started", "1 killed", "1 started"]
    assert (task.folder / "buffer").read_text() == "acknowledged"
    assert world.fleet.tasks == [task]


def test_a_lost_task_is_gone_with_its_disk_and_replaced(world: World) -> None:
    lost = world.fleet.tasks[0]
    replacement = world.fleet.lose(lost)
    assert world.happened == ["1 killed", "1 cut off", "2 started", "2 healthy"]
    assert world.fleet.tasks == [replacement]
    assert not lost.folder.exists()
