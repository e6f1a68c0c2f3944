"""ESSDAI levels that laboratory values propose. A proposal never stands in for a rating.

The rated level wins; a data query arises only where it lies outside the proposal's bounds, and a missing
rating is never filled (dossier §1.4, §14.1, §14.20, §14.23).
"""
