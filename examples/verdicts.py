"""Told of every verdict as it falls: nobody asks again and again."""

from rota import Client

CODES = {"small": 0, "large": 3}

with Client() as rota:
    events = rota.events(types=["dev.rota.job.decided"])
    waiting = {rota.submit(script=f"exit {code}", name=name).id for name, code in CODES.items()}
    for event in events:
        if event.subject not in waiting:
            continue  # somebody else's
        job = event.data
        print(f"{job['name']}: {job['verdict']}, exit code {job['result']['exit_code']}")
        waiting.remove(event.subject)
        if not waiting:
            break
    events.close()
