"""The spec: the words of the file, and loading it with the line of every fault."""
