"""How resources travel; nothing here knows the trial or the workspace.

- ``resource``: one resource as bytes, and the way between bytes and objects.
- ``server``: a FHIR server to search, read and write; ``search`` and ``history`` follow its pages,
  ``transport`` carries one request, ``bundle`` cuts answers into resources, ``answers`` says what became of
  what was written, ``abilities`` what the server announces.
- ``folder``: the same for a folder of NDJSON.
- ``transaction``: what is written, and what came back.
- ``credentials``: who we are to a server.
"""
