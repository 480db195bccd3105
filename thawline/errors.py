"""The one exception that stands for a user's mistake."""


class UserError(Exception):
    """Something the user can put right: shown as one line, without a traceback, exit code 2.

    The message names the file or key, the value, and what is allowed.
    """

    exit_code = 2
