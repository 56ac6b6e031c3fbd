"""The command line: parses, calls :mod:`envspec.api`, shows what comes back."""
