"""The analytic world: simple dynamics, so that the best possible score is known."""
