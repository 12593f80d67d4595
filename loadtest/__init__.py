"""Send messages, and account for every one of them."""
