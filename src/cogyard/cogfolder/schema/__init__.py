"""The OpenAPI document of a Cog model, in the shape that Cog's own builder gives it.

`derive_schema` reads the source and runs nothing. Where only running tells (a default that is computed, choices from a
call), it raises `NeedsImport`, and `derive_schema_by_import` imports the model in a child process instead. Both give
the same facts (`facts`), which `document` turns into the document.
"""

from cogyard.cogfolder.schema.child import derive_schema_by_import
from cogyard.cogfolder.schema.document import check_schema, for_serving, for_training
from cogyard.cogfolder.schema.errors import NeedsImport, SchemaError
from cogyard.cogfolder.schema.static import PredictorFacts, derive_schema, predictor_facts

__all__ = [
    "NeedsImport",
    "PredictorFacts",
    "SchemaError",
    "check_schema",
    "derive_schema",
    "derive_schema_by_import",
    "for_serving",
    "for_training",
    "predictor_facts",
]
