"""Latency, memory and operations of a network."""
