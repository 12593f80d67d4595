"""The local run: emulator, Firehose and Fluent Bit on loopback."""
