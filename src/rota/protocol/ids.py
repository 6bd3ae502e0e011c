"""Ids are opaque strings, sortable by time of creation; a type each, so that none is passed for another."""

from typing import NewType

JobId = NewType("JobId", str)
AttemptId = NewType("AttemptId", str)
WorkerId = NewType("WorkerId", str)
CredentialId = NewType("CredentialId", str)
Incarnation = NewType("Incarnation", str)
