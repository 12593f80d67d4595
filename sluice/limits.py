"""What AWS and Fluent Bit allow, each figure once and with its source.

Checked against the pages named here in November 2026; a figure marked "quota" can be raised on request.
"""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * 1024

# https://docs.aws.amazon.com/firehose/latest/APIReference/API_BufferingHints.html
S3_BUFFER_MIB: Final = (1, 128)
S3_BUFFER_SECONDS: Final = (0, 900)
# https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html (megabytes, not mebibytes)
# Firehose takes up to 3; but documents are up to two and a half times as large as what Docker and FireLens send, and an
# answer holds 6 MB of base64.
TRANSFORM_BUFFER_MB: Final = (0.2, 1.5)
TRANSFORM_BUFFER_SECONDS: Final = (0, 900)
TRANSFORM_TIMEOUT_SECONDS: Final = 300
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_CreateDeliveryStream.html
STREAM_NAME_LENGTH: Final = 64

# https://docs.aws.amazon.com/firehose/latest/APIReference/API_AmazonopensearchserviceBufferingHints.html and
# API_AmazonopensearchserviceRetryOptions.html
SEARCH_BUFFER_MIB: Final = (1, 100)
SEARCH_RETRY_SECONDS: Final = (0, 7200)
# https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning.html (a quota) and
# https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html: both want these buffers.
ACTIVE_PARTITIONS: Final = 500
PARTITIONED_BUFFER_MIB: Final = 64
PARTITIONED_BUFFER_SECONDS: Final = 60
# https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html
KINESIS_RETENTION_HOURS: Final = (24, 8760)
# https://docs.aws.amazon.com/opensearch-service/latest/developerguide/limits.html
SEARCH_DOMAIN_NAME_LENGTH: Final = 28
SEARCH_VOLUME_GIB: Final = (10, 12_288)
# https://docs.aws.amazon.com/opensearch-service/latest/developerguide/serverless-create.html
COLLECTION_NAME_LENGTH: Final = 32

# https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
FUNCTION_NAME_LENGTH: Final = 64
LAMBDA_MEMORY_MB: Final = (128, 10240)
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: all variables together, measured as one JSON
# object with the quotes in the values escaped, as the error shows that Lambda raises beyond it
# (https://github.com/github-aws-runners/terraform-aws-github-runner/issues/3594).
LAMBDA_ENVIRONMENT_BYTES: Final = 4096

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_NAME_LENGTH: Final = 63
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
ROLE_NAME_LENGTH: Final = 64
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
LOAD_BALANCER_NAME_LENGTH: Final = 32
# The longest names that stand in for what is not known before the deployment.
ACCOUNT_ID_LENGTH: Final = 12
LONGEST_REGION: Final = "ap-southeast-1"

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
FARGATE_MEMORY_MIB: Final[dict[int, tuple[int, ...]]] = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
    8192: tuple(range(16384, 61440 + 1, 4096)),
    16384: tuple(range(32768, 122880 + 1, 8192)),
}
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-storage.html
EPHEMERAL_STORAGE_GIB: Final = (20, 200)
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html (stopTimeout)
STOP_TIMEOUT_SECONDS: Final = 120

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/register-multiple-targetgroups.html
TARGET_GROUPS_PER_SERVICE: Final = 5

# https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
VPC_PREFIX_LENGTH: Final = (16, 28)
SUBNET_PREFIX_LENGTH: Final = 28

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
LOG_RETENTION_DAYS: Final = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)

# Fluent Bit writes a chunk of about this size before it starts another (FLB_INPUT_CHUNK_FS_MAX_SIZE).
FLUENT_BIT_CHUNK_BYTES: Final = 2_048_000
