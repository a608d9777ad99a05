"""At-risk alerts as rules without state of their own: serving runs them nightly, evaluation replays them."""
