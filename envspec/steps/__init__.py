"""What a plan runs: typed steps, each of one engine verb or one operation inside a container."""
