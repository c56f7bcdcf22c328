"""Time daemons against each other in the simulator clknetsim; clknetsim_accuracy.py is the command."""
