"""``python -m fhir_adapter.cli``: the same program, where it is not on the path."""

from fhir_adapter.cli.main import main

main()
