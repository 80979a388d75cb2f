"""One family of errors. The message says what to do.

Errors of configuration are raised while the application starts; errors of a
request carry an HTTP status in :attr:`EngineError.status`, which the exception
view of :mod:`nefertari_engine_base.config` answers with.
"""

from __future__ import annotations


class EngineError(Exception):
    """Root of the family.

    :attr status: the HTTP status that says the same to a client.
    """

    status = 500


class ConfigurationError(EngineError):
    """The application cannot start like this."""


class UnmappableField(ConfigurationError):
    """A field has a type that has no meaning in an index."""

    def __init__(
        self, model: str, field: str, type_name: str, advice: str = ""
    ) -> None:
        super().__init__(
            f"{model}.{field} is of type {type_name}, which has no counterpart in "
            f"the secondary engine. Leave it out with @secondary(exclude="
            f'("{field}",)), or say how to map it with @secondary(fields='
            f'{{"{field}": ...}}). {advice}'.rstrip()
        )
        self.model = model
        self.field = field


class MissingInverse(ConfigurationError):
    """A relation that documents embed, or that computed fields depend on, cannot be
    followed back to these documents."""

    def __init__(
        self, model: str, path: str, reason: str, verb: str = "embeds"
    ) -> None:
        super().__init__(
            f"{model} {verb} {path!r}, and a change there could not be followed "
            f"back to the documents of {model}: {reason}. Mend the relation, or "
            f'declare @secondary(nested={{"{path}": Nested(reindex="never")}}) if '
            f"stale copies are acceptable."
        )
        self.model = model
        self.path = path


class UnknownModel(EngineError, ValueError):
    """No model of this name or class is known to the engines."""


class SecondaryOwnedError(EngineError):
    """A generated document was asked to write itself."""

    def __init__(self, model: str, method: str) -> None:
        super().__init__(
            f"{model}.secondary documents are derived: {method}() would be undone "
            f"by the next change of the {model} it comes from. Change and save "
            f"the {model} itself; its document follows."
        )


class QueryError(EngineError, ValueError):
    """A query that no engine can answer, because the query is wrong."""

    status = 400


class InvalidParameter(QueryError):
    """A parameter of a read has a bad name or value."""

    def __init__(self, parameter: str, problem: str) -> None:
        super().__init__(f"Parameter {parameter!r}: {problem}")
        self.parameter = parameter


class InvalidDocumentId(QueryError):
    """An id that cannot be an id of this model."""

    def __init__(self, model: str, value: object, expected: str) -> None:
        super().__init__(f"{value!r} is no id of {model}: expected {expected}.")


class DocumentNotFound(EngineError, LookupError):
    """No such document."""

    status = 404


class SecondaryUnavailable(EngineError):
    """The search engine did not answer, and nobody else can."""

    status = 503


class SecondaryError(EngineError):
    """The search engine answered with an error that is no fault of the query."""

    status = 502


class PrimaryError(EngineError):
    """The primary's database did not do what delivery needs of it."""


class UncapturedStatement(PrimaryError):
    """A statement that changes rows which cannot be known, where the settings refuse
    such; nothing of it can be committed."""


class ConversionError(EngineError, ValueError):
    """A value cannot be turned into its form in the index, or back."""
