"""Fields that take what JSON says and nothing else: "1" is no integer, true is no number, text has a bound.

Each field is one of marshmallow's own with its standard validators on it, so that documents made from a schema show the
bounds, and has a `checker`: the same rule as one plain function, for `schemas.loading`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from marshmallow import ValidationError, fields, validate

#: Returns the value as it is to be used; raises `ValueError` (of any kind) for what the field does not take.
Checker = Callable[[Any], Any]

#: Integers beyond this are not exact in a JavaScript client (ECMA-262, Number.MAX_SAFE_INTEGER).
MAX_INTEGER: Final = 2**53 - 1

_NOT_TEXT: Final = re.compile(r"[\x00\ud800-\udfff]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def metadata(description: str, example: Any) -> dict[str, Any]:
    return {"description": description, "example": example}


class Text(fields.String):
    """Text of bounded length, in characters, without NUL and halves of surrogate pairs.

    ``pattern``: what the whole text must match. ``line``: control characters are refused too.
    """

    default_error_messages = {  # noqa: RUF012 - marshmallow's own way to say it
        "invalid": "Not a text.",
        "characters": "Has characters that cannot stand here.",
    }

    def __init__(
        self,
        description: str,
        example: str | None,
        *,
        maximum: int,
        minimum: int = 1,
        pattern: str | None = None,
        line: bool = False,
        **options: Any,
    ) -> None:
        validators: list[Callable[[Any], Any]] = [validate.Length(min=minimum, max=maximum)]
        if pattern is not None:
            validators.append(
                # `$` would let a line break stand at the end.
                validate.Regexp(rf"^{pattern}\Z", error="Does not have the form {regex}.")
            )
        super().__init__(validate=validators, metadata=metadata(description, example), **options)
        self.minimum, self.maximum = minimum, maximum
        self.pattern = pattern
        self.forbidden = _CONTROL if line else _NOT_TEXT

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if type(value) is not str:
            raise self.make_error("invalid")
        if self.forbidden.search(value):
            raise self.make_error("characters")
        return value

    def checker(self) -> Checker:
        minimum, maximum, forbidden = self.minimum, self.maximum, self.forbidden.search
        if self.pattern is not None:
            whole = re.compile(self.pattern).fullmatch

            def check_pattern(value: Any) -> Any:
                if type(value) is str and minimum <= len(value) <= maximum and whole(value) and not forbidden(value):
                    return value
                raise ValueError

            return check_pattern

        def check(value: Any) -> Any:
            if type(value) is str and minimum <= len(value) <= maximum and not forbidden(value):
                return value
            raise ValueError

        return check


class Choice(fields.String):
    """One of a few texts."""

    default_error_messages = {"invalid": "Not a text."}  # noqa: RUF012

    def __init__(self, description: str, choices: Sequence[str], **options: Any) -> None:
        self.choices = tuple(choices)
        super().__init__(
            validate=validate.OneOf(self.choices), metadata=metadata(description, self.choices[0]), **options
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if type(value) is not str:
            raise self.make_error("invalid")
        return value

    def checker(self) -> Checker:
        choices = frozenset(self.choices)

        def check(value: Any) -> Any:
            if type(value) is str and value in choices:
                return value
            raise ValueError

        return check


class Integer(fields.Integer):
    """A whole number that JSON wrote as one."""

    def __init__(
        self, description: str, example: int, *, minimum: int = 0, maximum: int = MAX_INTEGER, **options: Any
    ) -> None:
        super().__init__(
            strict=True,
            validate=validate.Range(min=minimum, max=maximum),
            metadata=metadata(description, example),
            **options,
        )
        self.minimum, self.maximum = minimum, maximum

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if type(value) is not int:
            raise self.make_error("invalid", input=value)
        return value

    def checker(self) -> Checker:
        minimum, maximum = self.minimum, self.maximum

        def check(value: Any) -> Any:
            if type(value) is int and minimum <= value <= maximum:
                return value
            raise ValueError

        return check


class Number(fields.Float):
    """A number, whole or not, within bounds (so neither infinite nor not-a-number)."""

    def __init__(self, description: str, example: float, *, minimum: float, maximum: float, **options: Any) -> None:
        super().__init__(
            validate=validate.Range(min=minimum, max=maximum), metadata=metadata(description, example), **options
        )
        self.minimum, self.maximum = minimum, maximum

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if type(value) not in (int, float) or value != value:
            raise self.make_error("invalid", input=value)
        number: float = value
        return number

    def checker(self) -> Checker:
        minimum, maximum = self.minimum, self.maximum

        def check(value: Any) -> Any:
            if type(value) in (int, float) and minimum <= value <= maximum:
                return value
            raise ValueError

        return check


class Flag(fields.Boolean):
    """true or false."""

    def __init__(self, description: str, example: bool, **options: Any) -> None:
        super().__init__(metadata=metadata(description, example), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if type(value) is not bool:
            raise self.make_error("invalid", input=value)
        return value

    def checker(self) -> Checker:
        def check(value: Any) -> Any:
            if type(value) is bool:
                return value
            raise ValueError

        return check


#: Bounds of a value as a message carries it. What may stand in which field is the core's to say; this only keeps what
#: nothing could take from travelling further.
MAX_VALUE_DEPTH: Final = 4
MAX_VALUE_NODES: Final = 500
MAX_VALUE_TEXT: Final = 32_000


def check_json(value: Any) -> Any:
    """Any JSON within bounds: depth, number of parts, characters in all. `ValidationError` beyond them."""
    kind = type(value)
    if kind is str:
        if len(value) <= MAX_VALUE_TEXT:
            return value
        raise ValidationError(f"Longer than {MAX_VALUE_TEXT} characters.")
    if value is None or kind in (int, float, bool):
        return value
    if kind not in (dict, list):
        raise ValidationError("Not a JSON value.")
    _check_parts(value)
    return value


def _check_parts(value: Any) -> None:
    level, nodes, size = [value], 0, 0
    for _ in range(MAX_VALUE_DEPTH):
        nodes += sum(len(part) for part in level)
        if nodes > MAX_VALUE_NODES:
            raise ValidationError(f"Has more than {MAX_VALUE_NODES} parts.")
        below: list[Any] = []
        for part in level:
            if type(part) is dict:
                size += sum(map(len, part))
            for item in part.values() if type(part) is dict else part:
                if type(item) is str:
                    size += len(item)
                elif type(item) in (dict, list):
                    below.append(item)
                elif item is not None and type(item) not in (int, float, bool):
                    raise ValidationError("Not a JSON value.")
        if size > MAX_VALUE_TEXT:
            raise ValidationError(f"Longer than {MAX_VALUE_TEXT} characters.")
        if not below:
            return
        level = below
    raise ValidationError(f"Nested deeper than {MAX_VALUE_DEPTH} levels.")


class JsonValue(fields.Raw):
    """Any JSON, null too, within the bounds of `check_json`."""

    def __init__(self, description: str, example: Any, **options: Any) -> None:
        super().__init__(allow_none=True, metadata=metadata(description, example), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return check_json(value)

    def checker(self) -> Checker:
        return check_json


class Listed(fields.List[Any]):
    """A JSON list of one kind of item, bounded."""

    def __init__(
        self,
        inner: fields.Field[Any],
        description: str,
        example: Any,
        *,
        maximum: int,
        minimum: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(
            inner,
            validate=validate.Length(min=minimum, max=maximum),
            metadata=metadata(description, example),
            **options,
        )
        self.minimum, self.maximum = minimum, maximum

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        if type(value) is not list:
            raise self.make_error("invalid")
        if len(value) > self.maximum:
            # Before the items are looked at: each of them could be wrong, and each would get a message.
            raise ValidationError(f"Longer than maximum length {self.maximum}.")
        return super()._deserialize(value, attr, data, **kwargs)
