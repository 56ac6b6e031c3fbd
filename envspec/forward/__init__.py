"""What of the user's own goes inside: git's configuration, the token of GitHub's CLI, SSH keys or their agent."""
