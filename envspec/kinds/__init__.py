"""The kinds of resource, one file each; :mod:`envspec.kinds.every` lists them."""
