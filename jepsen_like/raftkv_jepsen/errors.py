"""What a history or a log can be refused for. The command line turns these into one line and exit code 2."""


class JepsenError(Exception):
    """The root of what this package raises on purpose."""


class HistoryError(JepsenError):
    """The file, or a line of it, cannot be a history."""


class ModelError(JepsenError):
    """The history has an operation that the model does not know."""
