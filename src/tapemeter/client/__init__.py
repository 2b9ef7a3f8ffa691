"""The program's own way to call a model; its calls are recorded, replayed and metered like anyone's."""
