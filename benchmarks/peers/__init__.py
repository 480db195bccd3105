"""Thawline's training against tools that one would otherwise take; see race.py."""
