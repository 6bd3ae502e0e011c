"""Dask: two worker processes of four threads; all is in memory."""

from collections.abc import Sequence

from distributed import Client, LocalCluster
from measured import PROCESSES, WITHIN_S, run_command, serve


def job(_number: int) -> list[int | str]:
    """One job."""
    return run_command()


if __name__ == "__main__":
    with (
        LocalCluster(n_workers=PROCESSES, threads_per_worker=4, dashboard_address=None, host="127.0.0.1") as cluster,
        Client(cluster, timeout=WITHIN_S) as client,
    ):

        def many(count: int) -> Sequence[object]:
            """Submit, and read every result."""
            found: Sequence[object] = client.gather(client.map(job, range(count), pure=False))
            return found

        serve(many)
