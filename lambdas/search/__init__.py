"""What ships to Lambda beside the transformer: setting OpenSearch up, and showing what failed."""
