"""The one exception that means: the user's input is wrong, and the message is written for them."""


class InputError(ValueError):
    """Bad input from outside: a file, a manifest, a name or an option.

    The message is one line that says what was expected, what came, and what to type. The command line prints it
    without a traceback and exits with 1.
    """
