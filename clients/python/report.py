"""What every client's report is made of: a line a check, with what the client saw; `!` stands before an error."""

import os

PORT = os.environ["PGPORT"]
HOST = "127.0.0.1"

# It does not end by itself.
LONG = "SELECT sum(a.i * b.i) FROM generate_series(1, 20000000) AS a (i), generate_series(1, 20000000) AS b (i)"


def check(name, do):
    """Prints what the check gives, or its error."""
    try:
        print(f"{name}: {do()}")
    except Exception as error:  # what a client raises is what is tested
        code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""
        print(f"{name}: ! {type(error).__name__} {code} {str(error).splitlines()[0]}")
