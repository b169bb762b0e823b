"""Loading a request quickly: each schema compiled, once, into plain functions. The schema stays the one definition.

Hot path: one call per event; how much it saves prints `python -m loadtest.bench_schemas`. marshmallow's own `load` is
still what decides whenever anything is wrong: the quick way only ever says yes to what `load` says yes to, with the
same result, and leaves every refusal, with its messages, to `load` itself. That the two agree is proven for random
input in ``tests/documents/test_loading.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, missing
from marshmallow.decorators import VALIDATES_SCHEMA
from marshmallow.exceptions import MarshmallowError
from marshmallow.fields import Field

from schemas.strict import Checker, Flag, Listed

Loader = Callable[[Any], dict[str, Any]]

#: Unknown fields that are named one by one.
_UNKNOWN_FIELDS: Final = 20


def loader(schema: Schema) -> Loader:
    """`schema.load` as a quicker function: same results, same `ValidationError`, but for very many unknown fields.

    A schema that cannot be compiled is loaded by marshmallow itself.
    """
    quick, slow = compiled(schema), schema.load
    if quick is None:
        return slow
    most = len(schema.load_fields) + _UNKNOWN_FIELDS

    def load(data: Any) -> dict[str, Any]:
        try:
            return quick(data)
        except (ValueError, MarshmallowError):
            if type(data) is dict and len(data) > most:
                # Naming a thousand fields that nobody knows would take milliseconds.
                raise ValidationError(f"More than {_UNKNOWN_FIELDS} unknown fields.") from None
            return slow(data)  # type: ignore[no-any-return]  # a plain schema loads an object

    return load


def compiled(schema: Schema) -> Loader | None:
    """The quick way alone: ValueError or `ValidationError`, without messages, for whatever it does not take.

    None for a schema with hooks other than plain `validates_schema` ones, or with fields that have no checker.
    """
    plan = _plan(schema)
    validators = _validators(schema)
    if plan is None or validators is None:
        return None
    known = frozenset(plan)
    required = frozenset(name for name, field in schema.load_fields.items() if field.required)
    defaults = {
        name: field.load_default for name, field in schema.load_fields.items() if field.load_default is not missing
    }
    made = {name: make for name, make in defaults.items() if callable(make)}
    fixed = {name: value for name, value in defaults.items() if not callable(value)}
    unknown = schema.unknown

    def load(data: Any) -> dict[str, Any]:
        if type(data) is not dict or not known >= data.keys() >= required:
            raise ValueError
        loaded = {**fixed, **{name: plan[name](value) for name, value in data.items()}}
        for name in made:
            if name not in data:
                loaded[name] = made[name]()
        for validate in validators:
            validate(loaded, partial=None, many=False, unknown=unknown)
        return loaded

    return load


def _validators(schema: Schema) -> list[Callable[..., Any]] | None:
    """The schema's own validators, in their order; None where it has hooks of another kind."""
    found = []
    for kind, hooks in schema._hooks.items():
        for name, pass_collection, options in hooks:
            if kind != VALIDATES_SCHEMA or pass_collection or options.get("pass_original"):
                return None
            found.append(getattr(schema, name))
    return found


def _plan(schema: Schema) -> Mapping[str, Checker] | None:
    plan: dict[str, Checker] = {}
    for name, field in schema.load_fields.items():
        check = _checker(field)
        if check is None or field.data_key not in (None, name):
            return None
        plan[name] = check
    return plan


def _checker(field: Field[Any]) -> Checker | None:
    check = _plain_checker(field)
    return _nullable(check) if check is not None and field.allow_none else check


def _plain_checker(field: Field[Any]) -> Checker | None:
    """The field's rule as one function, without null; None where it has one that only marshmallow knows."""
    if isinstance(field, Listed):
        return _list_checker(field)
    if isinstance(field, fields.Nested):
        return None if field.many or field.validators or field.unknown else compiled(field.schema)
    if type(field) is fields.Dict:
        plain = type(field.key_field) is fields.String and not field.key_field.validators and field.value_field is None
        return _check_object if plain and not field.validators else None
    if isinstance(field, Flag) and field.validators:
        return None
    make: Callable[[], Checker] | None = getattr(field, "checker", None)
    return None if make is None else make()


def _list_checker(field: Listed) -> Checker | None:
    check, minimum, maximum = _checker(field.inner), field.minimum, field.maximum
    if check is None:
        return None

    def check_list(value: Any) -> Any:
        if type(value) is list and minimum <= len(value) <= maximum:
            return [check(item) for item in value]
        raise ValueError

    return check_list


def _check_object(value: Any) -> Any:
    """An object with any members: names are text in all JSON."""
    if type(value) is dict:
        return dict(value)
    raise ValueError


def _nullable(check: Checker) -> Checker:
    return lambda value: None if value is None else check(value)
