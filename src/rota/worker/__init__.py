"""The participant Worker: asks for jobs, runs them, reports them. Source: flows.md; architecture.md, "two processes".

`daemon.py` starts it, `loop.py` is the diagram, `shepherd/` is the second process.
"""
