"""One file per command: a function `command` whose signature is the command line and whose docstring is its help.

They import what costs time inside that function: `sampan --help` imports every module here.
"""
