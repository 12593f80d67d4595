"""A small shop: the real applications whose logs the demo ships."""
