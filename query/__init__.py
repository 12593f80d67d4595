"""Reading what was delivered: searches over OpenSearch, or over the objects in S3."""
