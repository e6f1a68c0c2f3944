"""One module a score: pure functions from the domain to an Outcome. Each opens with its source."""
