"""An error of a command's own."""

from rota.cli.exit_codes import Code


class Failure(Exception):
    """What is wrong, what to do, and the exit code."""

    def __init__(self, message: str, advice: str = "", code: int = Code.OUR_SIDE) -> None:
        super().__init__(message)
        self.message, self.advice, self.code = message, advice, int(code)
