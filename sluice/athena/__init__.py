"""What Athena is told: tables, views and named queries over the objects in S3."""
