"""What ships to AWS Lambda; imports nothing else of this repository."""
