"""Send a planned load, open loop, from processes of its own, and write down what was sent and acknowledged.

Megabytes and bytes are those of the messages alone: what stands in `log`, without the record around it.
"""

from loadtest.drive.driver import Address, Driver, DriverError, Progress

__all__ = ["Address", "Driver", "DriverError", "Progress"]
