"""The Firehose transformer."""
