"""Participant JobScheduler: decides what follows what has ended; the others treat every result alike."""
