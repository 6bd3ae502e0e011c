"""The worker's second process: starts, watches and ends the jobs' processes. It knows no credential and no network."""
