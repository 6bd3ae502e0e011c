"""Participant Environments: the places where workers run, their credentials, and who calls."""
