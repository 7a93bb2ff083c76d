"""`python stack/deploy/answers.py URL` exits 0 if a GET of URL answers 200: the image checks its health."""

import sys
import urllib.request

TIMEOUT_S = 3


def main() -> int:
    """0 if it answers, else 1, with the reason on standard error."""
    try:
        with urllib.request.urlopen(sys.argv[1], timeout=TIMEOUT_S) as answer:  # noqa: S310  our own URL
            return 0 if answer.status == 200 else 1
    except OSError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
