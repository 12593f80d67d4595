"""What a run of the matrix runs on: the configuration as it is, with a listener for the gate."""

from pathlib import Path

import yaml

from local.faults.clients import addresses, kind_of, profile_of, route_of
from local.faults.whole import with_gate
from sluice.load import load
from sluice.model import deployment

CONFIG = Path(__file__).resolve().parents[3] / "sluice.yaml"


def test_a_listener_that_acknowledges_what_was_accepted_is_added_and_nothing_else_changes(tmp_path: Path) -> None:
    file, config = with_gate(CONFIG, tmp_path)
    plain = load(CONFIG)
    assert [listener.acknowledge for listener in config.listeners] == ["stored", "accepted"]
    assert config.model_copy(update={"listeners": plain.listeners}) == plain
    assert load(file) == config


def test_a_configuration_that_has_one_is_run_as_it_is(tmp_path: Path) -> None:
    written = yaml.safe_load(CONFIG.read_text())
    written["listeners"] = [{"name": "a"}, {"name": "b", "port": 5000, "acknowledge": "accepted"}]
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump(written))
    assert with_gate(own, tmp_path / "unused")[0] == own


def test_every_kind_of_client_sends_to_each_kind_of_destination_and_the_gate_to_its_own_address() -> None:
    here = deployment(load(CONFIG), "dev")
    profile = profile_of("crash", here, gate=True)
    to = addresses(profile, to=("a", 1), gate_to=("b", 2))
    routes = {route.name: route.destination.kind for route in here.routes}
    for client in ("docker", "firelens", "agent", "no-ack", "gate"):
        loads = [load for load in profile.loads if kind_of(load.name).name == client]
        assert {routes[route_of(here, load.tag)] for load in loads} == {"s3", "opensearch"}
        assert {to[load.name] for load in loads} == {("b", 2) if client == "gate" else ("a", 1)}
        assert all(load.ack == (client != "no-ack") for load in loads)
    tracers = [load for load in profile.loads if load.tracer]
    assert [load.rate for load in tracers] == [18, 18]
    assert not any(kind_of(load.name).name == "gate" for load in profile_of("crash", here, gate=False).loads)
