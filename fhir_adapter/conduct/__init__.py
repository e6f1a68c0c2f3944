"""How the trial was carried out: who may enter, how the drugs were given, what the laboratory proposes.

Pure functions on the terms of ``trial``; stands on ``scores``. No FHIR, no I/O.
"""
