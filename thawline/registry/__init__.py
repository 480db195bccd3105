"""Registered models: publish, gate, promote, restore."""
