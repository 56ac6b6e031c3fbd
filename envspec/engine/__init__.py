"""The seam to an engine: its protocol, the real one, and the fake one that keeps the same contract."""
