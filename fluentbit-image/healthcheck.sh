#!/bin/bash
# Healthy means: the aggregator takes a record and acknowledges it, or it says that it is holding back.
#
# The probe speaks the forward protocol to the real port and waits for the acknowledgement, so it fails when
# the process is gone, wedged, or cannot write its buffer. An aggregator that has paused its input is full of
# logs that Firehose does not take yet: replacing it would destroy them, so that is healthy.
# What the destination does is not asked: no restart would mend it. The probe's tag is routed nowhere.
#
# usage: healthcheck.sh [forward port] [metrics port]
set -u
export LC_ALL=C
forward_port=${1:-24224}
metrics_port=${2:-2020}
patience=4 # seconds, each time

acknowledges() {
    local answer=""
    exec 3<>"/dev/tcp/127.0.0.1/$forward_port" || return 1
    # [tag, time 0, {"probe": "health"}, {"chunk": "health"}] in MessagePack
    printf '\x94\xadsluice.health\x00\x81\xa5probe\xa6health\x81\xa5chunk\xa6health' >&3
    # {"ack": "health"}
    read -r -t "$patience" -N 12 -u 3 answer
    exec 3>&-
    [[ $answer == $'\x81\xa3ack\xa6health' ]]
}

holds_back() {
    local line
    exec 4<>"/dev/tcp/127.0.0.1/$metrics_port" || return 1
    printf 'GET /api/v2/metrics/prometheus HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&4
    while read -r -t "$patience" -u 4 line; do
        [[ $line == fluentbit_input_ingestion_paused*' 1'* ]] && return 0
    done
    return 1
}

{ acknowledges || holds_back; } 2>/dev/null
