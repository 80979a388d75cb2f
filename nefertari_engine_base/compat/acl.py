"""What fields of nefertari-guards have in common, whatever stores them; imported only
where it is installed."""

from __future__ import annotations

from typing import Any

from nefertari_guards.base import ACL_TYPE_MAPPING, ACLEncoderMixin

from nefertari_engine_base.values import access

__all__ = ["ACL_TYPE_MAPPING", "Encoder", "stored_list"]


class Encoder(ACLEncoderMixin):  # type: ignore[misc]
    """A mixin: what nefertari-guards calls on its field besides storing it."""

    @classmethod
    def stringify_acl(cls, value: Any) -> list[dict[str, str]]:
        """A list of Pyramid in the form that is stored."""
        return stored_list(value)


def stored_list(value: Any) -> list[dict[str, str]]:
    """An access control list of Pyramid, or of nefertari-guards, as it is stored.

    A method means that there is no list: Ramses takes the one of its factories for a
    default, which belongs to a collection and to the request that made the factory.

    :raises ValueError: for what is no list, or has a permission that nefertari lacks.
    """
    if value is None or callable(value):
        return []
    try:
        entries = access.checked(ACLEncoderMixin.stringify_acl(value))
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{value!r} is not an access control list") from error
    ACLEncoderMixin().validate_acl(entries)
    return entries
