"""``python -m loadtest.attacks``: what people at work feel while somebody attacks the same server.

``__main__``   starts a server, measures a bystander before and during each attack, prints the table
``bystander``  ten people of another project, who edit at a steady rate and time every delivery
``attacker``   the attacks; each runs in a process of its own, that gives way to all others
``apart``      keeps server, bystander and attacker out of each other's way
``wire``       a raw Socket.IO connection for both
"""
