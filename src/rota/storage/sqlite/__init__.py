"""The stores on SQLite: one writer thread that commits all waiting requests at once, readers beside it."""
