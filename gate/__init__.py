"""The gate: what is acknowledged here, Firehose or Kinesis has.

A service that speaks the forward protocol, as Fluent Bit and Docker do, and holds nothing: a message is acknowledged
when every record of it was taken by PutRecordBatch or PutRecords, and until then it is the client's. So a task can be
lost with everything in it, and nothing that was acknowledged is. Why and at what cost: decision 0018.

This package ships in an image of its own (`gate/Dockerfile`) and imports nothing of ours.
"""
