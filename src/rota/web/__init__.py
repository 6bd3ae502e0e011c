"""The pages: what runs, where, and what really happened. A program on top of the API, with the visitor's own token."""
