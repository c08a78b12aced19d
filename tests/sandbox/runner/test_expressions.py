"""Tables of what GitHub's expressions give, and properties of their numbers, texts and JSON."""

import hashlib
import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.sandbox.expressions import (
    CaseSensitive,
    ExpressionError,
    Status,
    condition,
    evaluate,
    interpolate,
    resolve,
)

CONTEXTS = {
    "inputs": {"Name": "Value", "empty": "", "flag": "false", "a-b": "dash"},
    "env": CaseSensitive({"A": "1"}),
    "steps": {"one": {"outputs": {"x": "ja"}, "outcome": "success"}},
    "github": {
        "event": {"list": [{"n": "a", "t": [1, 2]}, {"n": "b", "t": [3]}, {"other": None}], "number": 3, "yes": True},
        "ref": "refs/heads/main",
    },
    "matrix": None,
}

VALUES = [
    ("null", None),
    ("true", True),
    ("false", False),
    ("12", 12),
    ("-12", -12),
    ("+1.5", 1.5),
    (".5", 0.5),
    ("-.5", -0.5),
    ("5.", 5),
    ("1e3", 1000),
    ("1.5E-2", 0.015),
    ("0xff", 255),
    ("0xFFFFFFFF", -1),
    ("0o17", 15),
    ("Infinity", math.inf),
    ("'it''s'", "it's"),
    ("''", ""),
    ("'}} ${{'", "}} ${{"),
    ("inputs.name", "Value"),
    ("INPUTS.NAME", "Value"),
    ("inputs['NAME']", "Value"),
    ("inputs . name", "Value"),
    ("inputs.a-b", "dash"),
    ("inputs.none", None),
    ("inputs.none.deeper[0]", None),
    ("matrix.anything", None),
    ("env.A", "1"),
    ("env.a", None),
    ("steps.one.outputs.x", "ja"),
    ("steps['one'].outcome", "success"),
    ("github.event.list[1].n", "b"),
    ("github.event.list['1'].n", "b"),
    ("github.event.list[1.9].n", "b"),
    ("github.event.list[-1]", None),
    ("github.event.list[9]", None),
    ("github.event.list[true].n", "b"),
    ("github.event.list.n", None),
    ("github.event.list.*.n", ["a", "b"]),
    ("github.event.list[*].n", ["a", "b"]),
    ("github.event.list.*.other", [None]),
    ("github.event.list.*.t[0]", [1, 3]),
    ("github.event.list.*.t.*", [1, 2, 3]),
    ("inputs.*", ["Value", "", "false", "dash"]),
    ("inputs.name.*", []),
    ("!true", False),
    ("!!'x'", True),
    ("!''", True),
    ("!inputs", False),
    ("true || false && false", True),
    ("(true || false) && false", False),
    ("1 == 1 == true", True),
    ("1 < 2 == true", True),
    ("!false == true", True),
    ("inputs.empty || 'default'", "default"),
    ("inputs.name && 'then' || 'else'", "then"),
    ("0 || null || '' || false", False),
    ("'a' == 'A'", True),
    ("'ß' == 'SS'", False),
    ("'a' != 'b'", True),
    ("null == 0", True),
    ("null == ''", True),
    ("'' == 0", True),
    ("false == 0", True),
    ("true == '1'", True),
    ("true == 'true'", False),
    ("'0x10' == 16", True),
    ("' 1 ' == 1", True),
    ("'abc' == 0", False),
    ("NaN == NaN", False),
    ("NaN != NaN", True),
    ("inputs == inputs", True),
    ("inputs == steps", False),
    ("fromJSON('[1]') == fromJSON('[1]')", False),
    ("github.event.list == 0", False),
    ("'a' < 'B'", True),
    ("'b' >= 'A'", True),
    ("2 < '10'", True),
    ("'2' < '10'", False),
    ("'x' < 1", False),
    ("'x' > 1", False),
    ("null <= 0", True),
    ("false < true", True),
    ("contains('Hello', 'ELL')", True),
    ("contains('a1b', 1)", True),
    ("contains(github.event.list.*.n, 'B')", True),
    ("contains(github.event.list.*.t, 3)", False),
    ("contains(fromJSON('[\"1\"]'), 1)", True),
    ("contains(inputs, 'x')", False),
    ("startsWith(github.ref, 'REFS/heads')", True),
    ("startsWith(inputs, 'O')", False),
    ("endsWith(github.ref, 'Main')", True),
    ("endsWith(123, 3)", True),
    ("format('{0}-{1}-{0} {{}}', 'a', 2)", "a-2-a {}"),
    ("format('{0}', inputs)", "Object"),
    ("join(github.event.list.*.n)", "a,b"),
    ("join(github.event.list.*.n, ' + ')", "a + b"),
    ("join('single', '-')", "single"),
    ("join(inputs)", ""),
    ("toJSON(null)", "null"),
    ("toJSON('a\"b')", '"a\\"b"'),
    ("toJSON(fromJSON('{}'))", "{}"),
    ("toJSON(fromJSON('[]'))", "[]"),
    ('toJSON(fromJSON(\'{"a":[1,{"b":1.50}]}\'))', '{\n  "a": [\n    1,\n    {\n      "b": 1.5\n    }\n  ]\n}'),
    ("fromJSON('true')", True),
    ("fromJSON('{\"A\": 1}').a", 1),
    ("case(false, 1, true, 2, 3)", 2),
    ("case(false, 1, 3)", 3),
]


@pytest.mark.parametrize(("source", "expected"), VALUES)
def test_value(source, expected):
    value = evaluate(source, CONTEXTS)
    assert value == expected
    assert isinstance(value, bool) == isinstance(expected, bool)


ERRORS = [
    ("", "expression was expected"),
    ("nothing.at.all", "Unrecognized named-value: 'nothing'. Located at position 1"),
    ("secrets.x", "Unrecognized named-value: 'secrets'"),
    ("false && nothing.x", "Unrecognized named-value: 'nothing'. Located at position 10"),
    ("nosuch(1)", "Unrecognized function: 'nosuch'"),
    ("always()", "Unrecognized function: 'always'"),
    ("hashFiles('x')", "Unrecognized function: 'hashFiles'"),
    ("contains('a')", "Too few parameters"),
    ("toJSON(1, 2)", "Too many parameters"),
    ("1 2", "Unexpected symbol: '2'"),
    ("1.2.3", "Unexpected symbol: '1.2.3'"),
    ("-x", "Unexpected symbol: '-x'"),
    ("0x1FFFFFFFF", "Unexpected symbol"),
    ('"double"', "Unexpected symbol"),
    ("'open", "Unexpected symbol"),
    ("(1", "Unexpected end"),
    ("1)", "Unexpected symbol: ')'"),
    ("inputs.", "Unexpected end"),
    ("inputs.'a'", "Unexpected symbol"),
    ("inputs[1", "Unexpected end"),
    ("'text'.length", "Unexpected symbol: '.'"),
    ("1 = 1", "Unexpected symbol"),
    ("1 & 1", "Unexpected symbol"),
    ("!", "Unexpected end"),
    ("TRUE", "Unrecognized named-value: 'TRUE'"),
    ("*", "Unexpected symbol"),
    ("format('{0}')", "more arguments"),
    ("format('{', 1)", "format string is invalid"),
    ("format('}', 1)", "format string is invalid"),
    ("fromJSON('{')", "fromJson"),
    ("fromJSON('')", "fromJson"),
    ("case('x', 1, 2)", "must evaluate to a boolean"),
    ("case(true, 1, true, 2)", "odd number"),
    ("(" * 60 + "1" + ")" * 60, "depth"),
    ("!" * 60 + "1", "depth"),
    ("inputs" + ".a" * 60, "depth"),
    ("1" + "==1" * 60, "depth"),
    (" " * 21_001, "length"),
]


@pytest.mark.parametrize(("source", "part"), ERRORS)
def test_error(source, part):
    with pytest.raises(ExpressionError, match=re.escape(part)):
        evaluate(source, CONTEXTS)


def test_a_long_row_of_one_operator_is_not_deep():
    assert evaluate("||".join(["false"] * 2000 + ["'end'"]), {}) == "end"


NUMBERS = [
    ("1.10", "1.1"),
    ("100", "100"),
    ("-0.0", "-0"),
    ("0.0001", "0.0001"),
    ("0.00001", "1E-05"),
    ("123456789012345", "123456789012345"),
    ("1e15", "1E+15"),
    ("1e100", "1E+100"),
    ("0.1", "0.1"),
    ("-Infinity", "-Infinity"),
    ("NaN", "NaN"),
]


@pytest.mark.parametrize(("source", "shown"), NUMBERS)
def test_numbers_as_text(source, shown):
    assert interpolate(f"<${{{{ {source} }}}}>", {}) == f"<{shown}>"


TEMPLATES = [
    ("plain", "plain"),
    ("", ""),
    ("${{ inputs.name }}", "Value"),
    ("${{inputs.name}}", "Value"),
    ("a ${{ inputs.name }} b ${{ env.A }} c", "a Value b 1 c"),
    ("${{ inputs.none }}", ""),
    ("${{ '}}' }}", "}}"),
    ("${{ 'it''s }}' }}!", "it's }}!"),
    ("x ${{ inputs }} y", "x Object y"),
    ("x ${{ github.event.list }} y", "x Array y"),
    ("{0} ${{ 1 }} }}", "{0} 1 }}"),
    ("$ {{ no }} $${{ 1 }}", "$ {{ no }} $1"),
    ("${{ true }}", "true"),
]


@pytest.mark.parametrize(("source", "expected"), TEMPLATES)
def test_interpolate(source, expected):
    assert interpolate(source, CONTEXTS) == expected


@pytest.mark.parametrize(
    "source", ["${{ 1", "${{ 'x }}", "a ${{ }}", "${{}}", "${{ inputs }}", "${{ github.event.list }}"]
)
def test_interpolate_refuses(source):
    with pytest.raises(ExpressionError):
        interpolate(source, CONTEXTS)


def test_resolve_keeps_the_kind_of_a_single_expression():
    assert resolve("${{ true }}", {}) is True
    assert resolve(" ${{ true }}", {}) == " true"


CONDITIONS = [
    # condition, when all is well, after a failure, after a cancellation
    ("", True, False, False),
    ("  ", True, False, False),
    ("true", True, False, False),
    ("false", False, False, False),
    ("success()", True, False, False),
    ("failure()", False, True, False),
    ("cancelled()", False, False, True),
    ("!cancelled()", True, True, False),
    ("always()", True, True, True),
    ("ALWAYS()", True, True, True),
    ("${{ always() }}", True, True, True),
    ("${{ failure() }}", False, True, False),
    ("failure() || inputs.name == 'value'", True, True, True),
    ("inputs.name == 'value'", True, False, False),
    ("inputs.flag", True, False, False),  # 'false' is a text, and not empty
    ("inputs.empty", False, False, False),
    ("${{ inputs.name }} == 'other'", True, False, False),  # becomes a text, which is true
    ("always() && inputs.name == 'x'", False, False, False),
    ("contains('always()', 'a')", True, False, False),  # within quotes it is no status function
]
STATUSES = [Status(), Status(success=False, failure=True), Status(success=False, cancelled=True)]


@pytest.mark.parametrize(("source", "well", "failed", "cancelled"), CONDITIONS)
def test_condition(source, well, failed, cancelled):
    assert [condition(source, CONTEXTS, status=status) for status in STATUSES] == [well, failed, cancelled]


def test_hash_files(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.lock").write_bytes(b"one")
    (tmp_path / "b.lock").write_bytes(b"two")
    digests = [hashlib.sha256(content).digest() for content in (b"one", b"two")]

    def hashed(patterns):
        return evaluate(f"hashFiles({patterns})", {}, workspace=tmp_path)

    assert hashed("'**/*.lock'") == hashlib.sha256(b"".join(digests)).hexdigest()
    assert hashed("'**/*.lock', '!a/*'") == hashlib.sha256(digests[1]).hexdigest()
    assert hashed("'none'") == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**14), 10**14) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_to_json_is_json_and_from_json_reads_it_back(value):
    written = evaluate("toJSON(inputs)", {"inputs": value})
    assert json.loads(written) == value
    assert evaluate("fromJSON(env.x)", {"env": CaseSensitive({"x": written})}) == value


@given(st.text())
def test_a_quoted_text_gives_itself(value):
    assert evaluate("'" + value.replace("'", "''") + "'", {}) == value


@given(st.text(), st.text(), st.text())
def test_text_around_an_expression_stays(before, value, after):
    before, after = before.replace("${{", ""), after.replace("${{", "")
    result = interpolate(before + "${{ env.x }}" + after, {"env": {"x": value}})
    assert result == before + value + after


@given(st.floats(-1e300, 1e300))
def test_a_number_as_text_reads_back_to_15_digits(value):
    shown = interpolate("${{ env.x }}", {"env": {"x": value}})
    assert math.isclose(float(shown), value, rel_tol=1e-14)
    assert evaluate(f"env.x == {shown}", {"env": {"x": float(shown)}}) is True
