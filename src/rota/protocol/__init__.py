"""The language that all participants speak. Source: protocol.md and flows.md.

`participants.py` is the sequence diagram as Python; each message has a file of its own.
"""
