"""What happens to a running system, on purpose and for real, and what becomes of every message meanwhile.

`stage` is the system: clients' side of the network, a balancer, aggregators, gates, Firehose and what it calls. `event`
is something that is done to it: by ECS (`deployments`, `tasks`), by the network (`network`, `proxy`), by the machine
(`machine`, `disk`, `clock`), by destinations (`destinations`, `edges`); `controls` are settings that are known to lose.
`measure` runs one under a load of every kind of client (`clients`), `matrix` all of them, `rows` say what has to hold,
`whole` is a run from beginning to end, and `page` makes docs/reliability.md of it.
"""
