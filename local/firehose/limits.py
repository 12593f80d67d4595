"""What Amazon Data Firehose and Lambda refuse, as numbers with their source.

These are kept apart from the limits of the code under test on purpose: a stand-in that took its
limits from what it checks would agree with every mistake made there.
"""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
RECORDS_PER_CALL: Final = 500
# The same page. Counted over the records before base64: four records of exactly 1,000 KiB are taken.
BYTES_PER_CALL: Final = 4 * MIB
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_Record.html (before base64)
BYTES_PER_RECORD: Final = 1000 * KIB

# https://docs.aws.amazon.com/firehose/latest/APIReference/API_BufferingHints.html
BUFFER_MIB_RANGE: Final = (1, 128)
BUFFER_SECONDS_RANGE: Final = (0, 900)
DEFAULT_BUFFER_MIB: Final = 5
DEFAULT_BUFFER_SECONDS: Final = 300

# https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
LAMBDA_BUFFER_MB_RANGE: Final = (0.2, 3.0)
LAMBDA_BUFFER_SECONDS_RANGE: Final = (0, 900)
DEFAULT_LAMBDA_BUFFER_MB: Final = 1.0
DEFAULT_LAMBDA_BUFFER_SECONDS: Final = 60
# https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
DEFAULT_LAMBDA_RETRIES: Final = 3

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html says 6 MB for a synchronous
# invocation's request and for its response; the number is the one that Lambda's own error names.
LAMBDA_PAYLOAD_BYTES: Final = 6_291_556

# https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
EVALUATED_PREFIX_CHARACTERS: Final = 512

# https://docs.aws.amazon.com/firehose/latest/APIReference/API_ListDeliveryStreams.html
STREAMS_PER_LIST: Final = 10
STREAMS_PER_LIST_RANGE: Final = (1, 10_000)

# https://docs.aws.amazon.com/firehose/latest/dev/buffering.html: a quota. CreateDeliveryStream says the first of the
# least values itself ("BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled.").
ACTIVE_PARTITIONS: Final = 500
PARTITIONED_BUFFER_MIB_RANGE: Final = (64, 128)
PARTITIONED_BUFFER_SECONDS_RANGE: Final = (60, 900)

# https://docs.aws.amazon.com/firehose/latest/APIReference/API_AmazonopensearchserviceBufferingHints.html and
# API_AmazonopensearchserviceRetryOptions.html; those of the serverless offering are the same.
SEARCH_BUFFER_MIB_RANGE: Final = (1, 100)
SEARCH_BUFFER_SECONDS_RANGE: Final = (0, 900)
SEARCH_RETRY_SECONDS_RANGE: Final = (0, 7200)
DEFAULT_SEARCH_RETRY_SECONDS: Final = 300

# https://docs.aws.amazon.com/firehose/latest/dev/writing-with-kinesis-streams.html: once a second for each shard.
POLL_SECONDS: Final = 1.0
# https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html: five calls a second for each shard.
POLL_SECONDS_WHEN_BEHIND: Final = 0.2
