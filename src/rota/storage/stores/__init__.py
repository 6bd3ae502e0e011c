"""The storage ports, one file an owner: what a participant asks of its store, whichever database it is."""
