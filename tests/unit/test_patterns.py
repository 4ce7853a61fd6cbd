"""Regular expressions that users write are those of RE2, also where JSON Schema and JSONPath have another dialect."""

import pytest

from coinrequest.patterns import MAX_LENGTH, PatternInvalid, compile_pattern


@pytest.mark.parametrize(
    ("expression", "text", "found"),
    [
        # As in ECMA-262, which JSON Schema recommends, and unlike Python.
        (r"\d", "٣", False),
        ("^a$", "a\n", False),
        ("^b$", "a\nb", False),
        (r"\u00e9", "é", True),
        (r"\\u00e9", r"\u00e9", True),
        ("(?<name>a)", "a", True),
        (r"\/", "/", True),
        (r"\p{Lu}", "É", True),
        # As in Python and RE2; in ECMA-262 `[]` is empty.
        ("[]a]", "]", True),
        # RE2 alone: whitespace and words are ASCII, and there are POSIX classes.
        (r"\s", "\u00a0", False),
        (r"\w", "é", False),
        ("[[:alpha:]]", "a", True),
    ],
)
def test_an_expression_has_the_meaning_of_re2(expression: str, text: str, found: bool) -> None:
    assert bool(compile_pattern(expression).search(text)) is found


@pytest.mark.parametrize(
    "expression",
    [
        "(?=a)",
        "(?<!a)b",
        r"(a)\1",
        "a*+",
        "[^]",
        r"\cA",
        r"\q",
        r"\u{e9}",
        "x{1001}",
        r"\p{Script=Greek}",
        "(",
        "\ud800",
    ],
)
def test_what_re2_cannot_match_in_linear_time_or_does_not_have_is_refused(expression: str) -> None:
    with pytest.raises(PatternInvalid, match="is not an RE2 expression"):
        compile_pattern(expression)


def test_a_long_expression_is_refused() -> None:
    with pytest.raises(PatternInvalid, match="longer than 1,000 characters"):
        compile_pattern("a" * (MAX_LENGTH + 1))


def test_a_short_expression_that_compiles_to_many_instructions_is_refused() -> None:
    with pytest.raises(PatternInvalid, match="compiles to more than 2,000 instructions"):
        compile_pattern(r"\p{L}{100}")
