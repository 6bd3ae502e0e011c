"""The SDK in five lines: submit, wait, read."""

from rota import Client

with Client() as rota:
    job = rota.submit(command=["sh", "-c", "echo hello; exit 3"]).wait()
    print(job.log().decode(), "exit code", job.exit_code)
