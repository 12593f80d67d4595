"""A real Fluent Bit delivers through the local Firehose, packed and over verified TLS."""

import json
import os
import re
import shutil
import subprocess

import pytest

from local.firehose import Faults, Firehose, make_certificate, serve

NAME = "sluice-test-web"
LINES = 3000
PATIENCE = 240


def find_fluent_bit() -> str:
    """The path of a Fluent Bit 5, which has `port` and `simple_aggregation`; skips the test without one."""
    command = os.environ.get("FLUENT_BIT") or shutil.which("fluent-bit")
    if command is None:
        pytest.skip("no fluent-bit on PATH or in FLUENT_BIT")
    version = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout
    if not re.search(r"v5\.", version):
        pytest.skip(f"{command} is not a Fluent Bit 5: {version.splitlines()[0]}")
    return command


def configuration(source, server) -> str:
    return f"""
service:
  flush: 0.2
  grace: 120
  log_level: info
  scheduler.base: 1
  scheduler.cap: 1
pipeline:
  inputs:
    - name: tail
      path: {source}
      read_from_head: true
      exit_on_eof: true
      buffer_max_size: 1M
      tag: web
  outputs:
    - name: kinesis_firehose
      match: web
      region: eu-west-1
      delivery_stream: {NAME}
      endpoint: {server.host}
      port: {server.port}
      tls.ca_file: {server.ca_file}
      time_key: _time
      time_key_format: '%Y-%m-%dT%H:%M:%S.%9NZ'
      simple_aggregation: on
      retry_limit: no_limits
"""


@pytest.mark.fluent_bit
def test_every_line_of_a_real_fluent_bit_arrives(stream, function, bucket, tmp_path):
    command = find_fluent_bit()
    source = tmp_path / "access.log"
    source.write_text("".join(f"line {number}\n" for number in range(LINES)))
    config = tmp_path / "fluent-bit.yaml"
    keys = {"AWS_ACCESS_KEY_ID": "dummy", "AWS_SECRET_ACCESS_KEY": "dummy"}

    with (
        Firehose([stream(compression="GZIP")], invoke=function.invoke, put_object=bucket.put_object) as firehose,
        serve(firehose, certificate=make_certificate(tmp_path / "tls")) as server,
    ):
        firehose.inject(Faults(throttle=True), seconds=1)
        config.write_text(configuration(source, server))
        ran = subprocess.run(
            [command, "-c", str(config)],
            env={**os.environ, **keys},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert firehose.drain(timeout=PATIENCE)

    delivered = [json.loads(line) for line in bucket.delivered().splitlines() if line]
    assert {line["log"] for line in delivered} == {f"line {number}" for number in range(LINES)}, ran.stderr
    assert all(re.fullmatch(r"[-0-9]{10}T[:0-9]{8}\.\d{9}Z", line["_time"]) for line in delivered)
    assert firehose.counts()[NAME].incoming < LINES, "lines were packed"
