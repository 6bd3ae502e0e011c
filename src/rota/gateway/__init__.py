"""Participant WorkerGateway: passes on between workers and the Job service; keeps nothing."""
