"""The transformer of a route: Firehose records in, documents of one schema out."""
