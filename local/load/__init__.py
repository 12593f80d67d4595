"""`sluice loadtest`: a load onto an aggregator, here or in AWS, and the account of every message of it."""
