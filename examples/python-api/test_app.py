"""Tests of the API."""

import io
import json
import unittest

from app import app


class HelloTest(unittest.TestCase):
    """What callers see."""

    def test_greets_by_name(self) -> None:
        """A name in the path comes back in the message."""
        seen: list[str] = []
        request = {"REQUEST_METHOD": "GET", "PATH_INFO": "/hello/Ada", "wsgi.input": io.BytesIO()}
        body = b"".join(app.wsgi(request, lambda status, *_: seen.append(status)))
        assert seen == ["200 OK"]
        assert json.loads(body) == {"message": "Hello, Ada!"}


if __name__ == "__main__":
    unittest.main()
