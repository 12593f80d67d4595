"""The core: one frozen model of a deployment, and the pure functions that turn it into text."""
