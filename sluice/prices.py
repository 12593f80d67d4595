"""What AWS asks, in US dollars in us-east-1, each figure once and with its source.

Looked up in 2026; other regions differ, by a tenth as a rule. They are for comparing choices, not for a budget.
"""

from typing import Final

# https://aws.amazon.com/firehose/pricing/ (the first 500 TB of a month)
FIREHOSE_PER_GB: Final = 0.029
FIREHOSE_ROUNDS_TO_BYTES: Final = 5 * 1024
PARTITIONING_PER_GB: Final = 0.020
PARQUET_PER_GB: Final = 0.018
FIREHOSE_VPC_PER_GB: Final = 0.01
FIREHOSE_VPC_ZONE_HOUR: Final = 0.01
# https://aws.amazon.com/kinesis/data-streams/pricing/
KINESIS_ON_DEMAND_HOUR: Final = 0.04
KINESIS_IN_PER_GB: Final = 0.08
KINESIS_OUT_PER_GB: Final = 0.04
KINESIS_ROUNDS_TO_BYTES: Final = 1024
KINESIS_SHARD_HOUR: Final = 0.015
KINESIS_PER_UNIT: Final = 0.014 / 1_000_000
KINESIS_UNIT_BYTES: Final = 25 * 1024

# https://aws.amazon.com/fargate/pricing/ (Linux, by the processor's name in sluice.yaml)
FARGATE_VCPU_HOUR: Final = {"x86_64": 0.04048, "arm64": 0.03238}
FARGATE_GB_HOUR: Final = {"x86_64": 0.004445, "arm64": 0.00356}

HOURS_PER_MONTH: Final = 730
