"""What a live run can be refused for; the command line turns it into one line and exit code 2."""


class LiveError(Exception):
    """The run cannot be made, here or with these options."""
