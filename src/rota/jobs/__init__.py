"""Participant Job: jobs wait here, are leased to workers, and keep what came back."""
