"""Values and performatives that property tests draw from."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from local.amqp.performatives import (
    Accepted,
    Attach,
    Begin,
    Disposition,
    Error,
    Flow,
    Modified,
    Open,
    Rejected,
    Source,
    Transfer,
)
from local.amqp.values import Byte, Described, Float, Int, Short, Symbol, Timestamp, UByte, UInt, ULong, UShort


def _integers(kind: Callable[[int], int], bits: int, *, signed: bool) -> st.SearchStrategy[Any]:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return st.integers(low, high).map(kind)


symbols = st.text(st.characters(max_codepoint=127), max_size=300).map(Symbol)
scalars = st.one_of(
    st.booleans(),
    _integers(UByte, 8, signed=False),
    _integers(UShort, 16, signed=False),
    _integers(UInt, 32, signed=False),
    _integers(ULong, 64, signed=False),
    _integers(Byte, 8, signed=True),
    _integers(Short, 16, signed=True),
    _integers(Int, 32, signed=True),
    _integers(int, 64, signed=True),
    _integers(Timestamp, 64, signed=True),
    st.floats(width=32, allow_nan=False).map(Float),
    st.floats(allow_nan=False),
    st.uuids(),
    st.binary(max_size=300),
    st.text(max_size=300),
    symbols,
)
values = st.recursive(
    st.none() | scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(scalars, inner, max_size=5),
        st.builds(Described, symbols | _integers(ULong, 64, signed=False), inner),
    ),
    max_leaves=20,
)
uints = _integers(int, 32, signed=False)
ushorts = _integers(int, 16, signed=False)
outcomes = st.one_of(
    st.just(Accepted()),
    symbols.map(lambda condition: Rejected(Error(condition))),
    st.booleans().map(Modified),
)
performatives = st.one_of(
    st.text(max_size=20).map(lambda name: Open(name, properties={"a": 1})),
    st.tuples(st.none() | ushorts, uints, uints, uints).map(lambda fields: Begin(*fields)),
    st.tuples(st.text(max_size=300), uints, st.booleans()).map(lambda fields: Attach(*fields, source=Source("queue"))),
    st.tuples(st.none() | uints, uints, uints, uints, st.none() | uints).map(lambda fields: Flow(*fields)),
    st.tuples(uints, uints, st.binary(max_size=32), uints, st.booleans(), st.booleans()).map(
        lambda fields: Transfer(*fields)
    ),
    st.tuples(st.booleans(), uints, uints, st.booleans(), outcomes).map(lambda fields: Disposition(*fields)),
)
