"""The canary: tracers for ever through every route, and a look at what became of each. Runs as one Lambda function.

A tracer is a record with a marker (`loadtest.marker`) whose run is the environment, whose source is the route, and
whose sequence number is its minute and its place in it. So a tracer says by itself when it was sent, and nothing has to
remember which there are: minute M has the numbers 60 M to 60 M + n - 1. What is kept, under `canary/` in the bucket:

| Object | Holds |
|---|---|
| `canary/sent/<minute>.json` | that somebody sends this minute; then what was acknowledged |
| `canary/state.json` | how far each route is judged, what was seen of the last half hour, which objects were read |

Both are written on a condition (If-None-Match, If-Match): of invocations that overlap, or that Lambda runs twice, one
sends and one tells. Cost: docs/decisions/0019-canary.md. Needs msgpack and what Lambda's runtime has.
"""
