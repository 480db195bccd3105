"""Define the exceptions that are shown as one line."""

import signal


class UserError(Exception):
    """Raised for something the user can put right: one line, no traceback, exit code 2.

    The message names the file or key, the value, and what is allowed.
    """

    exit_code = 2


class ChildDiedError(UserError):
    """Raised when a process that worked for this one ended by itself; no input is to blame.

    Shown as any UserError is, with an exit code of its own: that of "system error" in sysexits.h.
    """

    exit_code = 71

    @classmethod
    def from_exit_code(cls, what: str, exitcode: int | None) -> "ChildDiedError":
        """Build the error from a process's exit code.

        Args:
            what: the process, e.g. "a process that decodes images".
            exitcode: as `multiprocessing` and `subprocess` have it, negative for a signal.
        """
        if exitcode is None or exitcode >= 0:
            how = "ended" if exitcode is None else f"ended with exit code {exitcode}"
            return cls(f"{what} {how}; run it again")
        try:
            name = signal.Signals(-exitcode).name
        except ValueError:
            name = f"signal {-exitcode}"
        if name == "SIGKILL":
            return cls(
                f"{what} was killed (SIGKILL), as the system does when memory is short; make "
                "memory free and run it again"
            )
        return cls(f"{what} was ended by {name}; run it again")
