"""Budgets: what may be used (policy), what has been used (ledger), and how a stop is told."""
