"""``python -m realtime_server`` is the command ``realtime-server``."""

from realtime_server.cli import main

main()
