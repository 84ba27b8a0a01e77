"""`python -m sampan.cli`, where the script `sampan` is not on the path."""

from sampan.cli.main import main

main()
