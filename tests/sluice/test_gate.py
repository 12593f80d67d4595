"""Listeners that acknowledge what was accepted: what may be configured, and what clients are told."""

import pytest
import yaml
from typer.testing import CliRunner

from sluice import cli, client, local_run
from sluice.load import load
from sluice.model import Architecture, deployment
from sluice.problems import ConfigError

BASE = {
    "name": "shop",
    "environments": {"dev": {"region": "eu-west-1"}, "prod": {"gate": {"max_tasks": 20}}},
    "listeners": [{"port": 24224}, {"name": "kept", "port": 24225, "acknowledge": "accepted"}],
}


@pytest.fixture
def write(tmp_path):
    def written(**over):
        file = tmp_path / "sluice.yaml"
        file.write_text(yaml.safe_dump({**BASE, **over}))
        return file

    return written


def problems(file):
    with pytest.raises(ConfigError) as caught:
        load(file)
    return {(problem.key, problem.message) for problem in caught.value.problems}


def test_environments_may_differ_in_its_sizes(write):
    config = load(write(gate={"cpu": 512, "memory_mib": 1024}))
    assert deployment(config, "dev").gate.max_tasks == 10
    assert (deployment(config, "prod").gate.max_tasks, deployment(config, "prod").gate.cpu) == (20, 512)


@pytest.mark.parametrize(
    ("over", "key", "told"),
    [
        ({"gate": {"cpu": 2048}}, "gate.cpu", "no such choice"),
        ({"gate": {"memory_mib": 512}}, "gate.memory_mib", "does not pair"),
        ({"gate": {"min_tasks": 1}}, "gate.min_tasks", "fewer tasks than availability zones"),
        ({"gate": {"max_tasks": 1}}, "gate.max_tasks", "fewer than min_tasks"),
        ({"listeners": [{"acknowledge": "accepted"}]}, "listeners", "no listener is the aggregator's"),
        ({"listeners": [{"acknowledge": "delivered"}]}, "listeners[0].acknowledge", "no such choice"),
    ],
)
def test_what_cannot_be_deployed_is_told(write, over, key, told):
    assert any(key == at and told in message for at, message in problems(write(**over)))


def test_clients_are_sent_to_the_aggregator_unless_they_name_the_gate(write):
    here = deployment(load(write(listeners=list(reversed(BASE["listeners"])))), "dev")
    assert client.address(here)[1] == 24224
    assert client.address(here, here.listening("accepted")[0])[1] == 24225


def test_dockers_driver_at_a_gate_is_told_what_it_costs(write):
    run = CliRunner().invoke
    plain = run(cli.app, ["client", "fluentd", "--tag", "t", "--config", str(write())])
    assert (plain.exit_code, "waits" in plain.stderr) == (0, False)
    warned = run(cli.app, ["client", "fluentd", "--tag", "t", "--listener", "kept", "--config", str(write())])
    assert warned.exit_code == 0
    assert "waits for its acknowledgement" in warned.stderr
    assert ":24225" in warned.stdout
    sidecar = run(cli.app, ["client", "firelens", "--tag", "t", "--listener", "kept", "--config", str(write())])
    assert ('"Port": "24225"' in sidecar.stdout, sidecar.stderr) == (True, "")
    wrong = run(cli.app, ["client", "fluentd", "--tag", "t", "--listener", "keep", "--config", str(write())])
    assert (wrong.exit_code, "forward, kept" in wrong.stderr) == (2, True)


def test_the_local_run_needs_no_docker_for_it(write):
    here = local_run.local_deployment(load(write()), architecture=Architecture.X86_64, python="3.11", search=None)
    assert here.gate.image_uri == local_run.GATE_IMAGE
