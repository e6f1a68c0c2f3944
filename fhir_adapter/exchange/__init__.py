"""How resources travel: FHIR servers, folders of NDJSON, and the credentials of both.

Nothing here knows the trial or the workspace.
"""
