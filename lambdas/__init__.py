"""What ships to Lambda. Imports nothing of ours but itself, so that an asset is this package and its dependencies."""
