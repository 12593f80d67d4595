"""The commands stand in the table that `sluice` is made of."""

from importlib.metadata import entry_points

import pytest

from explain import commands


@pytest.mark.parametrize("name", ["explain", "transform"])
def test_the_command_line_has_the_command(name):
    (entry,) = entry_points(group="sluice.commands", name=name)
    assert entry.load() is getattr(commands, name)
