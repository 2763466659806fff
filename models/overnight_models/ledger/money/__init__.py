"""Money that may be spent and was: budgets, their settlement, costs, plans, history, runs."""
