"""Participant WorkerRegistry: who the workers are, what they say they do, and the permission to execute."""
