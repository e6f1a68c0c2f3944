"""The steps that join the rooms below: pull, score, push, and the run of all three."""
