"""What money people set and see: budgets, costs, plans, history, runs."""
