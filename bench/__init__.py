"""What tapemeter costs, beside its peers and the floor, in one run: `python -m bench`."""
